//! The library against the simulator and against servers that misbehave.

use cloudflare_access_host::CodeCache;

mod calls;
#[path = "../../../host-tests/src/cases.rs"]
mod cases;
#[path = "../../../host-tests/src/coverage.rs"]
mod coverage;
mod credential_stays_outside;
mod example_issue_and_store;
mod example_rotate_on_schedule;
mod issue;
mod lifecycle;
mod rotation;
mod transport;
#[path = "../../../host-tests/src/within.rs"]
mod within;

/// The folder of compiled code that the tests of all crates share, so that the component is compiled once.
const CODE_CACHE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/code-cache/wasmtime");

fn code_cache() -> CodeCache {
    CodeCache::Folder(CODE_CACHE.into())
}
