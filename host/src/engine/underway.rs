//! A request of the component that is under way, driven by whoever waits for it.
//!
//! wasmtime-wasi-http spawns two tasks for each request: one that sends it, one that sees to its answer's body. Here
//! `outgoing-handler.handle` gives the component a future that ends when the component drops it, and that is polled where the
//! component waits for it. Where the component waits for something else, the call polls it: a component may wait for room in a
//! body, or for nothing yet, while a connection has to be made, or has turned out to be closed and the request goes to another.

use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use http::Response;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::Pollable;
use wasmtime_wasi_http::{Error as HttpError, WasiBody};

/// The resource `future-incoming-response`. With it goes the request: once it has been dropped, nothing of it is sent any more.
pub(super) struct Exchange(Arc<Mutex<Progress>>);

/// How far a request is.
enum Progress {
    Pending {
        future: Underway,
        /// Whether the component has polled it since the call last looked, and so hears of it.
        is_awaited: bool,
    },
    Ready(Head),
    Consumed,
}

/// The head of an answer, or why there is none.
pub(super) type Head = Result<Response<WasiBody>, HttpError>;
/// A request on its way: it is sent when this is polled, which ends with the head of the answer.
pub(crate) type Underway = Pin<Box<dyn Future<Output = Head> + Send>>;

impl Exchange {
    /// A request that was not begun.
    pub(super) fn refused(error: HttpError) -> Self {
        Self(Arc::new(Mutex::new(Progress::Ready(Err(error)))))
    }

    /// What has come of it. Whoever asks without waiting finds what has come in the meantime.
    pub(super) fn take(&self) -> Taken {
        let mut progress = lock(&self.0);
        if progress.poll(&mut Context::from_waker(Waker::noop()), false) {
            return Taken::Pending;
        }
        match mem::replace(&mut *progress, Progress::Consumed) {
            Progress::Ready(head) => Taken::Head(head),
            Progress::Pending { .. } | Progress::Consumed => Taken::Nothing,
        }
    }
}

/// What a component gets that asks for the answer to a request.
pub(super) enum Taken {
    /// There is none yet.
    Pending,
    /// This one.
    Head(Head),
    /// It has had it before.
    Nothing,
}

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
    pub(super) fn start(&self, future: Underway) -> Exchange {
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

/// Sees to it that the requests of a component get on while it waits.
pub(crate) async fn attended<T>(
    mut answer: Pin<Box<dyn Future<Output = T> + Send + '_>>,
    unanswered: &Unanswered,
) -> T {
    poll_fn(|context| {
        let answer = answer.as_mut().poll(context);
        if answer.is_pending() {
            unanswered.attend(context);
        }
        answer
    })
    .await
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
    fn polled_by() -> (LastWaker, Arc<Mutex<bool>>, impl Future<Output = Head> + Send) {
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
