//! What wasmtime's `bindgen!` makes of the contract in `wit/`: its types, and the calls of what the component exports.
//!
//! For hosts with a wasmtime of their own; everyone else uses [`AccessTokens`](crate::AccessTokens). What the component
//! imports is WASI, which [`linker::add_to_linker`](crate::linker::add_to_linker) provides; so the world that these bindings
//! are made of has the contract's exports and no imports.

#![allow(missing_docs, clippy::pedantic, reason = "generated; the documentation is in the WIT files")]

include!(concat!(env!("OUT_DIR"), "/bindings.rs"));

pub use cloudflare::access::types;
pub use exports::cloudflare::access::{lifecycle, service_tokens};
