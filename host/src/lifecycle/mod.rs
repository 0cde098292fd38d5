//! What people do with service tokens over their lives: the contract's interface `lifecycle`, on the tokens of one account or zone.
//!
//! Each call here is several requests, up to 6 of them at once; the timeout of the options covers all of them and
//! [`attempts`](crate::Details::attempts) counts them. Durations are sent in whole seconds, a fraction counts as one more.
//! [`issue`] has a file of its own.

pub(crate) mod issue;
pub(crate) mod types;

mod conversions;

use std::time::Duration;

use wasmtime::Store;

use crate::bindings::lifecycle::Guest;
use crate::bindings::types as contract;
use crate::call::Answer;
use crate::error::Error;
use crate::lifecycle::types::{EnsuredToken, ExpiryReport, OverlappingToken, RefreshReport};
use crate::operation::Operation;
use crate::redactor::Received;
use crate::state::HostState;
use crate::tokens::{Account, Scope, Tokens};
use crate::types::{CreateParams, ServiceToken};

impl<S: Clone + Into<Scope>> Tokens<S> {
    /// Which tokens expire within this time from now, or have expired, soonest first. As many requests as there are pages.
    ///
    /// # Errors
    ///
    /// [`Error`]; nothing has changed.
    pub async fn expiring(&self, within: Duration) -> Result<ExpiryReport, Error> {
        let (scope, within) = (self.contract_scope(), whole_seconds(within));
        let report = self.lifecycle(Operation::Expiring, |guest, store, options| {
            Box::pin(async move { guest.call_expiring(store, &scope, within, Some(options)).await })
        });
        report.await.map(Into::into)
    }

    /// Ends the old secret of a rotation now. Harmless where it has ended already.
    ///
    /// # Errors
    ///
    /// [`Error`]. With outcome `Unknown` the old secret may have ended; make the call again.
    pub async fn end_overlap(&self, id: &str) -> Result<ServiceToken, Error> {
        let (scope, id) = (self.contract_scope(), id.to_owned());
        let token = self.lifecycle(Operation::EndOverlap, |guest, store, options| {
            Box::pin(async move { guest.call_end_overlap(store, &scope, &id, Some(options)).await })
        });
        token.await.map(Into::into)
    }

    /// Lets the old secret of a rotation pass for this long from now, at least a second: longer or shorter than it would.
    ///
    /// # Errors
    ///
    /// [`Error`]: `Conflict` where the old secret has ended, since that does not come back. With outcome `Unknown` its end may have
    /// been moved; make the call again.
    pub async fn extend_overlap(&self, id: &str, overlap: Duration) -> Result<ServiceToken, Error> {
        let (scope, id, overlap) = (self.contract_scope(), id.to_owned(), whole_seconds(overlap));
        let token = self.lifecycle(Operation::ExtendOverlap, |guest, store, options| {
            Box::pin(async move { guest.call_extend_overlap(store, &scope, &id, overlap, Some(options)).await })
        });
        token.await.map(Into::into)
    }

    /// The tokens with exactly this name, from all pages. Names are not unique.
    ///
    /// # Errors
    ///
    /// [`Error`]; nothing has changed.
    pub async fn find(&self, name: &str) -> Result<Vec<ServiceToken>, Error> {
        let (scope, name) = (self.contract_scope(), name.to_owned());
        let tokens = self.lifecycle(Operation::Find, |guest, store, options| {
            Box::pin(async move { guest.call_find(store, &scope, &name, Some(options)).await })
        });
        Ok(tokens.await?.into_iter().map(Into::into).collect())
    }

    /// The one token with the name of `params`: made if there is none, brought in line where a duration or a switch is given and
    /// differs. The secret version and the previous secret's end count only for a token that is made.
    ///
    /// Two callers at the same time may make two; the next call then reports the conflict.
    ///
    /// # Errors
    ///
    /// [`Error`]: `Conflict` where several tokens have the name; its message lists their ids. With outcome `Unknown` a token may
    /// have been made, see [`resolve_create`](Self::resolve_create); where there was one, it may have been changed.
    pub async fn ensure(&self, params: CreateParams) -> Result<EnsuredToken, Error> {
        let (scope, params) = (self.contract_scope(), params.into());
        let ensured = self.lifecycle(Operation::Ensure, |guest, store, options| {
            Box::pin(async move { guest.call_ensure(store, &scope, &params, Some(options)).await })
        });
        ensured.await.map(Into::into)
    }

