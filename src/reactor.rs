//! Runs futures on `wasi:io/poll`, so that several exchanges of one call can be under way at once.
//!
//! A future that has to wait leaves its pollables here and is pending. When the whole call is pending, one `poll` waits for
//! all of them; then every future looks whether one of its own is ready. There are no wakers: a call has a handful of futures, and
//! asking each is cheaper than telling them apart.
//!
//! What is left is the number of a pollable. The pollable stays with the future, borrowed by its wait, which takes the number back when it
//! is dropped.

use std::cell::Cell;
use std::future::Future;
use std::ops::Range;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use waki::bindings::wasi::io::poll::Pollable;

use crate::abi::imports::poll;

/// What the futures of one call wait for.
#[derive(Default)]
pub struct Reactor {
    waiting: Cell<Vec<Waiting>>,
    next_ticket: Cell<u64>,
}

/// A pollable that a future waits for.
struct Waiting {
    handle: u32,
    /// By which its [`Wait`] finds it again.
    ticket: u64,
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
            self.change(&mut |waiting| wait_for_any(waiting));
        }
    }

    /// Waits until one of the pollables is ready, and says which: the first of those that are.
    pub fn wait<'a>(&'a self, pollables: &[&'a Pollable]) -> Wait<'a> {
        let mut ticket = self.next_ticket.get();
        let first = ticket;
        self.change(&mut |waiting| {
            for pollable in pollables {
                waiting.push(Waiting { handle: pollable.handle(), ticket, is_ready: false });
                ticket = ticket.wrapping_add(1);
            }
        });
        self.next_ticket.set(ticket);
        Wait { reactor: self, tickets: first..ticket }
    }

    fn change(&self, change: &mut dyn FnMut(&mut Vec<Waiting>)) {
        let mut waiting = self.waiting.take();
        change(&mut waiting);
        self.waiting.set(waiting);
    }
}

/// Waits for the host.
fn wait_for_any(waiting: &mut [Waiting]) {
    // `poll` traps on an empty list; and who is ready already has yet to be asked.
    if waiting.is_empty() || waiting.iter().any(|waiting| waiting.is_ready) {
        return;
    }
    let handles: Vec<u32> = waiting.iter().map(|waiting| waiting.handle).collect();
    for index in poll(&handles) {
        if let Some(waiting) = usize::try_from(index).ok().and_then(|index| waiting.get_mut(index)) {
            waiting.is_ready = true;
        }
    }
}

/// See [`Reactor::wait`].
pub struct Wait<'a> {
    reactor: &'a Reactor,
    tickets: Range<u64>,
}

impl Future for Wait<'_> {
    type Output = usize;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<usize> {
        let mut ready = Poll::Pending;
        self.reactor.change(&mut |waiting| {
            let first = waiting.iter().find(|waiting| waiting.is_ready && self.tickets.contains(&waiting.ticket));
            let place = first.and_then(|first| first.ticket.checked_sub(self.tickets.start));
            ready = place.and_then(|place| usize::try_from(place).ok()).map_or(Poll::Pending, Poll::Ready);
        });
        ready
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.reactor.change(&mut |waiting| waiting.retain(|waiting| !self.tickets.contains(&waiting.ticket)));
    }
}
