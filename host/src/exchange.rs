//! One exchange of the component, driven by whoever waits for it.
//!
//! wasmtime-wasi-http spawns two tasks for each request: one that sends it, one that sees to its answer's body. This crate's
//! transport needs neither, so here `outgoing-handler.handle` gives the component a future that is polled where the component
//! polls it, and that ends when the component drops it. All else of `wasi:http` is wasmtime-wasi-http's own.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Request, Response, Uri};
use http_body_util::{BodyExt, Empty};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceType};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};
use wasmtime_wasi::runtime::spawn;
use wasmtime_wasi_http::p2::bindings::http::types::{self, ErrorCode, HostFutureIncomingResponse as _};
use wasmtime_wasi_http::p2::body::HostIncomingBody;
use wasmtime_wasi_http::p2::types::{HostFutureIncomingResponse, HostIncomingResponse, HostOutgoingRequest};
use wasmtime_wasi_http::{Error as HttpError, FieldMap, RequestOptions, WasiBody, WasiHttpView as _};

use crate::hooks::Sending;
use crate::state::HostState;

/// The interfaces as wasmtime-wasi-http 48 names them. A test notices when it names them otherwise.
const TYPES: &str = "wasi:http/types@0.2.12";
const HANDLER: &str = "wasi:http/outgoing-handler@0.2.12";

/// Puts this crate's exchange in the place of wasmtime-wasi-http's, whose interfaces `linker` has.
pub(crate) fn replace_in(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut types = linker.instance(TYPES)?;
    types.resource("future-incoming-response", ResourceType::host::<Exchange>(), |mut store, rep| {
        store.data_mut().http().table.delete(Resource::<Exchange>::new_own(rep))?;
        Ok(())
    })?;
    types.func_wrap("[method]future-incoming-response.subscribe", subscribe_to)?;
    types.func_wrap("[method]future-incoming-response.get", get)?;
    linker.instance(HANDLER)?.func_wrap("handle", handle)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// A request under way, or its answer: the resource `future-incoming-response`.
enum Exchange {
    Pending(Pin<Box<dyn Future<Output = Outcome> + Send>>),
    Ready(Outcome),
    Consumed,
}

type Outcome = Result<Response<WasiBody>, HttpError>;
type Answer = Result<Resource<HostIncomingResponse>, ErrorCode>;

impl Exchange {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Self::Pending(future) = self {
            let Poll::Ready(answer) = future.as_mut().poll(context) else { return Poll::Pending };
            *self = Self::Ready(answer);
        }
        Poll::Ready(())
    }
}

#[async_trait]
impl Pollable for Exchange {
    async fn ready(&mut self) {
        poll_fn(|context| self.poll(context)).await;
    }
}

fn handle(
    mut store: StoreContextMut<'_, HostState>,
    (request, options): (Resource<HostOutgoingRequest>, Option<Resource<RequestOptions>>),
) -> wasmtime::Result<(Result<Resource<Exchange>, ErrorCode>,)> {
    let table = store.data_mut().http().table;
    let options = options.map(|options| table.delete(options)).transpose()?;
    let request = match self::request(table.delete(request)?) {
        Ok(request) => request,
        Err(code) => return Ok((Err(code),)),
    };
    let exchange = match store.data_mut().hooks().exchange(request, options) {
        Ok(sending) => start(sending),
        Err(error) => Exchange::Ready(Err(error)),
    };
    Ok((Ok(store.data_mut().http().table.push(exchange)?),))
}

