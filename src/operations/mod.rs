//! What each exported function does. The functions of `service-tokens` are one request each, `list-all` and those of
//! `lifecycle` several.
//!
//! Every function checks all of its arguments before anything is sent.

#[cfg(test)]
mod echo;
pub mod ensure;
pub mod expiring;
pub mod find;
pub mod issue;
pub mod list_all;
pub mod overlap;
pub mod rotation;
pub mod service_tokens;
