//! The one limit of all waits of the tests. It ends a test that would hang, and measures nothing.
//!
//! The test binaries of other crates take in this file by its path, so it needs nothing but tokio.

use std::fmt::Display;
use std::time::Duration;

/// How long a test waits for anything: longer than a busy machine takes for it.
pub const LIMIT: Duration = Duration::from_mins(2);

/// Awaits a future for at most [`LIMIT`].
///
/// # Panics
/// The limit passes; the panic says what the test waited for.
pub async fn within<T>(what: impl Display, future: impl Future<Output = T>) -> T {
    let Ok(value) = tokio::time::timeout(LIMIT, future).await else {
        panic!("waited {} s in vain for {what}", LIMIT.as_secs());
    };
    value
}
