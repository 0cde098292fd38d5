//! What this crate puts in the place of functions of wasmtime-wasi-http and wasmtime-wasi-io, each to save work that every call
//! would pay for. All else of `wasi:http` and `wasi:io` is theirs.
//!
//! - A request is driven by whoever waits for it, without tasks of its own: see [`underway`](super::underway).
//! - An authority and a path are parsed once: see [`request`](super::request).
//! - A stream that is dropped is gone at once. wasmtime-wasi-io asks it to cancel what it does, and waits for that, on the stack of the
//!   component and with three allocations. The streams that there are here, bodies of HTTP and closed standard streams, have nothing to
//!   wait for.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceType};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, subscribe};
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, HostFutureIncomingResponse as _};
use wasmtime_wasi_http::p2::body::HostIncomingBody;
use wasmtime_wasi_http::p2::types::{HostFutureIncomingResponse, HostIncomingResponse, HostOutgoingRequest};
use wasmtime_wasi_http::{FieldMap, RequestOptions, WasiHttpView as _};

use crate::engine::state::HostState;
use crate::engine::underway::{Exchange, Taken};

/// The interfaces as wasmtime-wasi-http and wasmtime-wasi-io 48 name them. Tests notice when they name them otherwise.
const TYPES: &str = "wasi:http/types@0.2.12";
const HANDLER: &str = "wasi:http/outgoing-handler@0.2.12";
const STREAMS: &str = "wasi:io/streams@0.2.12";

/// Replaces them in `linker`, which has the interfaces.
pub(crate) fn replace_in(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut types = linker.instance(TYPES)?;
    types.resource("future-incoming-response", ResourceType::host::<Exchange>(), delete::<Exchange>)?;
    types.func_wrap("[method]future-incoming-response.subscribe", subscribe_to)?;
    types.func_wrap("[method]future-incoming-response.get", get)?;
    types.func_wrap("[method]outgoing-request.set-authority", set_authority)?;
    types.func_wrap("[method]outgoing-request.set-path-with-query", set_path_with_query)?;
    linker.instance(HANDLER)?.func_wrap("handle", handle)?;
    let mut streams = linker.instance(STREAMS)?;
    streams.resource("input-stream", ResourceType::host::<DynInputStream>(), delete::<DynInputStream>)?;
    streams.resource("output-stream", ResourceType::host::<DynOutputStream>(), delete::<DynOutputStream>)?;
    linker.allow_shadowing(false);
    Ok(())
}

type GuestResponse = Result<Resource<HostIncomingResponse>, ErrorCode>;

fn handle(
    mut store: StoreContextMut<'_, HostState>,
    (request, options): (Resource<HostOutgoingRequest>, Option<Resource<RequestOptions>>),
) -> wasmtime::Result<(Result<Resource<Exchange>, ErrorCode>,)> {
    let table = store.data_mut().http().table;
    let options = options.map(|options| table.delete(options)).transpose()?;
    let request = table.delete(request)?;
    let request = match store.data_mut().parsed().request(request) {
        Ok(request) => request,
        Err(code) => return Ok((Err(code),)),
    };
    let hooks = store.data_mut().hooks();
    let exchange = match hooks.exchange(request, options) {
        Ok(future) => hooks.exchanges().unanswered().start(future),
        Err(error) => Exchange::refused(error),
    };
    Ok((Ok(store.data_mut().http().table.push(exchange)?),))
}

fn subscribe_to(
    mut store: StoreContextMut<'_, HostState>,
    (exchange,): (Resource<Exchange>,),
) -> wasmtime::Result<(Resource<DynPollable>,)> {
    Ok((subscribe(store.data_mut().http().table, exchange)?,))
}

fn get(
    mut store: StoreContextMut<'_, HostState>,
    (exchange,): (Resource<Exchange>,),
) -> wasmtime::Result<(Option<Result<GuestResponse, ()>>,)> {
    let mut http = store.data_mut().http();
    let response = match http.table.get(&exchange)?.take() {
        Taken::Pending => return Ok((None,)),
        Taken::Nothing => return Ok((Some(Err(())),)),
        Taken::Head(Ok(response)) => response,
        Taken::Head(Err(error)) => {
            // Only wasmtime-wasi-http's own future can say which code its error is.
            let failed = http.table.push(HostFutureIncomingResponse::Ready(Err(error)))?;
            let code = http.get(Resource::new_borrow(failed.rep()));
            http.table.delete(failed)?;
            return Ok((code?,));
        }
    };
    let (head, body) = response.into_parts();
    let response = HostIncomingResponse {
        status: head.status.as_u16(),
        headers: FieldMap::new_immutable(http.hooks, head.headers),
        body: Some(HostIncomingBody::new(body)),
    };
    Ok((Some(Ok(Ok(http.table.push(response)?))),))
}

/// `outgoing-request.set-authority`.
fn set_authority(
    mut store: StoreContextMut<'_, HostState>,
    (request, authority): (Resource<HostOutgoingRequest>, Option<String>),
) -> wasmtime::Result<(Result<(), ()>,)> {
    let state = store.data_mut();
    if authority.as_ref().is_some_and(|text| state.parsed().authority(text).is_err()) {
        return Ok((Err(()),));
    }
    state.http().table.get_mut(&request)?.authority = authority;
    Ok((Ok(()),))
}

/// `outgoing-request.set-path-with-query`.
fn set_path_with_query(
    mut store: StoreContextMut<'_, HostState>,
    (request, path): (Resource<HostOutgoingRequest>, Option<String>),
) -> wasmtime::Result<(Result<(), ()>,)> {
    let state = store.data_mut();
    let is_path = |path: &str| path.is_empty() || path.starts_with(['/', '?']);
    if path.as_ref().is_some_and(|text| !is_path(text) || state.parsed().path_with_query(text).is_err()) {
        return Ok((Err(()),));
    }
    state.http().table.get_mut(&request)?.path_with_query = path;
    Ok((Ok(()),))
}

/// What the linker does with a resource that the component drops and that has nothing to wait for.
fn delete<T: Send + 'static>(mut store: StoreContextMut<'_, HostState>, rep: u32) -> wasmtime::Result<()> {
    store.data_mut().http().table.delete(Resource::<T>::new_own(rep))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use wasmtime::Engine;

    use super::*;
    use crate::engine::linker::add_to_linker;

    #[test]
    fn what_is_replaced_is_there() {
        let mut linker = Linker::<HostState>::new(&Engine::default());
        add_to_linker(&mut linker).unwrap();
        for (interface, function) in [
            (TYPES, "[method]future-incoming-response.subscribe"),
            (TYPES, "[method]future-incoming-response.get"),
            (TYPES, "[method]outgoing-request.set-authority"),
            (TYPES, "[method]outgoing-request.set-path-with-query"),
            (HANDLER, "handle"),
        ] {
            let twice = linker.instance(interface).unwrap().func_wrap(function, |_, (): ()| Ok(()));
            assert!(twice.is_err(), "{function} of {interface} has another name");
        }
        let response = ResourceType::host::<HostFutureIncomingResponse>();
        let twice = linker.instance(TYPES).unwrap().resource("future-incoming-response", response, |_, _| Ok(()));
        assert!(twice.is_err(), "future-incoming-response has another name");
        for (name, stream) in [
            ("input-stream", ResourceType::host::<DynInputStream>()),
            ("output-stream", ResourceType::host::<DynOutputStream>()),
        ] {
            let twice = linker.instance(STREAMS).unwrap().resource(name, stream, |_, _| Ok(()));
            assert!(twice.is_err(), "{name} has another name");
        }
    }
}
