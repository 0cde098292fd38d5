//! Runs futures on `wasi:io/poll`, so that several exchanges of one call can be under way at once.
//!
//! A future that has to wait leaves its pollables here and is pending. When the whole call is pending, one `poll` waits
//! for all of them; then every future, of which a call has a handful, looks whether one of its own is ready. There are
//! no wakers. Every future runs to its end.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use waki::bindings::wasi::io::poll::{self, Pollable};

/// What the futures of one call wait for.
#[derive(Default)]
pub struct Reactor {
    waiting: RefCell<Vec<Waiting>>,
}

/// A pollable that a future waits for.
struct Waiting {
    pollable: Rc<Pollable>,
    is_ready: bool,
}

impl Reactor {
    /// Runs a future to its end. It may only wait through [`Reactor::wait`].
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        let mut context = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return output;
            }
            self.wait_for_any();
        }
    }

    /// Waits until one of the pollables is ready, and tells which: the first of those that are. Afterwards it holds
    /// none of them, so that each can be dropped before the resource that it belongs to.
    pub async fn wait<const N: usize>(&self, pollables: [&Rc<Pollable>; N]) -> usize {
        let waiting = pollables.map(|pollable| Waiting { pollable: Rc::clone(pollable), is_ready: false });
        self.waiting.borrow_mut().extend(waiting);
        let first = poll_fn(|_| {
            let waiting = self.waiting.borrow();
            let is_ready = |own: &Rc<Pollable>| {
                waiting.iter().any(|waiting| waiting.is_ready && Rc::ptr_eq(&waiting.pollable, own))
            };
            pollables.iter().position(|own| is_ready(own)).map_or(Poll::Pending, Poll::Ready)
        });
        let first = first.await;
        let is_own = |waiting: &Waiting| pollables.iter().any(|own| Rc::ptr_eq(own, &waiting.pollable));
        self.waiting.borrow_mut().retain(|waiting| !is_own(waiting));
        first
    }

    /// Waits for the host.
    fn wait_for_any(&self) {
        let mut waiting = self.waiting.borrow_mut();
        // `poll` traps on an empty list; and who is ready already has yet to be asked.
        if waiting.is_empty() || waiting.iter().any(|waiting| waiting.is_ready) {
            return;
        }
        let pollables: Vec<&Pollable> = waiting.iter().map(|waiting| &*waiting.pollable).collect();
        for index in poll::poll(&pollables) {
            if let Some(waiting) = usize::try_from(index).ok().and_then(|index| waiting.get_mut(index)) {
                waiting.is_ready = true;
            }
        }
    }
}
