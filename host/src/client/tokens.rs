//! The operations, on the tokens of one account or one zone.
//!
//! What the contract says of repeating and of failures holds here too: operations that only read, `delete`, `refresh` and an
//! `update` without a secret version are repeated after a failure that can pass; `create`, `rotate` and an update that
//! makes a secret are sent once, unless certainly nothing was sent. Dropping a call's future stops it; a change that had
//! been sent may then have happened.

use std::fmt;

use wasmtime::Store;

use crate::client::call::{self, ExportFuture};
use crate::client::caller::Caller;
use crate::client::operation::Operation;
use crate::client::options::CallOptions;
use crate::client::pages::Pages;
use crate::client::scope::{Account, Scope};
use crate::engine::bindings::service_tokens::Guest;
use crate::engine::bindings::types as contract;
use crate::engine::exports::Interface;
use crate::engine::state::HostState;
use crate::error::Error;
use crate::redactor::Received;
use crate::types::{
    CreateParams, Deletion, IssuedToken, ListAllParams, ListPageParams, PreviousSecret, ServiceToken, TokenPage,
    UpdateParams, UpdatedToken,
};

/// A handle on the tokens of one account or zone.
#[derive(Clone)]
pub struct Tokens<S> {
    caller: Caller,
    scope: S,
    kind: &'static str,
    options: CallOptions,
}

impl<S> Tokens<S> {
    pub(crate) fn new(caller: Caller, scope: S) -> Self
    where
        S: Clone + Into<Scope>,
    {
        let kind = scope.clone().into().kind();
        let options = caller.options().clone();
        Self { caller, scope, kind, options }
    }

    /// Returns the handle with these options in place of its own, where they say something.
    #[must_use]
    pub fn with(mut self, options: &CallOptions) -> Self {
        self.options = options.or(&self.options);
        self
    }
}

impl<S: Clone + Into<Scope>> Tokens<S> {
    /// Returns one page of the tokens. For all of them use [`list_all`](Self::list_all).
    ///
    /// # Errors
    ///
    /// [`Error`]; nothing has changed.
    pub async fn list_page(&self, params: ListPageParams) -> Result<TokenPage, Error> {
        let (scope, params) = (self.contract_scope(), params.into());
        let page = self.call(Operation::ListPage, |guest, store, options| {
            Box::pin(async move { guest.call_list_page(store, &scope, &params, Some(options)).await })
        });
        page.await.map(Into::into)
    }

    /// Returns the pages of a list one after the other, from the page that `params` name, each asked for when it is wanted. Unlike
    /// [`list_all`](Self::list_all) it has one page in memory, and its calls have a time limit each.
    pub fn pages(&self, params: ListPageParams) -> Pages<S> {
        Pages::new(self.clone(), params)
    }

    /// Returns all tokens, with as many requests as there are pages.
    ///
    /// # Errors
    ///
    /// [`Error`]; nothing has changed. More than 1000 pages or 16 MiB of answers is an error, never a shortened list.
    pub async fn list_all(&self, params: ListAllParams) -> Result<Vec<ServiceToken>, Error> {
        let (scope, params) = (self.contract_scope(), params.into());
        let tokens = self.call(Operation::ListAll, |guest, store, options| {
            Box::pin(async move { guest.call_list_all(store, &scope, &params, Some(options)).await })
        });
        Ok(tokens.await?.into_iter().map(Into::into).collect())
    }

    /// Returns one token by its id.
    ///
    /// # Errors
    ///
    /// [`Error`]; nothing has changed.
    pub async fn get(&self, id: &str) -> Result<ServiceToken, Error> {
        let (scope, id) = (self.contract_scope(), id.to_owned());
        let token = self.call(Operation::Get, |guest, store, options| {
            Box::pin(async move { guest.call_get(store, &scope, &id, Some(options)).await })
        });
        token.await.map(Into::into)
    }

    /// Makes a token and returns its secret, which nothing returns again.
    ///
    /// # Errors
    ///
    /// [`Error`]. With outcome `Unknown` there may be a token whose secret nobody has: look for it with
    /// [`resolve_create`](Self::resolve_create), then rotate or delete it. With `Applied` there is one. For accounts,
    /// [`issue`](Tokens::issue) does all of that by itself.
    pub async fn create(&self, params: CreateParams) -> Result<IssuedToken, Error> {
        let (scope, params) = (self.contract_scope(), params.into());
        let issued = self.call(Operation::Create, |guest, store, options| {
            Box::pin(async move { guest.call_create(store, &scope, &params, Some(options)).await })
        });
        issued.await.map(Into::into)
    }

