//! The floor under what the real component is measured at: the same world, and a `get` and a `create` with the same host calls in the
//! same order and no logic. It checks nothing, reads nothing of the answer and returns a constant token.
//!
//! What a `get` of this component takes longer than a native one is wasmtime's and wasi:http's own; so is its size, which is that
//! of the bindings.

/// Generated from `wit/`, WASI included.
#[allow(warnings, clippy::all, clippy::pedantic, clippy::restriction)]
mod bindings {
    wit_bindgen::generate!({ path: "../../../wit", world: "plugin", generate_all });
}

use bindings::exports::cloudflare::access::lifecycle::{
    self, Ensured, ExpiryReport, OverlappingToken, RefreshParams, RefreshReport, Selector,
};
use bindings::exports::cloudflare::access::service_tokens::{
    CreateParams, Deletion, Error, Guest, IssuedToken, ListAllParams, ListPageParams, PreviousSecret, RequestOptions,
    Scope, ServiceToken, TokenPage, UpdateParams, UpdatedToken,
};
use bindings::exports::cloudflare::access::types::{ErrorKind, Outcome};
use bindings::wasi::clocks::monotonic_clock::{now, subscribe_instant};
use bindings::wasi::http::outgoing_handler::handle;
use bindings::wasi::http::types::{
    Fields, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions as HttpOptions, Scheme,
};
use bindings::wasi::io::poll::{Pollable, poll};
use bindings::wasi::io::streams::StreamError;

struct Floor;

type Options = Option<RequestOptions>;

const MINUTE: u64 = 60_000_000_000;

/// The host calls of a `get`, or of a `create` with this body. None: one of them failed.
fn exchange(scope: Scope, id: &str, body: Option<&[u8]>, options: Options) -> Option<ServiceToken> {
    let base_url = options?.endpoint?.base_url?;
    let (_, place) = base_url.split_once("://")?;
    let (authority, root) = place.split_once('/')?;
    let (Scope::Account(account) | Scope::Zone(account)) = scope;
    let path = ["/", root, "/accounts/", &account, "/access/service_tokens", id].concat();
    let timer = subscribe_instant(now() + MINUTE);
    let response = head(authority, &path, body, &timer)?;
    response.status();
    let body = response.consume().ok()?;
    let stream = body.stream().ok()?;
    loop {
        match stream.read(1 << 20) {
            Ok(chunk) if chunk.is_empty() => {
                poll(&[&stream.subscribe(), &timer]);
            }
            Ok(_) => {}
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(_)) => return None,
        }
    }
    drop((stream, body, timer, response));
    Some(token())
}

fn head(authority: &str, path: &str, body: Option<&[u8]>, timer: &Pollable) -> Option<IncomingResponse> {
    let json = ("accept".to_owned(), b"application/json".to_vec());
    let agent = ("user-agent".to_owned(), b"floor/1".to_vec());
    let length = ("content-length".to_owned(), body.map_or(0, <[u8]>::len).to_string().into_bytes());
    let request = OutgoingRequest::new(Fields::from_list(&[json, agent, length]).ok()?);
    if body.is_some() {
        request.set_method(&Method::Post).ok()?;
    }
    request.set_scheme(Some(&Scheme::Http)).ok()?;
    request.set_authority(Some(authority)).ok()?;
    request.set_path_with_query(Some(path)).ok()?;
    let outgoing = body.map(|bytes| Some((request.body().ok()?, bytes)));
    let options = HttpOptions::new();
    options.set_connect_timeout(Some(MINUTE)).ok()?;
    options.set_first_byte_timeout(Some(MINUTE)).ok()?;
    options.set_between_bytes_timeout(Some(MINUTE)).ok()?;
    let future = handle(request, Some(options)).ok()?;
    let arrival = future.subscribe();
    if let Some(outgoing) = outgoing {
        let (body, bytes) = outgoing?;
        let stream = body.write().ok()?;
        stream.check_write().ok()?;
        stream.write(bytes).ok()?;
        drop(stream);
        OutgoingBody::finish(body, None).ok()?;
    }
    let response = loop {
        poll(&[&arrival, timer]);
        if let Some(response) = future.get() {
            break response.ok()?.ok();
        }
    };
    drop((arrival, future));
    response
}

