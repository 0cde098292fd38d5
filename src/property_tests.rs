//! How the property tests run.

use proptest::test_runner::Config;

/// Returns the configuration of a property test: 500 cases, unless `PROPTEST_CASES` says otherwise.
pub fn config() -> Config {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    Config { cases: cases.unwrap_or(500), ..Config::default() }
}
