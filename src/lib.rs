//! The guest of `cloudflare_access.wasm`: Cloudflare Access service tokens over `wasi:http`.
//!
//! This file is the bindings and the export; how arguments come in and results go out is `abi`, how text is put together and taken apart is
//! `text`. A call goes through the rooms in this order: `operations` (or `list_all`, or one of `lifecycle`) checks its `arguments`, begins a
//! `call`, which resolves its `settings`, and takes one of the `steps`, which makes a `request`; `call` sends it through a `host` as often as
//! `repeat` allows; the answer is read by `envelope` and `token`; a failed attempt is judged by `trouble` with the `catalogue` and becomes an
//! `error`. The functions of `lifecycle` are calls of several `steps`. `wasi_host` is the host that WASI offers, `error_code` what its
//! failures prove.

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
mod error_code;
#[cfg(any(test, all(target_family = "wasm", target_os = "unknown", feature = "heap")))]
mod heap;
mod host;
mod json;
mod lifecycle;
mod list_all;
mod moment;
mod operation;
mod operations;
mod order;
mod reactor;
mod repeat;
mod request;
mod retry_after;
#[cfg(test)]
mod scripted_host;
mod secret;
mod settings;
mod steps;
mod text;
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
    fn list(scope: Scope, params: ListParams, options: Options) -> Result<TokenPage, Error> { operations::list(&WasiHost::default(), &scope, &params, options).map_err(|error| *error) }
    fn list_all(scope: Scope, params: ListAllParams, options: Options) -> Result<Vec<ServiceToken>, Error> { list_all::list_all(&WasiHost::default(), &scope, &params, options).map_err(|error| *error) }
    fn get(scope: Scope, id: String, options: Options) -> Result<ServiceToken, Error> { operations::get(&WasiHost::default(), &scope, id, options).map_err(|error| *error) }
    fn create(scope: Scope, params: CreateParams, options: Options) -> Result<IssuedToken, Error> { operations::create(&WasiHost::default(), &scope, &params, options).map_err(|error| *error) }
    fn update(scope: Scope, id: String, params: UpdateParams, options: Options) -> Result<UpdatedToken, Error> { operations::update(&WasiHost::default(), &scope, id, &params, options).map_err(|error| *error) }
    fn delete(scope: Scope, id: String, options: Options) -> Result<ServiceToken, Error> { operations::delete(&WasiHost::default(), &scope, id, options).map_err(|error| *error) }
    fn refresh(account_id: String, id: String, options: Options) -> Result<ServiceToken, Error> { operations::refresh(&WasiHost::default(), &account_id, id, options).map_err(|error| *error) }
    fn rotate(account_id: String, id: String, previous: PreviousSecret, options: Options) -> Result<IssuedToken, Error> { operations::rotate(&WasiHost::default(), &account_id, id, &previous, options).map_err(|error| *error) }
}

#[rustfmt::skip]
impl lifecycle_contract::Guest for Plugin {
    fn expiring(scope: Scope, within_seconds: u64, options: Options) -> Result<ExpiryReport, Error> { expiring::expiring(&WasiHost::default(), &scope, within_seconds, options).map_err(|error| *error) }
    fn refresh_expiring(account_id: String, within_seconds: u64, options: Options) -> Result<RefreshReport, Error> { expiring::refresh_expiring(&WasiHost::default(), &account_id, within_seconds, options).map_err(|error| *error) }
    fn rotate_with_overlap(account_id: String, id: String, overlap_seconds: u64, options: Options) -> Result<OverlappingToken, Error> { overlap::rotate_with_overlap(&WasiHost::default(), &account_id, id, overlap_seconds, options).map_err(|error| *error) }
    fn end_overlap(scope: Scope, id: String, options: Options) -> Result<ServiceToken, Error> { overlap::end_overlap(&WasiHost::default(), &scope, id, options).map_err(|error| *error) }
    fn extend_overlap(scope: Scope, id: String, overlap_seconds: u64, options: Options) -> Result<ServiceToken, Error> { overlap::extend_overlap(&WasiHost::default(), &scope, id, overlap_seconds, options).map_err(|error| *error) }
    fn find(scope: Scope, name: String, options: Options) -> Result<Vec<ServiceToken>, Error> { find::find(&WasiHost::default(), &scope, &name, options).map_err(|error| *error) }
    fn ensure(scope: Scope, params: CreateParams, options: Options) -> Result<EnsuredToken, Error> { ensure::ensure(&WasiHost::default(), &scope, &params, options).map_err(|error| *error) }
    fn issue(account_id: String, params: CreateParams, progress: Option<IssueProgress>, options: Options) -> Result<IssuedToken, IssueError> { issue::issue(&WasiHost::default(), &account_id, &params, progress, options).map_err(|error| *error) }
    fn resolve_create(scope: Scope, name: String, since: String, options: Options) -> Result<Vec<ServiceToken>, Error> { find::resolve_create(&WasiHost::default(), &scope, &name, &since, options).map_err(|error| *error) }
    fn disable(scope: Scope, id: String, options: Options) -> Result<ServiceToken, Error> { switch::switch(&WasiHost::default(), &scope, id, false, options).map_err(|error| *error) }
    fn enable(scope: Scope, id: String, options: Options) -> Result<ServiceToken, Error> { switch::switch(&WasiHost::default(), &scope, id, true, options).map_err(|error| *error) }
}