fn create(scope: Scope, options: Options) -> Option<IssuedToken> {
    let token = exchange(scope, "", Some(br#"{"name":"CI"}"#), options)?;
    Some(IssuedToken { token, client_secret: "5".repeat(64) })
}

/// A token with the fields that the simulator's have, so that the host has the same to take over.
fn token() -> ServiceToken {
    let text = |text: &str| Some(text.to_owned());
    ServiceToken {
        id: "3bd5a7cc-9fd6-4d8e-a4c9-3d1c5b1b8a21".to_owned(),
        client_id: text("88bf3b6d86161464f6509f7219099e57.access"),
        name: text("CI"),
        duration: text("8760h"),
        enabled: Some(true),
        expires_at: text("2099-11-24T12:00:00Z"),
        created_at: text("2026-11-24T12:00:00Z"),
        updated_at: text("2026-11-24T12:00:00Z"),
        last_seen_at: None,
        client_secret_version: Some(1),
        previous_client_secret_expires_at: None,
        additional_fields: Vec::new(),
    }
}

/// What every other function answers.
fn error() -> Error {
    Error {
        kind: ErrorKind::Rejected,
        outcome: Outcome::NotApplied,
        message: "the floor only measures get and create".to_owned(),
        status: None,
        api_errors: Vec::new(),
        ray_id: None,
        retry_after_ms: None,
        attempts: 0,
        token_id: None,
        previous_secret_expires_at: None,
    }
}

#[rustfmt::skip]
impl Guest for Floor {
    fn get(scope: Scope, id: String, options: Options) -> Result<ServiceToken, Error> { exchange(scope, &["/", &id].concat(), None, options).ok_or_else(error) }
    fn list_page(_: Scope, _: ListPageParams, _: Options) -> Result<TokenPage, Error> { Err(error()) }
    fn list_all(_: Scope, _: ListAllParams, _: Options) -> Result<Vec<ServiceToken>, Error> { Err(error()) }
    fn create(scope: Scope, _: CreateParams, options: Options) -> Result<IssuedToken, Error> { create(scope, options).ok_or_else(error) }
    fn update(_: Scope, _: String, _: UpdateParams, _: Options) -> Result<UpdatedToken, Error> { Err(error()) }
    fn delete(_: Scope, _: String, _: Options) -> Result<Deletion, Error> { Err(error()) }
    fn refresh(_: String, _: String, _: Options) -> Result<ServiceToken, Error> { Err(error()) }
    fn rotate(_: String, _: String, _: PreviousSecret, _: Options) -> Result<IssuedToken, Error> { Err(error()) }
}

#[rustfmt::skip]
impl lifecycle::Guest for Floor {
    fn expiring(_: Scope, _: u32, _: Options) -> Result<ExpiryReport, Error> { Err(error()) }
    fn refresh_expiring(_: String, _: RefreshParams, _: Options) -> Result<RefreshReport, Error> { Err(error()) }
    fn rotate_with_overlap(_: Scope, _: String, _: u32, _: bool, _: Options) -> Result<OverlappingToken, Error> { Err(error()) }
    fn end_overlap(_: Scope, _: String, _: Options) -> Result<ServiceToken, Error> { Err(error()) }
    fn extend_overlap(_: Scope, _: String, _: u32, _: Options) -> Result<ServiceToken, Error> { Err(error()) }
    fn find(_: Scope, _: Selector, _: Options) -> Result<Vec<ServiceToken>, Error> { Err(error()) }
    fn ensure(_: Scope, _: CreateParams, _: Options) -> Result<Ensured, Error> { Err(error()) }
    fn issue(_: String, _: CreateParams, _: String, _: Options) -> Result<IssuedToken, Error> { Err(error()) }
    fn finish_issue(_: String, _: String, _: Options) -> Result<ServiceToken, Error> { Err(error()) }
    fn resolve_create(_: Scope, _: String, _: String, _: Options) -> Result<Vec<ServiceToken>, Error> { Err(error()) }
    fn disable(_: Scope, _: String, _: Options) -> Result<ServiceToken, Error> { Err(error()) }
    fn enable(_: Scope, _: String, _: Options) -> Result<ServiceToken, Error> { Err(error()) }
}

#[cfg(target_family = "wasm")]
bindings::export!(Floor with_types_in bindings);