    /// After a [`create`](Self::create) with outcome `Unknown`: the tokens with exactly this name that were made at `since`
    /// (RFC 3339) or later, or do not say when. Take `since` from before the create, earlier by what the clocks may differ.
    ///
    /// Nobody has the secret of any of them, unless another caller uses the name: rotate one to get a secret, delete the others.
    /// None: create again.
    ///
    /// # Errors
    ///
    /// [`Error`]; nothing has changed.
    pub async fn resolve_create(&self, name: &str, since: &str) -> Result<Vec<ServiceToken>, Error> {
        let (scope, name, since) = (self.contract_scope(), name.to_owned(), since.to_owned());
        let tokens = self.lifecycle(Operation::ResolveCreate, |guest, store, options| {
            Box::pin(async move { guest.call_resolve_create(store, &scope, &name, &since, Some(options)).await })
        });
        Ok(tokens.await?.into_iter().map(Into::into).collect())
    }

    /// Switches a token off: both its secrets stop passing at once, **and the overlap of a rotation ends for good**.
    ///
    /// # Errors
    ///
    /// [`Error`]. With outcome `Unknown` the token may be off; make the call again.
    pub async fn disable(&self, id: &str) -> Result<ServiceToken, Error> {
        let (scope, id) = (self.contract_scope(), id.to_owned());
        let token = self.lifecycle(Operation::Disable, |guest, store, options| {
            Box::pin(async move { guest.call_disable(store, &scope, &id, Some(options)).await })
        });
        token.await.map(Into::into)
    }

    /// Switches a token on again: its current secret passes until it expires. An overlap that
    /// [`disable`](Self::disable) ended stays ended.
    ///
    /// # Errors
    ///
    /// [`Error`]. With outcome `Unknown` the token may be on; make the call again.
    pub async fn enable(&self, id: &str) -> Result<ServiceToken, Error> {
        let (scope, id) = (self.contract_scope(), id.to_owned());
        let token = self.lifecycle(Operation::Enable, |guest, store, options| {
            Box::pin(async move { guest.call_enable(store, &scope, &id, Some(options)).await })
        });
        token.await.map(Into::into)
    }

    async fn lifecycle<T, F>(&self, operation: Operation, export: F) -> Result<T, Error>
    where
        T: Received,
        F: for<'a> FnOnce(&'a Guest, &'a mut Store<HostState>, &'a contract::RequestOptions) -> Answer<'a, T>,
    {
        self.call_interface(operation, export).await
    }
}

impl Tokens<Account> {
    /// Refreshes every enabled token that [`expiring`](Tokens::expiring) would report, in place: same id, same secret, a year from
    /// now. At most 364 days can be asked for, else every run would refresh every token.
    ///
    /// One result per token, whatever becomes of the others: look at each. A token that the time did not suffice for has a
    /// `Timeout` with outcome `NotApplied`. A second run right after does nothing.
    ///
    /// # Errors
    ///
    /// [`Error`] where the tokens cannot be listed; nothing has changed. Only where the component itself fails, or is stopped by this
    /// host, can its outcome be `Unknown`; make the call again.
    pub async fn refresh_expiring(&self, within: Duration) -> Result<RefreshReport, Error> {
        let (account, within) = (self.account_id(), whole_seconds(within));
        let report = self.lifecycle(Operation::RefreshExpiring, |guest, store, options| {
            Box::pin(async move { guest.call_refresh_expiring(store, &account, within, Some(options)).await })
        });
        report.await.map(Into::into)
    }

    /// Gives a token a new secret and lets the old one pass for this long, at least a second, by the API's clock where this
    /// machine's is off. To end the old secret at once, call [`rotate`](Tokens::rotate) with
    /// [`ExpiresNow`](crate::PreviousSecret::ExpiresNow).
    ///
    /// A token has two secrets at most: one older than the current one ends now.
    ///
    /// # Errors
    ///
    /// [`Error`]. With outcome `Unknown` or `Applied` there may be, or is, a new secret that nobody has, and the one before it
    /// passes until the overlap ends. Look with [`get`](Tokens::get) before another rotation, which would end it at once;
    /// [`Outcome::Unknown`](crate::Outcome::Unknown) says how to read what it shows.
    pub async fn rotate_with_overlap(&self, id: &str, overlap: Duration) -> Result<OverlappingToken, Error> {
        let (account, id, overlap) = (self.account_id(), id.to_owned(), whole_seconds(overlap));
        let rotated = self.lifecycle(Operation::RotateWithOverlap, |guest, store, options| {
            Box::pin(async move { guest.call_rotate_with_overlap(store, &account, &id, overlap, Some(options)).await })
        });
        rotated.await.map(Into::into)
    }
}

/// A fraction of a second counts as one more: a window that is too long misses no token, an overlap that is too long locks
/// nobody out.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_of_a_second_counts_as_one_more() {
        for (duration, seconds) in [
            (Duration::ZERO, 0),
            (Duration::from_nanos(1), 1),
            (Duration::from_millis(1500), 2),
            (Duration::from_hours(24), 86_400),
            (Duration::MAX, u64::MAX),
        ] {
            assert_eq!(whole_seconds(duration), seconds, "{duration:?}");
        }
    }
}
