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
mod operations;
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
use operations::{ensure, expiring, find, issue, list_all, overlap, service_tokens, switch};
use request::Function;
use response::{Failure, Result};

/// Generated from `wit/`. The types of `wasi:http` and of what it stands on are waki's, so that there is one set of
/// them.
#[allow(unsafe_code, warnings, clippy::all, clippy::pedantic, clippy::restriction)]
mod bindings {
    use super::Plugin;

    wit_bindgen::generate!({
        path: "wit",
        world: "plugin",
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

type Options = Option<RequestOptions>;

/// Runs one exported function: begins its call, waits until it ends, and puts the name of the function before the
/// message of its error.
fn run<T>(
    function: Function,
    options: Options,
    operation: impl AsyncFnOnce(&Call<'_, WasiHost>) -> Result<T>,
) -> Result<T, Error> {
    let host = WasiHost::default();
    let call =
        Call::begin(&host, function, options).map_err(|invalid| Box::<Failure>::from(invalid).named(function))?;
    host.block_on(operation(&call)).map_err(|failure| call.named(*failure))
}

impl ServiceTokens for Plugin {
    fn list_page(scope: Scope, params: ListPageParams, options: Options) -> Result<TokenPage, Error> {
        run(Function::ListPage, options, async |call| service_tokens::list_page(call, &scope, &params).await)
    }

    fn list_all(scope: Scope, params: ListAllParams, options: Options) -> Result<Vec<ServiceToken>, Error> {
        run(Function::ListAll, options, async |call| list_all::list_all(call, &scope, &params).await)
    }

    fn get(scope: Scope, id: String, options: Options) -> Result<ServiceToken, Error> {
        run(Function::Get, options, async |call| service_tokens::get(call, &scope, &id).await)
    }

    fn create(scope: Scope, params: CreateParams, options: Options) -> Result<IssuedToken, Error> {
        run(Function::Create, options, async |call| service_tokens::create(call, &scope, &params).await)
    }

    fn update(scope: Scope, id: String, params: UpdateParams, options: Options) -> Result<UpdatedToken, Error> {
        run(Function::Update, options, async |call| service_tokens::update(call, &scope, &id, &params).await)
    }

    fn delete(scope: Scope, id: String, options: Options) -> Result<Deletion, Error> {
        run(Function::Delete, options, async |call| service_tokens::delete(call, &scope, &id).await)
    }

    fn refresh(account: String, id: String, options: Options) -> Result<ServiceToken, Error> {
        run(Function::Refresh, options, async |call| service_tokens::refresh(call, &account, &id).await)
    }

    fn rotate(account: String, id: String, previous: PreviousSecret, options: Options) -> Result<IssuedToken, Error> {
        run(Function::Rotate, options, async |call| service_tokens::rotate(call, &account, &id, &previous).await)
    }
}

impl Lifecycle for Plugin {
    fn expiring(scope: Scope, within_seconds: u32, options: Options) -> Result<ExpiryReport, Error> {
        run(Function::Expiring, options, async |call| expiring::expiring(call, &scope, within_seconds).await)
    }

    fn refresh_expiring(account: String, params: RefreshParams, options: Options) -> Result<RefreshReport, Error> {
        run(Function::RefreshExpiring, options, async |call| expiring::refresh(call, &account, &params).await)
    }

    fn rotate_with_overlap(
        scope: Scope,
        id: String,
        seconds: u32,
        end_running: bool,
        options: Options,
    ) -> Result<OverlappingToken, Error> {
        run(Function::RotateWithOverlap, options, async |call| {
            overlap::rotate(call, &scope, &id, seconds, end_running).await
        })
    }

    fn end_overlap(scope: Scope, id: String, options: Options) -> Result<ServiceToken, Error> {
        run(Function::EndOverlap, options, async |call| overlap::end(call, &scope, &id).await)
    }

    fn extend_overlap(scope: Scope, id: String, seconds: u32, options: Options) -> Result<ServiceToken, Error> {
        run(Function::ExtendOverlap, options, async |call| overlap::extend(call, &scope, &id, seconds).await)
    }

    fn find(scope: Scope, selector: Selector, options: Options) -> Result<Vec<ServiceToken>, Error> {
        run(Function::Find, options, async |call| find::find(call, &scope, &selector).await)
    }

    fn ensure(scope: Scope, params: CreateParams, options: Options) -> Result<Ensured, Error> {
        run(Function::Ensure, options, async |call| ensure::ensure(call, &scope, &params).await)
    }

    fn issue(account: String, params: CreateParams, key: String, options: Options) -> Result<IssuedToken, Error> {
        run(Function::Issue, options, async |call| issue::issue(call, &account, &params, &key).await)
    }

    fn finish_issue(account: String, key: String, options: Options) -> Result<ServiceToken, Error> {
        run(Function::FinishIssue, options, async |call| issue::finish(call, &account, &key).await)
    }

    fn resolve_create(scope: Scope, name: String, since: String, options: Options) -> Result<Vec<ServiceToken>, Error> {
        run(Function::ResolveCreate, options, async |call| find::resolve_create(call, &scope, &name, &since).await)
    }

    fn disable(scope: Scope, id: String, options: Options) -> Result<ServiceToken, Error> {
        run(Function::Disable, options, async |call| switch::switch(call, &scope, &id, false).await)
    }

    fn enable(scope: Scope, id: String, options: Options) -> Result<ServiceToken, Error> {
        run(Function::Enable, options, async |call| switch::switch(call, &scope, &id, true).await)
    }
}
