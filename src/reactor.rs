//! Runs futures on `wasi:io/poll`, so that several exchanges of one call can be under way at once.
//!
//! A future that has to wait leaves its pollables here and is pending. When the whole call is pending, one `poll` waits for
//! all of them; then every future looks whether one of its own is ready. There are no wakers: a call has a handful of futures, and
//! asking each is cheaper than telling them apart.
//!
//! A pollable is a child of its stream or response and must be dropped before it, else the host traps. So a wait that is
//! dropped takes its pollables back at once.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use waki::bindings::wasi::io::poll::{Pollable, poll};

/// The pollables that the futures of one call wait for.
#[derive(Default)]
pub struct Reactor {
    waiting: RefCell<Vec<Waiting>>,
    next_ticket: Cell<u32>,
}

struct Waiting {
    pollable: Rc<Pollable>,
    /// By which its [`Wait`] finds it again.
    ticket: u32,
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

    /// Waits until one of the pollables is ready, and says which: the first of those that are.
    pub fn wait<'a, const N: usize>(&'a self, pollables: [&Rc<Pollable>; N]) -> Wait<'a, N> {
        let tickets = pollables.map(|pollable| {
            let ticket = self.next_ticket.get();
            self.next_ticket.set(ticket.wrapping_add(1));
            self.waiting.borrow_mut().push(Waiting { pollable: Rc::clone(pollable), ticket, is_ready: false });
            ticket
        });
        Wait { reactor: self, tickets }
    }

    fn wait_for_any(&self) {
        let mut waiting = self.waiting.borrow_mut();
        // `poll` traps on an empty list; and who is ready already has yet to be asked.
        if waiting.is_empty() || waiting.iter().any(|waiting| waiting.is_ready) {
            return;
        }
        let ready = poll(&waiting.iter().map(|waiting| &*waiting.pollable).collect::<Vec<_>>());
        for index in ready {
            if let Some(waiting) = usize::try_from(index).ok().and_then(|index| waiting.get_mut(index)) {
                waiting.is_ready = true;
            }
        }
    }
}

/// See [`Reactor::wait`].
pub struct Wait<'a, const N: usize> {
    reactor: &'a Reactor,
    tickets: [u32; N],
}

impl<const N: usize> Future for Wait<'_, N> {
    type Output = usize;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<usize> {
        let waiting = self.reactor.waiting.borrow();
        let mut ready = waiting.iter().filter(|waiting| waiting.is_ready);
        let first = ready.find_map(|waiting| self.tickets.iter().position(|ticket| *ticket == waiting.ticket));
        first.map_or(Poll::Pending, Poll::Ready)
    }
}

impl<const N: usize> Drop for Wait<'_, N> {
    fn drop(&mut self) {
        self.reactor.waiting.borrow_mut().retain(|waiting| !self.tickets.contains(&waiting.ticket));
    }
}