    /// Changes the given fields and no others. With a client secret version it may make a new secret and is sent once.
    ///
    /// # Errors
    ///
    /// [`Error`]: `InvalidArgument` where no field is given. With outcome `Unknown` the token may have changed. Without a version, make the call again; with one, look before
    /// you do, as after a [`rotate`](Tokens::rotate).
    pub async fn update(&self, id: &str, params: UpdateParams) -> Result<UpdatedToken, Error> {
        let (scope, id, params) = (self.contract_scope(), id.to_owned(), params.into());
        let updated = self.call(Operation::Update, |guest, store, options| {
            Box::pin(async move { guest.call_update(store, &scope, &id, &params, Some(options)).await })
        });
        updated.await.map(Into::into)
    }

    /// Revokes a token at once and for good. Both its secrets stop passing.
    ///
    /// If a repeat after a lost answer finds no such token, the result is [`Deletion::AlreadyGone`].
    ///
    /// # Errors
    ///
    /// [`Error`]: `NotFound` where the first attempt finds no such token. With outcome `Unknown` the token may be gone; make the call
    /// again.
    pub async fn delete(&self, id: &str) -> Result<Deletion, Error> {
        let (scope, id) = (self.contract_scope(), id.to_owned());
        let deletion = self.call(Operation::Delete, |guest, store, options| {
            Box::pin(async move { guest.call_delete(store, &scope, &id, Some(options)).await })
        });
        deletion.await.map(Into::into)
    }

    async fn call<T, F>(&self, operation: Operation, export: F) -> Result<T, Error>
    where
        T: Received,
        F: for<'a> FnOnce(&'a Guest, &'a mut Store<HostState>, &'a contract::RequestOptions) -> ExportFuture<'a, T>,
    {
        self.call_interface(operation, export).await
    }

    /// Calls an export of any interface on these tokens, with their options.
    pub(crate) async fn call_interface<I, T, F>(&self, operation: Operation, export: F) -> Result<T, Error>
    where
        I: Interface + 'static,
        T: Received,
        F: for<'a> FnOnce(&'a I, &'a mut Store<HostState>, &'a contract::RequestOptions) -> ExportFuture<'a, T>,
    {
        call::call(&self.caller, operation, self.kind, &self.options, export).await
    }

    /// Returns whose tokens they are.
    pub fn scope(&self) -> Scope {
        self.scope.clone().into()
    }

    pub(crate) fn contract_scope(&self) -> contract::Scope {
        self.scope().into()
    }
}

impl Tokens<Account> {
    pub(crate) fn account_id(&self) -> String {
        self.scope.0.clone()
    }

    /// Lets a token live a year longer, same id and same secret. For another length use [`update`](Tokens::update).
    ///
    /// # Errors
    ///
    /// [`Error`]. With outcome `Unknown` the token may have been extended; make the call again.
    pub async fn refresh(&self, id: &str) -> Result<ServiceToken, Error> {
        let (account, id) = (self.account_id(), id.to_owned());
        let token = self.call(Operation::Refresh, |guest, store, options| {
            Box::pin(async move { guest.call_refresh(store, &account, &id, Some(options)).await })
        });
        token.await.map(Into::into)
    }

    /// Gives a token a new secret, same id and same client id. `previous` says what becomes of the old one.
    ///
    /// Sent once. [`rotate_with_overlap`](Tokens::rotate_with_overlap) can be repeated and is the better choice for a token that
    /// machines use.
    ///
    /// # Errors
    ///
    /// [`Error`]. With outcome `Unknown` or `Applied` there may be, or is, a new secret that nobody has. Look with
    /// [`get`](Self::get) before another rotation, which would end the old secret at once; [`Outcome::Unknown`] says how to read
    /// what it shows. With [`PreviousSecret::ExpiresNow`] the old secret may have ended.
    ///
    /// [`Outcome::Unknown`]: crate::Outcome::Unknown
    pub async fn rotate(&self, id: &str, previous: PreviousSecret) -> Result<IssuedToken, Error> {
        let (account, id, previous) = (self.account_id(), id.to_owned(), previous.into());
        let issued = self.call(Operation::Rotate, |guest, store, options| {
            Box::pin(async move { guest.call_rotate(store, &account, &id, &previous, Some(options)).await })
        });
        issued.await.map(Into::into)
    }
}

impl<S: fmt::Debug> fmt::Debug for Tokens<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Tokens")
            .field("scope", &self.scope)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
