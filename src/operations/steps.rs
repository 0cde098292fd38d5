//! The seven requests as steps of a call: make the request, send it, read the token of its answer. What they take has
//! been checked.

use crate::contract::types::{Deletion, ErrorKind, IssuedToken, Outcome, ServiceToken, TokenPage, UpdatedToken};
use crate::exchange::{Call, Host};
use crate::request::{BodyFields, Collection, Query, Request, Target, requests};
use crate::response::{AnswerHead, Budget, Failure, PageInfo, Result, ResultValue, Unusable, with_id};

/// What an answer brings, and the head of the answer, which tells the time.
pub struct Answered<T, H> {
    pub value: T,
    pub head: AnswerHead<H>,
}

/// Gets one page of the tokens of a scope.
pub async fn list<H: Host>(
    call: &Call<'_, H>,
    collection: &Collection<'_>,
    query: Query<'_>,
    budget: &Budget,
) -> Result<Answered<TokenPage, H::Headers>> {
    let request = requests::list(collection, query);
    let success = call.send(&request, budget).await?;
    let tokens = success.result.tokens();
    let (tokens, size) = tokens.map_err(|unusable| call.unusable(&request, &success.head, &unusable))?;
    budget.spend(size);
    let info = success.info;
    let page = info.page.or(query.page);
    let page = TokenPage {
        next_page: next_page(page, info, tokens.len()),
        page,
        per_page: info.per_page,
        count: info.count,
        total_count: info.total_count,
        total_pages: info.total_pages,
        tokens,
    };
    Ok(Answered { value: page, head: success.head })
}

/// Returns the page after this one, as far as the answer tells: by the number of pages, else by the number of tokens,
/// else by whether this page is full. An empty page is the last one whatever the numbers say.
fn next_page(page: Option<u32>, info: PageInfo, tokens: usize) -> Option<u32> {
    let page = page.unwrap_or(1);
    let size = info.per_page.filter(|size| *size > 0);
    let pages = info.total_pages.or_else(|| Some(info.total_count?.div_ceil(size?)));
    let is_full = || size.is_some_and(|size| usize::try_from(size).is_ok_and(|size| tokens >= size));
    let has_next = tokens > 0 && pages.map_or_else(is_full, |pages| page < pages);
    page.checked_add(1).filter(|_| has_next)
}

/// Gets one token.
pub async fn get<H: Host>(
    call: &Call<'_, H>,
    collection: &Collection<'_>,
    target: Target<'_>,
) -> Result<Answered<ServiceToken, H::Headers>> {
    let request = requests::get(collection, target);
    let success = call.send(&request, &Budget::default()).await?;
    let token = success.result.token(Some(target.id()));
    let token = token.map_err(|unusable| call.unusable(&request, &success.head, &unusable))?.token;
    Ok(Answered { value: token, head: success.head })
}

/// Makes a token.
pub async fn create<H: Host>(
    call: &Call<'_, H>,
    collection: &Collection<'_>,
    fields: &BodyFields<'_>,
) -> Result<IssuedToken> {
    let request = requests::create(collection, fields);
    on_token(call, &request, ResultValue::issued).await
}

/// Changes a token.
pub async fn update<H: Host>(
    call: &Call<'_, H>,
    collection: &Collection<'_>,
    target: Target<'_>,
    fields: &BodyFields<'_>,
) -> Result<UpdatedToken> {
    let request = requests::update(collection, target, fields);
    on_token(call, &request, ResultValue::token).await
}

/// Deletes a token. One that is not found after an attempt that may have deleted it is gone already.
pub async fn delete<H: Host>(call: &Call<'_, H>, collection: &Collection<'_>, target: Target<'_>) -> Result<Deletion> {
    let request = requests::delete(collection, target);
    let deleted = |result, asked: Option<&str>| match (result, asked) {
        (ResultValue::Nothing, Some(asked)) => Ok(with_id(asked)),
        (result, asked) => Ok(result.token(asked)?.token),
    };
    match on_token(call, &request, deleted).await {
        Ok(token) => Ok(Deletion::Deleted(token)),
        Err(failure) if failure.error.outcome == Outcome::Unknown && is_gone(&failure) => Ok(Deletion::AlreadyGone),
        Err(failure) => Err(failure),
    }
}

/// Extends the lifetime of a token.
pub async fn refresh<H: Host>(
    call: &Call<'_, H>,
    collection: &Collection<'_>,
    target: Target<'_>,
) -> Result<ServiceToken> {
    let request = requests::refresh(collection, target);
    Ok(on_token(call, &request, ResultValue::token).await?.token)
}

/// Gives a token a new secret. `end`: until when the old one passes; none ends it.
pub async fn rotate<H: Host>(
    call: &Call<'_, H>,
    collection: &Collection<'_>,
    target: Target<'_>,
    end: Option<&str>,
) -> Result<IssuedToken> {
    let request = requests::rotate(collection, target, end);
    on_token(call, &request, ResultValue::issued).await
}

/// Sends a request about one token and reads its answer.
async fn on_token<T, H: Host>(
    call: &Call<'_, H>,
    request: &Request<'_>,
    read: impl FnOnce(ResultValue, Option<&str>) -> Result<T, Unusable>,
) -> Result<T> {
    let success = call.send(request, &Budget::default()).await?;
    let read = read(success.result, request.target.map(Target::id));
    read.map_err(|unusable| call.unusable(request, &success.head, &unusable))
}

/// Returns whether the API says that there is no such token. A 404 about the account or the zone (codes 7000 and 7003)
/// says nothing about the token.
pub fn is_gone(failure: &Failure) -> bool {
    let error = &failure.error;
    let is_about_the_route = error.api_errors.iter().any(|error| matches!(error.code, Some(7000 | 7003)));
    (error.kind, error.status) == (ErrorKind::NotFound, Some(404)) && !is_about_the_route
}
