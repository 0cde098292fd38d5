//! Where the tests keep compiled code, so that each component is compiled once for all test binaries and programs.
//!
//! The tests of the other crates name the same folder: `tmp/code-cache/wasmtime` in cargo's target folder.

use std::path::PathBuf;

use wasmtime::{Cache, CacheConfig, Config};

use crate::fetched;

/// Returns the folder of the code cache. As `XDG_CACHE_HOME`, its parent makes wasmtime itself and `access-tokens` find it.
///
/// # Panics
/// The test is not in a target folder.
#[must_use]
pub fn code_cache() -> PathBuf {
    fetched::target_directory().join("tmp/code-cache/wasmtime")
}

/// Adds the code cache to settings of wasmtime.
pub(crate) fn with_code_cache(mut config: Config) -> wasmtime::Result<Config> {
    let mut cache = CacheConfig::new();
    cache.with_directory(code_cache());
    config.cache(Some(Cache::new(cache)?));
    Ok(config)
}
