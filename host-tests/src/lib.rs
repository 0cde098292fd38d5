//! A host as a stranger would write it: stock wasmtime, stock `wasmtime-wasi-http`, none of the project's own host code.
//!
//! What the tests prove through it holds for any host that offers WASI 0.2. [`Host`] compiles the component once; each
//! [`Instance`] is a component of its own with an environment and a memory limit.

mod action;
mod cases;
mod code_cache;
mod component_under_test;
mod contract;
pub mod edge;
pub mod fetched;
pub mod hooks;
mod instance;
mod interfaces;
pub mod programs;
mod raw_server;
pub mod registry;
pub mod requests;
mod within;

pub use action::{Action, Done, ISSUE_KEY, NEW_NAME, SECONDS};
pub use cases::Cases;
pub use code_cache::code_cache;
pub use component_under_test::component_under_test;
pub use contract::{lifecycle, types};
pub use instance::{Host, Instance, Setup};
pub use interfaces::interfaces;
pub use raw_server::RawServer;
pub use within::{LIMIT, within};

use cloudflare_access_simulator::{API_TOKEN, Simulator};
use types::{Credentials, Endpoint, RequestOptions, Scope};

/// The options that reach a simulator with its API token and do not repeat.
#[must_use]
pub fn options(simulator: &Simulator) -> RequestOptions {
    RequestOptions {
        endpoint: Some(endpoint(api_token(), simulator.base_url())),
        max_retries: Some(0),
        ..requests::by_default()
    }
}

/// The API token that a simulator accepts.
#[must_use]
pub fn api_token() -> Credentials {
    Credentials::ApiToken(API_TOKEN.to_owned())
}

/// An endpoint that a caller names.
#[must_use]
pub fn endpoint(credentials: Credentials, base_url: &str) -> Endpoint {
    Endpoint { credentials, base_url: Some(base_url.to_owned()) }
}

/// The simulator's name for a scope in the contract's words.
#[must_use]
pub fn scope(scope: &cloudflare_access_simulator::Scope) -> Scope {
    match scope.kind() {
        cloudflare_access_simulator::ScopeKind::Account => Scope::Account(scope.id().to_owned()),
        cloudflare_access_simulator::ScopeKind::Zone => Scope::Zone(scope.id().to_owned()),
    }
}
