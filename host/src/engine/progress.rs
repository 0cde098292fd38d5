//! How far calls have come: whether a server can have got one of their requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A record of what calls have sent so far. Clones share it.
///
/// A call that ends says in its error what is known of its effect. One whose future is dropped before that cannot: give it a
/// progress by [`CallOptions::progress`](crate::CallOptions::progress), and ask that afterwards. Where several calls have the same
/// one, it tells of all of them together.
#[derive(Debug, Clone, Default)]
pub struct CallProgress(Arc<Departures>);

/// How many requests a connection has had to write.
#[derive(Debug, Default)]
struct Departures {
    all: AtomicU32,
    changes: AtomicU32,
}

impl CallProgress {
    /// Returns the progress of calls that have not begun.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns whether a server can have got a request. Where it is false, nothing was sent.
    #[must_use]
    pub fn may_have_left(&self) -> bool {
        self.0.all.load(Ordering::Acquire) > 0
    }

    /// Returns whether a server can have got a request that changes something: any but `GET`. Where it is false, nothing was
    /// changed.
    #[must_use]
    pub fn change_may_have_left(&self) -> bool {
        self.0.changes.load(Ordering::Acquire) > 0
    }

    /// A connection has a request to write.
    pub(super) fn departed(&self, reads: bool) {
        self.0.all.fetch_add(1, Ordering::AcqRel);
        if !reads {
            self.0.changes.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// The request that departed last has come back: no connection would have it.
    pub(super) fn came_back(&self, reads: bool) {
        self.0.all.fetch_sub(1, Ordering::AcqRel);
        if !reads {
            self.0.changes.fetch_sub(1, Ordering::AcqRel);
        }
    }
}
