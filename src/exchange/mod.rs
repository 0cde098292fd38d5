//! One call: its requests are sent and their answers read, within one deadline.
//!
//! Everything but `wasi_http` and `reactor` is plain Rust that knows no WASI, and is tested natively against a scripted
//! host.

pub mod call;
pub mod concurrent;
pub mod error_code;
pub mod host;
pub mod reactor;
pub mod repeat;
#[cfg(test)]
pub mod scripted_host;
pub mod wasi_http;

pub use call::Call;
pub use host::{Answer, Cause, Head, Headers, Host, Instant, NoAnswer, nanoseconds};