/// Sends the request. Where a connection has it, the connection's own task does the rest. Where one must be made first, that gets
/// a task: a component may write a body and wait for room in it, without a look at the answer.
fn start(sending: Sending<impl Future<Output = Outcome> + Send + 'static>) -> Exchange {
    let mut future = Box::pin(sending.future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Exchange::Ready(answer),
        Poll::Pending if sending.departed.load(Ordering::Acquire) => Exchange::Pending(future),
        Poll::Pending => Exchange::Pending(Box::pin(spawn(future))),
    }
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
) -> wasmtime::Result<(Option<Result<Answer, ()>>,)> {
    let mut http = store.data_mut().http();
    let exchange = http.table.get_mut(&exchange)?;
    // Whoever asks without waiting must find what has come in the meantime.
    if exchange.poll(&mut Context::from_waker(Waker::noop())).is_pending() {
        return Ok((None,));
    }
    let response = match std::mem::replace(exchange, Exchange::Consumed) {
        Exchange::Ready(Ok(response)) => response,
        Exchange::Ready(Err(error)) => {
            // Only wasmtime-wasi-http's own future can say which code its error is.
            let failed = http.table.push(HostFutureIncomingResponse::Ready(Err(error)))?;
            let code = http.get(Resource::new_borrow(failed.rep()));
            http.table.delete(failed)?;
            return Ok((code?,));
        }
        Exchange::Pending(_) | Exchange::Consumed => return Ok((Some(Err(())),)),
    };
    let (head, body) = response.into_parts();
    let response = HostIncomingResponse {
        status: head.status.as_u16(),
        headers: FieldMap::new_immutable(http.hooks, head.headers),
        body: Some(HostIncomingBody::new(body)),
    };
    Ok((Some(Ok(Ok(http.table.push(response)?))),))
}

/// The request as the client takes it. What `set-path-with-query` and the like have let through is checked here once more, as
/// wasmtime-wasi-http does it.
fn request(request: HostOutgoingRequest) -> Result<Request<WasiBody>, ErrorCode> {
    let headers = HeaderMap::from(request.headers);
    if request.body.is_none() && content_length(&headers)?.is_some_and(|length| length != 0) {
        return Err(ErrorCode::HttpRequestBodySize(Some(0)));
    }
    let mut uri = http::uri::Parts::default();
    uri.scheme = Some(match request.scheme {
        None | Some(types::Scheme::Https) => Scheme::HTTPS,
        Some(types::Scheme::Http) => Scheme::HTTP,
        Some(types::Scheme::Other(other)) => Scheme::try_from(other.as_str())
            .ok()
            .filter(|scheme| [Scheme::HTTP, Scheme::HTTPS].contains(scheme))
            .ok_or(ErrorCode::HttpProtocolError)?,
    });
    let invalid = |_| ErrorCode::HttpRequestUriInvalid;
    uri.authority = Some(Authority::try_from(request.authority.unwrap_or_default()).map_err(invalid)?);
    uri.path_and_query = request.path_with_query.map(PathAndQuery::try_from).transpose().map_err(invalid)?;
    let body = request.body.unwrap_or_else(|| Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync());
    let mut outgoing = Request::new(body);
    *outgoing.method_mut() = request.method.try_into().map_err(|_| ErrorCode::HttpRequestMethodInvalid)?;
    *outgoing.uri_mut() = Uri::from_parts(uri).map_err(|_| ErrorCode::HttpProtocolError)?;
    *outgoing.headers_mut() = headers;
    Ok(outgoing)
}

fn content_length(headers: &HeaderMap) -> Result<Option<u64>, ErrorCode> {
    let mut values = headers.get_all(CONTENT_LENGTH).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let length = value.to_str().ok().filter(|_| values.next().is_none()).and_then(|digits| digits.parse().ok());
    length.map(Some).ok_or(ErrorCode::InternalError(None))
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use tokio::sync::oneshot;
    use tokio::task::yield_now;

    use super::*;

    /// A request that tells when it goes on and when it ends.
    fn sending(departed: bool) -> (Exchange, oneshot::Receiver<()>) {
        let (goes_on, told) = oneshot::channel();
        let future = async move {
            yield_now().await;
            goes_on.send(()).unwrap();
            pending().await
        };
        (start(Sending { future, departed: Arc::new(AtomicBool::new(departed)) }), told)
    }

    #[tokio::test]
    async fn a_request_without_a_connection_goes_on_while_nobody_waits_for_its_answer() {
        let (_exchange, told) = sending(false);
        assert!(told.await.is_ok());
    }

    #[tokio::test]
    async fn a_request_that_the_component_drops_ends() {
        for departed in [false, true] {
            let (exchange, told) = sending(departed);
            drop(exchange);
            assert!(told.await.is_err(), "departed: {departed}");
        }
    }
}
