//! The operations of `service-tokens`: check the arguments, begin a call, make its one step.
//!
//! `list-all`, which is many steps, has a file of its own.

use crate::arguments::{self, Collection, TokenId};
use crate::bindings::exports::cloudflare::access::types::{
    CreateParams, Error, IssuedToken, ListParams, PreviousSecret, RequestOptions, Scope, ServiceToken, TokenPage,
    UpdateParams, UpdatedToken,
};
use crate::call::Call;
use crate::error::Invalid;
use crate::host::Host;
use crate::settings::Settings;
use crate::steps;
use crate::token::Budget;

type Options = Option<RequestOptions>;

pub async fn list(host: &impl Host, scope: Scope, params: ListParams, options: Options) -> Result<TokenPage, Error> {
    let collection = Collection::of(&scope)?;
    check_filters(params.name.as_deref(), params.search.as_deref(), params.per_page)?;
    arguments::from_one("page", params.page)?;
    let settings = Settings::resolve(options, host)?;
    steps::list(&Call::begin(host, &settings), &collection, &params, &Budget::default()).await
}

/// What `list` and `list-all` check alike.
pub fn check_filters(name: Option<&str>, search: Option<&str>, per_page: Option<u32>) -> Result<(), Invalid> {
    name.map_or(Ok(()), arguments::name)?;
    search.map_or(Ok(()), arguments::search)?;
    arguments::from_one("per-page", per_page)
}

pub async fn get(host: &impl Host, scope: Scope, id: String, options: Options) -> Result<ServiceToken, Error> {
    let (collection, id) = member(&scope, id)?;
    let settings = Settings::resolve(options, host)?;
    steps::get(&Call::begin(host, &settings), &collection, &id).await
}

pub async fn create(
    host: &impl Host,
    scope: Scope,
    params: CreateParams,
    options: Options,
) -> Result<IssuedToken, Error> {
    let collection = Collection::of(&scope)?;
    check_creation(&params)?;
    let settings = Settings::resolve(options, host)?;
    steps::create(&Call::begin(host, &settings), &collection, &params).await
}

/// What every function that may make a token checks alike.
pub fn check_creation(params: &CreateParams) -> Result<(), Invalid> {
    arguments::name(&params.name)?;
    check_times(params.duration.as_deref(), params.previous_client_secret_expires_at.as_deref())
}

fn check_times(duration: Option<&str>, previous: Option<&str>) -> Result<(), Invalid> {
    duration.map_or(Ok(()), arguments::duration)?;
    previous.map_or(Ok(()), |time| arguments::time("previous-client-secret-expires-at", time).map(drop))
}

pub async fn update(
    host: &impl Host,
    scope: Scope,
    id: String,
    params: UpdateParams,
    options: Options,
) -> Result<UpdatedToken, Error> {
    let (collection, id) = member(&scope, id)?;
    params.name.as_deref().map_or(Ok(()), arguments::name)?;
    check_times(params.duration.as_deref(), params.previous_client_secret_expires_at.as_deref())?;
    let settings = Settings::resolve(options, host)?;
    steps::update(&Call::begin(host, &settings), &collection, &id, &params).await
}

pub async fn delete(host: &impl Host, scope: Scope, id: String, options: Options) -> Result<ServiceToken, Error> {
    let (collection, id) = member(&scope, id)?;
    let settings = Settings::resolve(options, host)?;
    steps::delete(&Call::begin(host, &settings), &collection, &id).await
}

pub async fn refresh(
    host: &impl Host,
    account_id: String,
    id: String,
    options: Options,
) -> Result<ServiceToken, Error> {
    let (collection, id) = member(&Scope::Account(account_id), id)?;
    let settings = Settings::resolve(options, host)?;
    steps::refresh(&Call::begin(host, &settings), &collection, &id).await
}

pub async fn rotate(
    host: &impl Host,
    account_id: String,
    id: String,
    previous: PreviousSecret,
    options: Options,
) -> Result<IssuedToken, Error> {
    let (collection, id) = member(&Scope::Account(account_id), id)?;
    if let PreviousSecret::ExpiresAt(time) = &previous {
        arguments::time("previous.expires-at", time)?;
    }
    let settings = Settings::resolve(options, host)?;
    steps::rotate(&Call::begin(host, &settings), &collection, &id, &previous).await
}

/// A token in its scope.
pub fn member(scope: &Scope, id: String) -> Result<(Collection, TokenId), Invalid> {
    Ok((Collection::of(scope)?, TokenId::new(id)?))
}
