//! How many cases a property test tries, and where it keeps the seeds of those that failed.

use std::fmt::Debug;
use std::path::Path;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseResult, TestRunner};

/// Cases in a test whose cases cost next to nothing, unless `PROPTEST_CASES` says another number. CI sets 100,000.
const DEFAULT: u32 = 500;
/// Cases in any test.
const LEAST: u32 = 10;

/// A property test: its cases, and what a failure leaves behind.
pub struct Cases {
    config: Config,
}

impl Cases {
    /// Returns the cases of a test each of which costs as much as `cost` calls that are answered from memory: that fraction of
    /// `PROPTEST_CASES`. Such a call takes about a tenth of a millisecond of processor time.
    ///
    /// A seed that fails is kept in `proptest-regressions/<suite>.txt` and tried first from then on. Other seeds are new in every
    /// run unless `PROPTEST_RNG_SEED` fixes them.
    ///
    /// # Panics
    /// `PROPTEST_CASES` is no number.
    #[must_use]
    pub fn of(suite: &str, cost: u32) -> Self {
        let all = std::env::var("PROPTEST_CASES").map_or(DEFAULT, |number| {
            number.parse().unwrap_or_else(|_| panic!("PROPTEST_CASES is {number:?}; set it to a number such as 100000"))
        });
        let seeds =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("proptest-regressions").join(suite).with_extension("txt");
        // proptest wants a path that lives as long as the program.
        let seeds = FileFailurePersistence::Direct(Box::leak(seeds.to_string_lossy().into_owned().into_boxed_str()));
        let cases = (all / cost).max(LEAST);
        Self { config: Config { cases, failure_persistence: Some(Box::new(seeds)), ..Config::default() } }
    }

    /// Sets how often a case that failed is made smaller and tried again.
    #[must_use]
    pub fn shrinking_at_most(mut self, tries: u32) -> Self {
        self.config.max_shrink_iters = tries;
        self
    }

    /// Tries the test on values of the strategy. The macro `proptest!` would try `PROPTEST_CASES` of them whatever they cost.
    ///
    /// # Panics
    /// A case fails; the panic shows the smallest one found.
    pub fn check<S: Strategy>(self, values: &S, test: impl Fn(S::Value) -> TestCaseResult)
    where
        S::Value: Debug,
    {
        if let Err(failure) = TestRunner::new(self.config).run(values, test) {
            panic!("{failure}");
        }
    }
}
