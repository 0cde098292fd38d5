//! How many cases a property test tries, and where it keeps the seeds of those that failed.

use std::path::Path;

use proptest::test_runner::{Config, FileFailurePersistence};

/// Cases in a test whose cases cost next to nothing, unless `PROPTEST_CASES` says another number. CI sets 100,000.
const DEFAULT: u32 = 500;

/// Settings of a property test. Each case costs as much as `cost` calls that are answered from memory (about a tenth of a
/// millisecond), so it tries that fraction of the cases, but at least ten. The seed is new in every run unless
/// `PROPTEST_RNG_SEED` fixes it. A seed that fails is kept in `proptest-regressions/<suite>.txt` and tried first from then on.
///
/// # Panics
/// `PROPTEST_CASES` is no number.
#[must_use]
pub fn cases(suite: &str, cost: u32) -> Config {
    let all = std::env::var("PROPTEST_CASES").map_or(DEFAULT, |number| {
        number.parse().unwrap_or_else(|_| panic!("PROPTEST_CASES is {number:?}; set it to a number such as 100000"))
    });
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("proptest-regressions").join(suite).with_extension("txt");
    // proptest keeps a path for the life of the program.
    let seeds = FileFailurePersistence::Direct(Box::leak(seeds.to_string_lossy().into_owned().into_boxed_str()));
    Config { cases: (all / cost).max(10), failure_persistence: Some(Box::new(seeds)), ..Config::default() }
}
