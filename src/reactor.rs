//! Runs futures on `wasi:io/poll`, so that several exchanges of one call can be under way at once.
//!
//! A future that has to wait leaves its pollables here and is pending. When the whole call is pending, one `poll` waits for
//! all of them; then every future looks at its own flags. There are no wakers: a call has a handful of futures, and
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
}

/// A pollable, and the flag that says that it has become ready.
type Waiting = (Rc<Pollable>, Rc<Cell<bool>>);

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
        let flags = pollables.map(|pollable| {
            let flag = Rc::new(Cell::new(false));
            self.waiting.borrow_mut().push((Rc::clone(pollable), Rc::clone(&flag)));
            flag
        });
        Wait { reactor: self, flags }
    }

    fn wait_for_any(&self) {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.is_empty() {
            return; // `poll` traps on an empty list
        }
        let ready = poll(&waiting.iter().map(|(pollable, _)| &**pollable).collect::<Vec<_>>());
        for index in ready {
            if let Some((_, flag)) = usize::try_from(index).ok().and_then(|index| waiting.get(index)) {
                flag.set(true);
            }
        }
        waiting.retain(|(_, flag)| !flag.get());
    }
}

/// See [`Reactor::wait`].
pub struct Wait<'a, const N: usize> {
    reactor: &'a Reactor,
    flags: [Rc<Cell<bool>>; N],
}

impl<const N: usize> Future for Wait<'_, N> {
    type Output = usize;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<usize> {
        self.flags.iter().position(|flag| flag.get()).map_or(Poll::Pending, Poll::Ready)
    }
}

impl<const N: usize> Drop for Wait<'_, N> {
    fn drop(&mut self) {
        let ours = |flag: &Rc<Cell<bool>>| self.flags.iter().any(|own| Rc::ptr_eq(own, flag));
        self.reactor.waiting.borrow_mut().retain(|(_, flag)| !ours(flag));
    }
}
