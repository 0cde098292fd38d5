//! The guest of `cloudflare_access.wasm`: Cloudflare Access service tokens over `wasi:http`.
//!
//! A call goes down through the folders in this order and comes back by return values:
//!
//! 1. `operations`: what each exported function does, made of the seven requests of the API.
//! 2. `request`: checked arguments and settings become a request.
//! 3. `exchange`: the request is sent, as often as its effect allows, until the deadline of the call.
//! 4. `response`: the bytes of an answer become a token, or an error that tells what is known.

#![deny(unsafe_code)]
// Natively the guest is tested and not linked, so nothing uses its exports there.
#![cfg_attr(not(target_family = "wasm"), allow(dead_code))]
// The lints are about what runs in the guest. A test may count and compare.
#![cfg_attr(
    test,
    allow(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::unwrap_in_result, clippy::use_debug)
)]

mod exchange;
mod failure;
mod operations;
#[cfg(test)]
mod property_tests;
mod request;
mod response;
mod timestamp;

use bindings::exports::cloudflare::access as contract;
use contract::lifecycle::{
    Ensured, ExpiryReport, Guest as Lifecycle, OverlappingToken, RefreshParams, RefreshReport, Selector,
};
use contract::service_tokens::{
    CreateParams, Deletion, Error, Guest as ServiceTokens, IssuedToken, ListAllParams, ListPageParams, PreviousSecret,
    RequestOptions, Scope, ServiceToken, TokenPage, UpdateParams, UpdatedToken,
};
use exchange::{Call, wasi_http::WasiHost};
use operations::{ensure, expiring, find, issue, list_all, overlap, service_tokens};
use request::{Function, arguments};

/// Generated from `wit/`. The types of `wasi:http` and of what it stands on are waki's, so that there is one set of
/// them.
#[allow(unsafe_code, warnings, clippy::all, clippy::pedantic, clippy::restriction)]
mod bindings {
    use super::Plugin;

    wit_bindgen::generate!({
        path: "wit",
        world: "plugin",
        additional_derives: [Default],
        // Types without a value to begin with.
        additional_derives_ignore: [
            "scope", "error-kind", "outcome", "credentials", "endpoint", "error", "previous-secret", "deletion", "clock",
            "selector", "ensured", "expiry-report", "refreshed-token", "refresh-report",
        ],
        with: {
            "wasi:io/error@0.2.2": waki::bindings::wasi::io::error,
            "wasi:io/poll@0.2.2": waki::bindings::wasi::io::poll,
            "wasi:io/streams@0.2.2": waki::bindings::wasi::io::streams,
            "wasi:clocks/monotonic-clock@0.2.2": waki::bindings::wasi::clocks::monotonic_clock,
            "wasi:clocks/wall-clock@0.2.2": waki::bindings::wasi::clocks::wall_clock,
            "wasi:http/types@0.2.2": waki::bindings::wasi::http::types,
            "wasi:http/outgoing-handler@0.2.2": waki::bindings::wasi::http::outgoing_handler,
            "wasi:cli/environment@0.2.2": generate,
        },
    });

    // The names of the exports are none that a native linker takes.
    #[cfg(target_family = "wasm")]
    export!(Plugin);
}

struct Plugin;

/// Runs one exported function: begins its call, and waits until it ends.
fn run<T>(
    function: Function,
    scope: Scope,
    options: Option<RequestOptions>,
    operation: impl AsyncFnOnce(&Call<'_, WasiHost>) -> failure::Result<T>,
) -> Result<T, Error> {
    let host = WasiHost::default();
    let call = Call::begin(&host, function, scope, options)?;
    host.block_on(operation(&call)).map_err(|failure| call.error(*failure))
}

/// Implements an interface of the contract. Each function has a line for its signature, its options left out, and a
/// line for the scope that it concerns and the operation that it is.
macro_rules! implement {
    ($interface:ident: $(
        $function:ident: $name:ident($($argument:ident: $type:ty),*) -> $result:ty,
        $scope:expr => |$call:ident| $operation:expr;
    )*) => {
        impl $interface for Plugin {
            $(fn $name($($argument: $type,)* options: Option<RequestOptions>) -> Result<$result, Error> {
                run(Function::$function, $scope, options, async |$call| $operation.await)
            })*
        }
    };
}

implement! { ServiceTokens:
    ListPage: list_page(scope: Scope, params: ListPageParams) -> TokenPage,
        scope => |call| service_tokens::list_page(call, arguments::list_page(&params)?);
    ListAll: list_all(scope: Scope, params: ListAllParams) -> Vec<ServiceToken>,
        scope => |call| list_all::list_all(call, arguments::list_all(&params)?);
    Get: get(scope: Scope, id: String) -> ServiceToken,
        scope => |call| service_tokens::get(call, call.target(&id)?);
    Create: create(scope: Scope, params: CreateParams) -> IssuedToken,
        scope => |call| service_tokens::create(call, arguments::create(&params)?);
    Update: update(scope: Scope, id: String, params: UpdateParams) -> UpdatedToken,
        scope => |call| service_tokens::update(call, call.target(&id)?, arguments::update(&params)?);
    Delete: delete(scope: Scope, id: String) -> Deletion,
        scope => |call| service_tokens::delete(call, call.target(&id)?);
    Refresh: refresh(account: String, id: String) -> ServiceToken,
        Scope::Account(account) => |call| service_tokens::refresh(call, call.target(&id)?);
    Rotate: rotate(account: String, id: String, previous: PreviousSecret) -> IssuedToken,
        Scope::Account(account) => |call| service_tokens::rotate(call, call.target(&id)?, arguments::previous_secret(&previous)?);
}

implement! { Lifecycle:
    Expiring: expiring(scope: Scope, within_seconds: u32) -> ExpiryReport,
        scope => |call| expiring::expiring(call, within_seconds);
    RefreshExpiring: refresh_expiring(account: String, params: RefreshParams) -> RefreshReport,
        Scope::Account(account) => |call| expiring::refresh(call, &params);
    RotateWithOverlap: rotate_with_overlap(scope: Scope, id: String, seconds: u32, end_running: bool) -> OverlappingToken,
        scope => |call| overlap::rotate(call, call.target(&id)?, seconds, end_running);
    EndOverlap: end_overlap(scope: Scope, id: String) -> ServiceToken,
        scope => |call| overlap::end(call, call.target(&id)?);
    ExtendOverlap: extend_overlap(scope: Scope, id: String, seconds: u32) -> ServiceToken,
        scope => |call| overlap::extend(call, call.target(&id)?, seconds);
    Find: find(scope: Scope, selector: Selector) -> Vec<ServiceToken>,
        scope => |call| find::find(call, &selector);
    Ensure: ensure(scope: Scope, params: CreateParams) -> Ensured,
        scope => |call| ensure::ensure(call, &params);
    Issue: issue(account: String, params: CreateParams, key: String) -> IssuedToken,
        Scope::Account(account) => |call| issue::issue(call, &params, &key);
    FinishIssue: finish_issue(account: String, key: String) -> ServiceToken,
        Scope::Account(account) => |call| issue::finish(call, &key);
    ResolveCreate: resolve_create(scope: Scope, name: String, since: String) -> Vec<ServiceToken>,
        scope => |call| find::resolve_create(call, &name, &since);
    Disable: disable(scope: Scope, id: String) -> ServiceToken,
        scope => |call| service_tokens::switch(call, call.target(&id)?, false);
    Enable: enable(scope: Scope, id: String) -> ServiceToken,
        scope => |call| service_tokens::switch(call, call.target(&id)?, true);
}
