//! What this crate puts in the place of functions of wasmtime-wasi-http: `outgoing-handler.handle`, and `get` and `subscribe` of what
//! it returns. All else of `wasi:http` and `wasi:io` is theirs.
//!
//! - A request is driven by whoever waits for it, without tasks of its own: see [`underway`](super::underway). Once its call has ended,
//!   nothing of it can leave any more, or what the error says of the outcome could turn out wrong. A task that is aborted ends some
//!   time later.
//! - The options of a request are taken out of the table, where wasmtime-wasi-http 48 leaves them. So a call ends with an empty table,
//!   and the next one can have its instance.
//!
//! A `get` takes 361,000 instructions with them and 940,000 without (callgrind, dev profile, over a kept connection to the simulator).
//! Nearly all of it is the instance: where each call has a new one, it is 925,000 and 940,000.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceType};
use wasmtime_wasi::p2::{DynPollable, subscribe};
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, HostFutureIncomingResponse as _};
use wasmtime_wasi_http::p2::body::HostIncomingBody;
use wasmtime_wasi_http::p2::types::{HostFutureIncomingResponse, HostIncomingResponse, HostOutgoingRequest};
use wasmtime_wasi_http::{FieldMap, RequestOptions, WasiHttpView as _};

use crate::engine::request::outgoing;
use crate::engine::state::HostState;
use crate::engine::underway::{Exchange, Taken};

/// The interfaces as wasmtime-wasi-http 48 names them. A test notices when it names them otherwise.
const TYPES: &str = "wasi:http/types@0.2.12";
const HANDLER: &str = "wasi:http/outgoing-handler@0.2.12";

/// Replaces them in `linker`, which has the interfaces.
pub(crate) fn replace_in(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut types = linker.instance(TYPES)?;
    types.resource("future-incoming-response", ResourceType::host::<Exchange>(), delete)?;
    types.func_wrap("[method]future-incoming-response.subscribe", subscribe_to)?;
    types.func_wrap("[method]future-incoming-response.get", get)?;
    linker.instance(HANDLER)?.func_wrap("handle", handle)?;
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
    let request = match outgoing(request) {
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

/// Ends a request that the component drops.
fn delete(mut store: StoreContextMut<'_, HostState>, rep: u32) -> wasmtime::Result<()> {
    store.data_mut().http().table.delete(Resource::<Exchange>::new_own(rep))?;
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
            (HANDLER, "handle"),
        ] {
            let twice = linker.instance(interface).unwrap().func_wrap(function, |_, (): ()| Ok(()));
            assert!(twice.is_err(), "{function} of {interface} has another name");
        }
        let response = ResourceType::host::<HostFutureIncomingResponse>();
        let twice = linker.instance(TYPES).unwrap().resource("future-incoming-response", response, |_, _| Ok(()));
        assert!(twice.is_err(), "future-incoming-response has another name");
    }
}
