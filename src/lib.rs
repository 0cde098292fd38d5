//! The guest of `cloudflare_access.wasm`: Cloudflare Access service tokens over `wasi:http`.
//!
//! This file is the bindings and the export. A call goes through the rooms in this order: `operations` (or `list_all`, or one of `lifecycle`) checks
//! its `arguments`, resolves its `settings` and takes one of the `steps`, which makes a `request`; `call` sends it through a `host` as often as `repeat` allows;
//! the answer is read by `envelope` and `token`; a failed attempt is judged by `trouble` with the `catalogue` and becomes an
//! `error`. The functions of `lifecycle` are calls of several `steps`. `wasi_host` is the host that WASI offers.

// The wall of lints stands around what runs in the guest; a test may count.
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::integer_division,
        clippy::result_large_err,
        clippy::unwrap_in_result
    )
)]

#[cfg(target_family = "wasm")]
mod abi;
mod arguments;
mod base_url;
mod call;
mod catalogue;
mod concurrent;
#[cfg(test)]
mod decoder_fuzz;
mod envelope;
mod error;
mod host;
mod json;
mod lifecycle;
mod list_all;
mod moment;
mod operation;
mod operations;
mod reactor;
mod repeat;
mod request;
mod retry_after;
#[cfg(test)]
mod scripted_host;
mod secret;
mod settings;
mod steps;
mod token;
mod trouble;
mod wasi_host;

/// Generated from `wit/`. The types of `wasi:http` and what it stands on are waki's, so that there is one set of them.
#[allow(warnings, clippy::all, clippy::pedantic, clippy::restriction)]
mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        world: "plugin",
        with: {
            "wasi:io/error@0.2.2": waki::bindings::wasi::io::error,
            "wasi:io/poll@0.2.2": waki::bindings::wasi::io::poll,
            "wasi:io/streams@0.2.2": waki::bindings::wasi::io::streams,
            "wasi:clocks/monotonic-clock@0.2.2": waki::bindings::wasi::clocks::monotonic_clock,
            "wasi:clocks/wall-clock@0.2.2": waki::bindings::wasi::clocks::wall_clock,
            "wasi:random/random@0.2.2": waki::bindings::wasi::random::random,
            "wasi:http/types@0.2.2": waki::bindings::wasi::http::types,
            "wasi:http/outgoing-handler@0.2.2": waki::bindings::wasi::http::outgoing_handler,
            "wasi:cli/environment@0.2.2": generate,
        },
    });
}

use bindings::exports::cloudflare::access::lifecycle as lifecycle_contract;
use bindings::exports::cloudflare::access::service_tokens::{
    CreateParams, Error, Guest, IssuedToken, ListAllParams, ListParams, PreviousSecret, RequestOptions, Scope,
    ServiceToken, TokenPage, UpdateParams, UpdatedToken,
};
use lifecycle::{ensure, expiring, find, issue, overlap, switch};
use lifecycle_contract::{EnsuredToken, ExpiryReport, IssueError, IssueProgress, OverlappingToken, RefreshReport};
use wasi_host::WasiHost;

struct Plugin;

type Options = Option<RequestOptions>;

#[rustfmt::skip]
impl Guest for Plugin {
    fn list(scope: Scope, params: ListParams, options: Options) -> Result<TokenPage, Error> { run(async |host| operations::list(host, scope, params, options).await) }
    fn list_all(scope: Scope, params: ListAllParams, options: Options) -> Result<Vec<ServiceToken>, Error> { run(async |host| list_all::list_all(host, scope, params, options).await) }
    fn get(scope: Scope, id: String, options: Options) -> Result<ServiceToken, Error> { run(async |host| operations::get(host, scope, id, options).await) }
    fn create(scope: Scope, params: CreateParams, options: Options) -> Result<IssuedToken, Error> { run(async |host| operations::create(host, scope, params, options).await) }
    fn update(scope: Scope, id: String, params: UpdateParams, options: Options) -> Result<UpdatedToken, Error> { run(async |host| operations::update(host, scope, id, params, options).await) }
    fn delete(scope: Scope, id: String, options: Options) -> Result<ServiceToken, Error> { run(async |host| operations::delete(host, scope, id, options).await) }
    fn refresh(account_id: String, id: String, options: Options) -> Result<ServiceToken, Error> { run(async |host| operations::refresh(host, account_id, id, options).await) }
    fn rotate(account_id: String, id: String, previous: PreviousSecret, options: Options) -> Result<IssuedToken, Error> { run(async |host| operations::rotate(host, account_id, id, previous, options).await) }
}

#[rustfmt::skip]
impl lifecycle_contract::Guest for Plugin {
    fn expiring(scope: Scope, within_seconds: u64, options: Options) -> Result<ExpiryReport, Error> { run(async |host| expiring::expiring(host, scope, within_seconds, options).await) }
    fn refresh_expiring(account_id: String, within_seconds: u64, options: Options) -> Result<RefreshReport, Error> { run(async |host| expiring::refresh_expiring(host, account_id, within_seconds, options).await) }
    fn rotate_with_overlap(account_id: String, id: String, overlap_seconds: u64, options: Options) -> Result<OverlappingToken, Error> { run(async |host| overlap::rotate_with_overlap(host, account_id, id, overlap_seconds, options).await) }
    fn end_overlap(scope: Scope, id: String, options: Options) -> Result<ServiceToken, Error> { run(async |host| overlap::end_overlap(host, scope, id, options).await) }
    fn extend_overlap(scope: Scope, id: String, overlap_seconds: u64, options: Options) -> Result<ServiceToken, Error> { run(async |host| overlap::extend_overlap(host, scope, id, overlap_seconds, options).await) }
    fn find(scope: Scope, name: String, options: Options) -> Result<Vec<ServiceToken>, Error> { run(async |host| find::find(host, scope, name, options).await) }
    fn ensure(scope: Scope, params: CreateParams, options: Options) -> Result<EnsuredToken, Error> { run(async |host| ensure::ensure(host, scope, params, options).await) }
    fn issue(account_id: String, params: CreateParams, progress: Option<IssueProgress>, options: Options) -> Result<IssuedToken, IssueError> { run(async |host| issue::issue(host, account_id, params, progress, options).await) }
    fn resolve_create(scope: Scope, name: String, since: String, options: Options) -> Result<Vec<ServiceToken>, Error> { run(async |host| find::resolve_create(host, scope, name, since, options).await) }
    fn disable(scope: Scope, id: String, options: Options) -> Result<ServiceToken, Error> { run(async |host| switch::switch(host, scope, id, false, options).await) }
    fn enable(scope: Scope, id: String, options: Options) -> Result<ServiceToken, Error> { run(async |host| switch::switch(host, scope, id, true, options).await) }
}

/// Runs one call on a host of its own.
fn run<T>(call: impl AsyncFnOnce(&WasiHost) -> T) -> T {
    let host = WasiHost::default();
    host.block_on(call(&host))
}
