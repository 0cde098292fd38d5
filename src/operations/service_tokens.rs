//! The functions of `service-tokens` that are one request each.

use crate::bindings::exports::cloudflare::access::types::{
    CreateParams, Deletion, IssuedToken, ListPageParams, PreviousSecret, Scope, ServiceToken, TokenPage, UpdateParams,
    UpdatedToken,
};
use crate::exchange::call::Call;
use crate::exchange::host::Host;
use crate::operations::steps;
use crate::request::arguments;
use crate::request::ids::TokenId;
use crate::request::requests::Query;
use crate::response::failure::Failure;
use crate::response::token::Budget;

/// Returns one page of the tokens of a scope.
pub async fn list_page(
    call: &Call<'_, impl Host>,
    scope: &Scope,
    params: &ListPageParams,
) -> Result<TokenPage, Box<Failure>> {
    let ListPageParams { name, search, page, per_page } = params;
    let collection = call.collection(scope)?;
    arguments::filters(name.as_deref(), search.as_deref(), *per_page)?;
    arguments::from_one("page", *page)?;
    let query = Query { name: name.as_deref(), search: search.as_deref(), page: *page, per_page: *per_page };
    Ok(steps::list(call, &collection, query, &Budget::default()).await?.value)
}

/// Returns one token.
pub async fn get(call: &Call<'_, impl Host>, scope: &Scope, id: &str) -> Result<ServiceToken, Box<Failure>> {
    let (collection, id) = (call.collection(scope)?, TokenId::new(id)?);
    Ok(steps::get(call, &collection, id.target()).await?.value)
}

/// Makes a token.
pub async fn create(
    call: &Call<'_, impl Host>,
    scope: &Scope,
    params: &CreateParams,
) -> Result<IssuedToken, Box<Failure>> {
    let collection = call.collection(scope)?;
    arguments::create_params(params)?;
    steps::create(call, &collection, &params.into()).await
}

/// Changes a token.
pub async fn update(
    call: &Call<'_, impl Host>,
    scope: &Scope,
    id: &str,
    params: &UpdateParams,
) -> Result<UpdatedToken, Box<Failure>> {
    let (collection, id) = (call.collection(scope)?, TokenId::new(id)?);
    arguments::update_params(params)?;
    steps::update(call, &collection, id.target(), &params.into()).await
}

/// Revokes a token.
pub async fn delete(call: &Call<'_, impl Host>, scope: &Scope, id: &str) -> Result<Deletion, Box<Failure>> {
    let (collection, id) = (call.collection(scope)?, TokenId::new(id)?);
    steps::delete(call, &collection, id.target()).await
}

/// Extends the lifetime of a token by a year.
pub async fn refresh(call: &Call<'_, impl Host>, account: &str, id: &str) -> Result<ServiceToken, Box<Failure>> {
    let (collection, id) = (call.account(account)?, TokenId::new(id)?);
    steps::refresh(call, &collection, id.target()).await
}

/// Gives a token a new secret.
pub async fn rotate(
    call: &Call<'_, impl Host>,
    account: &str,
    id: &str,
    previous: &PreviousSecret,
) -> Result<IssuedToken, Box<Failure>> {
    let (collection, id) = (call.account(account)?, TokenId::new(id)?);
    if let PreviousSecret::ExpiresAt(time) = previous {
        arguments::time("previous.expires-at", time)?;
    }
    steps::rotate(call, &collection, id.target(), &previous.into()).await
}
