//! One exchange of the component, driven by whoever waits for it.
//!
//! wasmtime-wasi-http spawns two tasks for each request: one that sends it, one that sees to its answer's body. Here
//! `outgoing-handler.handle` gives the component a future that ends when the component drops it, and that is polled where the
//! component waits for it. Where the component waits for something else, the call polls it: a component may wait for room in a
//! body, or for nothing yet, while a connection has to be made, or has turned out to be closed and the request goes to another.
//! All else of `wasi:http` is wasmtime-wasi-http's own.

use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use http::Response;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceType};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, HostFutureIncomingResponse as _};
use wasmtime_wasi_http::p2::body::HostIncomingBody;
use wasmtime_wasi_http::p2::types::{HostFutureIncomingResponse, HostIncomingResponse, HostOutgoingRequest};
use wasmtime_wasi_http::{Error as HttpError, FieldMap, RequestOptions, WasiBody, WasiHttpView as _};

use crate::request;
use crate::state::{HostState, delete};

/// The interfaces as wasmtime-wasi-http 48 names them. A test notices when it names them otherwise.
const TYPES: &str = "wasi:http/types@0.2.12";
const HANDLER: &str = "wasi:http/outgoing-handler@0.2.12";

/// Puts this crate's exchange in the place of wasmtime-wasi-http's, whose interfaces `linker` has.
pub(crate) fn replace_in(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut types = linker.instance(TYPES)?;
    types.resource("future-incoming-response", ResourceType::host::<Exchange>(), delete::<Exchange>)?;
    types.func_wrap("[method]future-incoming-response.subscribe", subscribe_to)?;
    types.func_wrap("[method]future-incoming-response.get", get)?;
    types.func_wrap("[method]outgoing-request.set-authority", request::set_authority)?;
    types.func_wrap("[method]outgoing-request.set-path-with-query", request::set_path_with_query)?;
    linker.instance(HANDLER)?.func_wrap("handle", handle)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// The resource `future-incoming-response`. With it goes the request: once it has been dropped, nothing of it is sent any more.
struct Exchange(Arc<Mutex<Progress>>);

/// How far a request is.
enum Progress {
    Pending {
        future: Underway,
        /// Whether the component has polled it since the call last looked, and so hears of it.
        is_awaited: bool,
    },
    Ready(Outcome),
    Consumed,
}

type Outcome = Result<Response<WasiBody>, HttpError>;
/// A request on its way: it is sent when this is polled, which ends with the head of the answer.
pub(crate) type Underway = Pin<Box<dyn Future<Output = Outcome> + Send>>;
type Answer = Result<Resource<HostIncomingResponse>, ErrorCode>;

impl Progress {
    /// Whether there is still no answer after a poll.
    fn poll(&mut self, context: &mut Context<'_>, awaits: bool) -> bool {
        let Self::Pending { future, is_awaited } = self else { return false };
        *is_awaited = awaits;
        let Poll::Ready(answer) = future.as_mut().poll(context) else { return true };
        *self = Self::Ready(answer);
        false
    }
}

#[async_trait]
impl Pollable for Exchange {
    async fn ready(&mut self) {
        poll_fn(|context| if lock(&self.0).poll(context, true) { Poll::Pending } else { Poll::Ready(()) }).await;
    }
}

impl Drop for Exchange {
    /// Waits for a poll that is under way.
    fn drop(&mut self) {
        *lock(&self.0) = Progress::Consumed;
    }
}

/// The requests of a call that have no answer yet.
#[derive(Default)]
pub(crate) struct Unanswered(Mutex<Vec<Arc<Mutex<Progress>>>>);

impl Unanswered {
    /// Polls those that the component does not wait for. To be done whenever the component waits.
    pub(crate) fn attend(&self, context: &mut Context<'_>) {
        lock(&self.0).retain(|progress| {
            let mut progress = lock(progress);
            let Progress::Pending { is_awaited, .. } = &mut *progress else { return false };
            if mem::take(is_awaited) {
                return true;
            }
            let is_pending = progress.poll(context, false);
            if !is_pending {
                context.waker().wake_by_ref(); // the component may wait for what came of it
            }
            is_pending
        });
    }

    /// Sends a request, as far as that can be done at once.
    fn start(&self, future: Underway) -> Exchange {
        let mut progress = Progress::Pending { future, is_awaited: false };
        let is_pending = progress.poll(&mut Context::from_waker(Waker::noop()), false);
        let progress = Arc::new(Mutex::new(progress));
        if is_pending {
            lock(&self.0).push(Arc::clone(&progress));
        }
        Exchange(progress)
    }
}

impl fmt::Debug for Unanswered {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Unanswered").field("requests", &lock(&self.0).len()).finish()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

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
        Err(error) => Exchange(Arc::new(Mutex::new(Progress::Ready(Err(error))))),
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
) -> wasmtime::Result<(Option<Result<Answer, ()>>,)> {
    let mut http = store.data_mut().http();
    let progress = Arc::clone(&http.table.get(&exchange)?.0);
    let mut progress = lock(&progress);
    // Whoever asks without waiting must find what has come in the meantime.
    if progress.poll(&mut Context::from_waker(Waker::noop()), false) {
        return Ok((None,));
    }
    let response = match mem::replace(&mut *progress, Progress::Consumed) {
        Progress::Ready(Ok(response)) => response,
        Progress::Ready(Err(error)) => {
            // Only wasmtime-wasi-http's own future can say which code its error is.
            let failed = http.table.push(HostFutureIncomingResponse::Ready(Err(error)))?;
            let code = http.get(Resource::new_borrow(failed.rep()));
            http.table.delete(failed)?;
            return Ok((code?,));
        }
        Progress::Pending { .. } | Progress::Consumed => return Ok((Some(Err(())),)),
    };
    let (head, body) = response.into_parts();
    let response = HostIncomingResponse {
        status: head.status.as_u16(),
        headers: FieldMap::new_immutable(http.hooks, head.headers),
        body: Some(HostIncomingBody::new(body)),
    };
    Ok((Some(Ok(Ok(http.table.push(response)?))),))
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::pin::pin;
    use std::sync::mpsc::channel;
    use std::task::Wake;
    use std::thread;

    use tokio::sync::oneshot;
    use tokio::task::yield_now;

    use super::*;
    use crate::call::attended;

    /// A request that tells when it goes on and when it ends.
    fn request_of(unanswered: &Unanswered) -> (Exchange, oneshot::Receiver<()>) {
        let (goes_on, told) = oneshot::channel();
        let exchange = unanswered.start(Box::pin(async move {
            yield_now().await;
            goes_on.send(()).unwrap();
            pending().await
        }));
        (exchange, told)
    }

    #[test]
    fn a_request_goes_on_while_the_component_waits_for_something_else() {
        let unanswered = Unanswered::default();
        let (_exchange, told) = request_of(&unanswered);
        let mut call = pin!(attended(Box::pin(told), &unanswered));
        let mut polls = (0..3).map(|_| call.as_mut().poll(&mut Context::from_waker(Waker::noop())));
        assert!(polls.any(|poll| poll == Poll::Ready(Ok(()))));
    }

    /// A waker that counts.
    #[derive(Default)]
    struct Wakes(Mutex<u32>);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            *lock(&self.0) += 1;
        }
    }

    type LastWaker = Arc<Mutex<Option<Waker>>>;

    /// A request that shows who polled it last, and ends when it is told to.
    fn polled_by() -> (LastWaker, Arc<Mutex<bool>>, impl Future<Output = Outcome> + Send) {
        let (waker, ends) = (LastWaker::default(), Arc::<Mutex<bool>>::default());
        let (its_waker, its_end) = (Arc::clone(&waker), Arc::clone(&ends));
        let future = poll_fn(move |context| {
            *lock(&its_waker) = Some(context.waker().clone());
            if *lock(&its_end) { Poll::Ready(Err(HttpError::ConnectionTerminated)) } else { Poll::Pending }
        });
        (waker, ends, future)
    }

    #[test]
    fn whoever_waits_is_the_one_who_is_woken_and_the_call_wherever_nobody_does() {
        let (component, call) = (Arc::<Wakes>::default(), Arc::<Wakes>::default());
        let wakers = [Waker::from(Arc::clone(&component)), Waker::from(Arc::clone(&call))];
        let [by_component, by_call] = wakers.each_ref();
        let is_polled_by = |waker: &LastWaker, by: &Waker| lock(waker).as_ref().unwrap().will_wake(by);

        let unanswered = Unanswered::default();
        let (waker, ends, future) = polled_by();
        let mut exchange = unanswered.start(Box::pin(future));
        let attend = || unanswered.attend(&mut Context::from_waker(by_call));

        attend();
        assert!(is_polled_by(&waker, by_call), "nobody has asked yet");
        let mut wait = exchange.ready();
        assert!(wait.as_mut().poll(&mut Context::from_waker(by_component)).is_pending());
        attend();
        assert!(is_polled_by(&waker, by_component), "the component waits for it");
        drop(wait);
        attend();
        assert!(is_polled_by(&waker, by_call), "the component waits for something else");
        // A component that has waited in vain, looks once more and goes on to something else.
        assert!(exchange.ready().as_mut().poll(&mut Context::from_waker(by_component)).is_pending());
        assert!(lock(&exchange.0).poll(&mut Context::from_waker(Waker::noop()), false));
        attend();
        assert!(is_polled_by(&waker, by_call), "the component has only looked");

        *lock(&ends) = true;
        attend();
        assert_eq!(*lock(&call.0), 1, "the component hears that it has ended");
        assert!(exchange.ready().as_mut().poll(&mut Context::from_waker(by_component)).is_ready());
        assert!(lock(&unanswered.0).is_empty());
    }

    #[test]
    fn what_a_request_does_in_its_last_poll_is_done_when_it_has_been_dropped() {
        let (polls, polling) = channel();
        let (go_on, may_go_on) = channel::<()>();
        let departed = Arc::new(Mutex::new(false));
        let departs = Arc::clone(&departed);
        let unanswered = Arc::new(Unanswered::default());
        let mut is_first = true;
        let exchange = unanswered.start(Box::pin(poll_fn(move |_| {
            if !mem::take(&mut is_first) {
                polls.send(()).unwrap();
                may_go_on.recv().unwrap();
                *lock(&departs) = true;
            }
            Poll::Pending
        })));
        let attending = Arc::clone(&unanswered);
        let call = thread::spawn(move || attending.attend(&mut Context::from_waker(Waker::noop())));
        polling.recv().unwrap();
        assert!(exchange.0.try_lock().is_err(), "a poll holds the lock");
        go_on.send(()).unwrap();
        drop(exchange);
        assert!(*lock(&departed));
        call.join().unwrap();
    }

    #[tokio::test]
    async fn a_request_that_the_component_drops_ends() {
        let unanswered = Unanswered::default();
        let (exchange, told) = request_of(&unanswered);
        drop(exchange);
        assert!(attended(Box::pin(told), &unanswered).await.is_err());
    }
}
