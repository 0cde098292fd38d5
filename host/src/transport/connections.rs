//! How many connections there are and how many requests are under way, to know beforehand that one of the connections is free.
//!
//! hyper's client says when it has chosen a connection for a request, if it is asked to, through a channel that costs a twentieth of a
//! call. So it is asked only where there may be no connection. A request that meets a free one has left as soon as it is
//! sent, and is taken to have left where the free one turns out to be closed, until the client says that no other would have it.
//!
//! Only the first destination is counted: a base URL has no other.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use http::Uri;
use http::uri::{Authority, Scheme};

/// The counts of a transport.
#[derive(Debug, Default)]
pub(super) struct Connections {
    destination: OnceLock<(Option<Scheme>, Option<Authority>)>,
    open: AtomicUsize,
    requests: AtomicUsize,
}

/// A connection that is open, or a request that may have one; until this is dropped.
#[derive(Debug)]
pub(super) struct Counted {
    connections: Arc<Connections>,
    among: fn(&Connections) -> &AtomicUsize,
}

impl Connections {
    /// Counts a connection that has been made.
    pub(super) fn opened(self: &Arc<Self>, destination: &Uri) -> Option<Counted> {
        self.counts(destination).then(|| self.count(|connections| &connections.open).0)
    }

    /// Counts a request, and says whether there is a connection that no other request can have.
    pub(super) fn request(self: &Arc<Self>, destination: &Uri) -> (Option<Counted>, bool) {
        if !self.counts(destination) {
            return (None, false);
        }
        let (counted, others) = self.count(|connections| &connections.requests);
        (Some(counted), self.open.load(Ordering::Acquire) > others)
    }

    fn counts(&self, destination: &Uri) -> bool {
        let first = || (destination.scheme().cloned(), destination.authority().cloned());
        let (scheme, authority) = self.destination.get_or_init(first);
        (scheme.as_ref(), authority.as_ref()) == (destination.scheme(), destination.authority())
    }

    /// One more, and how many there were before.
    fn count(self: &Arc<Self>, among: fn(&Self) -> &AtomicUsize) -> (Counted, usize) {
        let before = among(self).fetch_add(1, Ordering::AcqRel);
        (Counted { connections: Arc::clone(self), among }, before)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.among)(&self.connections).fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_free_while_there_are_more_of_them_than_requests() {
        let connections = Arc::<Connections>::default();
        let (first, other) = (Uri::from_static("http://a.example/x"), Uri::from_static("https://a.example/x"));
        let is_free = |request: &(Option<Counted>, bool)| request.1;

        let request = connections.request(&first);
        assert!(!is_free(&request), "there is none");
        let connection = connections.opened(&first);
        assert!(!is_free(&connections.request(&first)), "the first request may have it");
        drop(request);
        let request = connections.request(&first);
        assert!(is_free(&request));
        let second = connections.opened(&first);
        assert!(is_free(&connections.request(&first)));
        assert!(connections.opened(&other).is_none());
        assert!(!is_free(&connections.request(&other)), "another destination");
        drop((connection, second, request));
        assert!(!is_free(&connections.request(&first)), "they are closed");
    }
}
