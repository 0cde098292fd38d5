//! One exchange of the component, driven by whoever waits for it.
//!
//! wasmtime-wasi-http spawns two tasks for each request: one that sends it, one that sees to its answer's body. This crate's
//! transport needs neither, so here `outgoing-handler.handle` gives the component a future that is polled where the component
//! polls it, and that ends when the component drops it. All else of `wasi:http` is wasmtime-wasi-http's own.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Request, Response, Uri};
use http_body::Body as _;
use http_body_util::{BodyExt, Empty};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceType};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};
use wasmtime_wasi::runtime::{AbortOnDropJoinHandle, spawn};
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
    Pending(Underway),
    Ready(Outcome),
    Consumed,
}

type Outcome = Result<Response<WasiBody>, HttpError>;
type Underway = Pin<Box<dyn Future<Output = Outcome> + Send>>;
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
    let has_body = !request.body().is_end_stream();
    let exchange = match store.data_mut().hooks().exchange(request, options) {
        Ok(sending) => start(sending, has_body),
        Err(error) => Exchange::Ready(Err(error)),
    };
    Ok((Ok(store.data_mut().http().table.push(exchange)?),))
}

/// Sends the request. Where a connection has it, the connection's own task does the rest. Where one must be made first, or where
/// a body is yet to come, it goes on in a task: a component may wait for room in a body without a look at the answer, and a
/// connection may turn out to be closed, upon which the request goes to another.
fn start(sending: Sending<impl Future<Output = Outcome> + Send + 'static>, has_body: bool) -> Exchange {
    let mut future: Underway = Box::pin(sending.future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Exchange::Ready(answer),
        Poll::Pending if !has_body && sending.departed.load(Ordering::Acquire) => Exchange::Pending(future),
        Poll::Pending => Exchange::Pending(Box::pin(InTask::new(future))),
    }
}

/// A request that a task drives. When this is dropped, so is the request, at once: an aborted task alone could still be sending
/// while the call is told that nothing has left.
struct InTask {
    request: Arc<Mutex<Option<Underway>>>,
    task: AbortOnDropJoinHandle<Option<Outcome>>,
}

impl InTask {
    fn new(future: Underway) -> Self {
        let request = Arc::new(Mutex::new(Some(future)));
        let driven = Arc::clone(&request);
        let drive = move |context: &mut Context<'_>| match &mut *lock(&driven) {
            Some(future) => future.as_mut().poll(context).map(Some),
            None => Poll::Ready(None),
        };
        Self { task: spawn(poll_fn(drive)), request }
    }
}

impl Future for InTask {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        // Without a request there is nobody left who polls.
        Pin::new(&mut self.task).poll(context).map(|answer| answer.unwrap_or(Err(HttpError::ConnectionTerminated)))
    }
}

impl Drop for InTask {
    fn drop(&mut self) {
        lock(&self.request).take();
    }
}

fn lock(request: &Mutex<Option<Underway>>) -> MutexGuard<'_, Option<Underway>> {
    request.lock().unwrap_or_else(PoisonError::into_inner)
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
    use std::sync::atomic::AtomicBool;
    use std::sync::mpsc::channel;

    use tokio::sync::oneshot;
    use tokio::task::yield_now;

    use super::*;

    /// A request that tells when it goes on and when it ends.
    fn sending(departed: bool, has_body: bool) -> (Exchange, oneshot::Receiver<()>) {
        let (goes_on, told) = oneshot::channel();
        let future = async move {
            yield_now().await;
            goes_on.send(()).unwrap();
            pending().await
        };
        (start(Sending { future, departed: Arc::new(AtomicBool::new(departed)) }, has_body), told)
    }

    #[tokio::test]
    async fn a_request_without_a_connection_or_with_a_body_goes_on_while_nobody_waits_for_its_answer() {
        for (departed, has_body) in [(false, false), (false, true), (true, true)] {
            let (_exchange, told) = sending(departed, has_body);
            assert!(told.await.is_ok(), "departed: {departed}, with a body: {has_body}");
        }
    }

    /// Dropping waits for the poll that is under way, since both need the lock.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_a_request_does_in_its_last_poll_is_done_when_it_has_been_dropped() {
        let (polls, polling) = channel();
        let (go_on, may_go_on) = channel();
        let departed = Arc::new(AtomicBool::new(false));
        let departs = Arc::clone(&departed);
        let request = InTask::new(Box::pin(async move {
            polls.send(()).unwrap();
            may_go_on.recv().unwrap();
            departs.store(true, Ordering::Release);
            pending().await
        }));
        polling.recv().unwrap();
        assert!(request.request.try_lock().is_err(), "a poll holds the lock");
        go_on.send(()).unwrap();
        drop(request);
        assert!(departed.load(Ordering::Acquire));
    }

    #[tokio::test]
    async fn a_request_that_the_component_drops_ends() {
        for departed in [false, true] {
            let (exchange, told) = sending(departed, false);
            drop(exchange);
            assert!(told.await.is_err(), "departed: {departed}");
        }
    }
}
