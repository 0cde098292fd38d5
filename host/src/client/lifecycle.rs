//! What people do with service tokens over their lives: the contract's interface `lifecycle`, on the tokens of one account or zone.
//!
//! Each call here is several requests, up to 6 of them at once; the timeout of the options covers all of them and
//! [`attempts`](crate::Details::attempts) counts them. Durations are sent in whole seconds, a fraction counts as one more.
//! `issue` and `finish_issue` have [a file of their own](super::issue).

use std::time::Duration;

use wasmtime::Store;

use crate::client::call::ExportFuture;
use crate::client::lifecycle_conversions::whole_seconds;
use crate::client::operation::Operation;
use crate::client::scope::{Account, Scope};
use crate::client::tokens::Tokens;
use crate::engine::bindings::lifecycle::Guest;
use crate::engine::bindings::types as contract;
use crate::engine::state::HostState;
use crate::error::Error;
use crate::redactor::Received;
use crate::types::{CreateParams, ServiceToken};
use crate::types::{Ensured, ExpiryReport, OverlappingToken, RefreshParams, RefreshReport, RunningOverlap, Selector};

impl<S: Clone + Into<Scope>> Tokens<S> {
    /// Reports which tokens expire within this time from now, or have expired, soonest first. As many requests as there are pages.
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

    /// Gives a token a new secret and lets the old one pass for this long, at least a second. To end the old secret at once, call
    /// [`rotate`](Tokens::rotate) with [`ExpiresNow`](crate::PreviousSecret::ExpiresNow).
    ///
    /// A token has at most two secrets, so a rotation while an overlap is running ends the older of the two, which machines may still
    /// use; `running` says whether it may. In a zone it works for tokens that show their `client_secret_version`.
    ///
    /// # Errors
    ///
    /// [`Error`]: `Conflict` where an overlap is running and `running` is [`Refuse`](RunningOverlap::Refuse). With outcome `Applied`
    /// the rotation happened and the new secret is lost, with `Unknown` that could not be found out;
    /// [`previous_secret_expires_at`](Error::previous_secret_expires_at) tells until when the old secret passes. Look with
    /// [`get`](Tokens::get) before another rotation, which would end it at once; [`Outcome::Unknown`](crate::Outcome::Unknown) says
    /// how to read what it shows.
    pub async fn rotate_with_overlap(
        &self,
        id: &str,
        overlap: Duration,
        running: RunningOverlap,
    ) -> Result<OverlappingToken, Error> {
        let (scope, id, overlap) = (self.contract_scope(), id.to_owned(), whole_seconds(overlap));
        let end_running = running == RunningOverlap::End;
        let rotated = self.lifecycle(Operation::RotateWithOverlap, |guest, store, options| {
            Box::pin(async move {
                guest.call_rotate_with_overlap(store, &scope, &id, overlap, end_running, Some(options)).await
            })
        });
        rotated.await.map(Into::into)
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

    /// Returns the tokens that a selector names, from all pages. Several tokens may share a name.
    ///
    /// # Errors
    ///
    /// [`Error`]; nothing has changed.
    pub async fn find(&self, selector: Selector) -> Result<Vec<ServiceToken>, Error> {
        let (scope, selector) = (self.contract_scope(), selector.into());
        let tokens = self.lifecycle(Operation::Find, |guest, store, options| {
            Box::pin(async move { guest.call_find(store, &scope, &selector, Some(options)).await })
        });
        Ok(tokens.await?.into_iter().map(Into::into).collect())
    }

    /// Makes sure that there is exactly one token with the name of `params`: makes one if there is none, and changes its duration or
    /// its switch where they are given and differ. The secret version and the previous secret's end count only for a token that is made.
    ///
    /// Two callers at the same time may make two; the next call then reports the conflict.
    ///
    /// # Errors
    ///
    /// [`Error`]: `Conflict` where several tokens have the name; its message lists their ids. With outcome `Unknown` a token may
    /// have been made, see [`resolve_create`](Self::resolve_create); where there was one, it may have been changed.
    pub async fn ensure(&self, params: CreateParams) -> Result<Ensured, Error> {
        let (scope, params) = (self.contract_scope(), params.into());
        let ensured = self.lifecycle(Operation::Ensure, |guest, store, options| {
            Box::pin(async move { guest.call_ensure(store, &scope, &params, Some(options)).await })
        });
        ensured.await.map(Into::into)
    }

    /// Returns what a [`create`](Self::create) with outcome `Unknown` may have made: the tokens with exactly this name that were made at `since`
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
        F: for<'a> FnOnce(&'a Guest, &'a mut Store<HostState>, &'a contract::RequestOptions) -> ExportFuture<'a, T>,
    {
        self.call_interface(operation, export).await
    }
}

impl Tokens<Account> {
    /// Refreshes every enabled token that is due, in place: same id, same secret, a year from now. Tokens that have expired are left
    /// alone unless `params` say otherwise.
    ///
    /// One result per token, whatever becomes of the others: look at each. A token that the time did not suffice for has a
    /// `Timeout` with outcome `NotApplied`. A second run right after does nothing.
    ///
    /// # Errors
    ///
    /// [`Error`] where the tokens cannot be listed; nothing has changed. Only where the component itself fails, or is stopped by this
    /// host, can its outcome be `Unknown`; make the call again.
    pub async fn refresh_expiring(&self, params: RefreshParams) -> Result<RefreshReport, Error> {
        let (account, params) = (self.account_id(), params.into());
        let report = self.lifecycle(Operation::RefreshExpiring, |guest, store, options| {
            Box::pin(async move { guest.call_refresh_expiring(store, &account, &params, Some(options)).await })
        });
        report.await.map(Into::into)
    }
}
