//! The seven requests, each as a step of a call: make it, send it, read its answer. What they take has been checked.
//!
//! The operations of the contract are one step each; `list-all` and the lifecycle are made of several within one call. The steps of which several
//! may be under way at once are async: `list` and `refresh`.

use crate::arguments::TokenId;
use crate::bindings::exports::cloudflare::access::types::{
    ApiError, Error, ErrorKind, IssuedToken, Outcome, PreviousSecret, ServiceToken, TokenPage, UpdatedToken,
};
use crate::call::Call;
use crate::envelope::Info;
use crate::host::Host;
use crate::json::Cursor;
use crate::operation::Operation;
use crate::request::{self, Body, Query};
use crate::token::{self, Budget};

/// One page of the tokens of a scope.
pub async fn list<H: Host>(call: &Call<'_, H>, query: Query<'_>, budget: &Budget) -> Result<TokenPage, Box<Error>> {
    let request = request::list(call.settings(), call.collection(), query);
    let (mut tokens, mut secrets, mut left) = (Vec::new(), Vec::new(), budget.clone());
    let mut read = |result: Option<&mut Cursor<'_>>| {
        left = budget.clone();
        (tokens, secrets) = token::list(result, &left)?;
        Ok(())
    };
    let info = call.send(Operation::List, &request, None, &mut read).await?;
    for secret in secrets {
        call.keep_out(secret);
    }
    budget.becomes(&left); // nothing else of the call has run since the answer was read
    let page = info.page.or(query.page);
    Ok(TokenPage {
        next_page: next_page(page, info, tokens.len()),
        page,
        per_page: info.per_page,
        count: info.count,
        total_count: info.total_count,
        total_pages: info.total_pages,
        tokens,
    })
}

/// The page after this one, as far as the answer tells: by the number of pages, else by the number of tokens, else by
/// whether this page is full. An empty page is the last one whatever the numbers say.
fn next_page(page: Option<u32>, info: Info, tokens: usize) -> Option<u32> {
    let page = page.unwrap_or(1);
    let pages = info.total_pages.or_else(|| Some(info.total_count?.div_ceil(info.per_page.filter(|size| *size > 0)?)));
    let is_full = || info.per_page.is_some_and(|size| usize::try_from(size).is_ok_and(|size| tokens >= size));
    let has_next = tokens > 0 && pages.map_or_else(is_full, |pages| page < pages);
    page.checked_add(1).filter(|_| has_next)
}

pub fn get<H: Host>(call: &Call<'_, H>, id: &TokenId) -> Result<ServiceToken, Box<Error>> {
    Ok(one_alone(call, Operation::Get, Some(id), None)?.token)
}

pub fn create<H: Host>(call: &Call<'_, H>, body: Body<'_>) -> Result<IssuedToken, Box<Error>> {
    one_alone(call, Operation::Create, None, Some(body)).map(issued)
}

pub fn update<H: Host>(call: &Call<'_, H>, id: &TokenId, body: Body<'_>) -> Result<UpdatedToken, Box<Error>> {
    let operation = Operation::Update { raises_secret: body.client_secret_version.is_some() };
    one_alone(call, operation, Some(id), Some(body))
}

pub fn delete<H: Host>(call: &Call<'_, H>, id: &TokenId) -> Result<ServiceToken, Box<Error>> {
    match one_alone(call, Operation::Delete, Some(id), None) {
        // An earlier attempt may have been what removed it: it was.
        Err(error) if error.outcome == Outcome::Unknown && is_gone(&error) => Ok(token::with_id(id.text())),
        deleted => Ok(deleted?.token),
    }
}

/// Whether the API says that there is no such token. A 404 about the account or the zone (codes 7000 and 7003) says nothing about
/// the token.
pub fn is_gone(error: &Error) -> bool {
    let is_about_the_route = |error: &ApiError| matches!(error.code, Some(7000 | 7003));
    (error.kind, error.status) == (ErrorKind::NotFound, Some(404)) && !error.api_errors.iter().any(is_about_the_route)
}

pub async fn refresh<H: Host>(call: &Call<'_, H>, id: &TokenId) -> Result<ServiceToken, Box<Error>> {
    Ok(one(call, Operation::Refresh, Some(id), None).await?.token)
}

pub fn rotate<H: Host>(call: &Call<'_, H>, id: &TokenId, previous: &PreviousSecret) -> Result<IssuedToken, Box<Error>> {
    one_alone(call, Operation::Rotate, Some(id), Some(previous.into())).map(issued)
}

/// A step on a single token while nothing else of the call is under way.
fn one_alone<H: Host>(
    call: &Call<'_, H>,
    operation: Operation,
    id: Option<&TokenId>,
    body: Option<Body<'_>>,
) -> Result<UpdatedToken, Box<Error>> {
    call.host().block_on(one(call, operation, id, body))
}

/// The request of a step on a single token, and the token of its answer. One function for all of them, so that the component holds
/// the code once.
async fn one<H: Host>(
    call: &Call<'_, H>,
    operation: Operation,
    id: Option<&TokenId>,
    body: Option<Body<'_>>,
) -> Result<UpdatedToken, Box<Error>> {
    let request = request::on_token(call.settings(), call.collection(), operation, id, body.as_ref());
    let asked = id.map(TokenId::text);
    let mut updated = UpdatedToken { token: token::with_id(""), client_secret: None };
    let mut read = |result: Option<&mut Cursor<'_>>| {
        updated = token::read(result, asked, operation.makes_a_secret())?;
        Ok(())
    };
    call.send(operation, &request, asked, &mut read).await?;
    if let Some(secret) = &updated.client_secret {
        call.keep_out(secret.clone());
    }
    Ok(updated)
}

/// What `create` and `rotate` return; that the secret is there has been checked in reading.
fn issued(UpdatedToken { token, client_secret }: UpdatedToken) -> IssuedToken {
    IssuedToken { token, client_secret: client_secret.unwrap_or_default() }
}
