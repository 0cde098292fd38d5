//! The operations of the contract: check the arguments, make the request, send it, read the result.
//!
//! `list-all`, which is many requests, has a file of its own.

use serde_json::value::RawValue;

use crate::arguments::{self, Collection, TokenId};
use crate::bindings::exports::cloudflare::access::types::{
    ApiError, CreateParams, Error, ErrorKind, IssuedToken, ListParams, Outcome, PreviousSecret, RequestOptions, Scope,
    ServiceToken, TokenPage, UpdateParams, UpdatedToken,
};
use crate::call::Call;
use crate::envelope::Info;
use crate::error::Invalid;
use crate::host::{Host, Request};
use crate::operation::Operation;
use crate::request;
use crate::settings::Settings;
use crate::token::{self, Budget};

type Options = Option<RequestOptions>;

pub async fn list(host: &impl Host, scope: Scope, params: ListParams, options: Options) -> Result<TokenPage, Error> {
    let collection = Collection::of(&scope)?;
    check_filters(params.name.as_deref(), params.search.as_deref(), params.per_page)?;
    arguments::from_one("page", params.page)?;
    let settings = Settings::resolve(options, host)?;
    page(&Call::begin(host, &settings), &settings, &collection, &params, &Budget::default()).await
}

/// What `list` and `list-all` check alike.
pub fn check_filters(name: Option<&str>, search: Option<&str>, per_page: Option<u32>) -> Result<(), Invalid> {
    name.map_or(Ok(()), arguments::name)?;
    search.map_or(Ok(()), arguments::search)?;
    arguments::from_one("per-page", per_page)
}

/// One page, within a call that may fetch several.
pub async fn page<H: Host>(
    call: &Call<'_, H>,
    settings: &Settings,
    collection: &Collection,
    params: &ListParams,
    budget: &Budget,
) -> Result<TokenPage, Error> {
    let request = request::list(settings, collection, params);
    call.send(Operation::List, &request, None, |result, info| {
        let tokens = token::list(result, budget)?;
        let page = info.page.or(params.page);
        Ok(TokenPage {
            next_page: next_page(page, info, tokens.len()),
            page,
            per_page: info.per_page,
            count: info.count,
            total_count: info.total_count,
            total_pages: info.total_pages,
            tokens,
        })
    })
    .await
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

pub async fn get(host: &impl Host, scope: Scope, id: String, options: Options) -> Result<ServiceToken, Error> {
    let (collection, id) = member(&scope, id)?;
    let settings = Settings::resolve(options, host)?;
    let request = request::get(&settings, &collection, &id);
    Ok(one(host, &settings, Operation::Get, &request, Some(&id)).await?.token)
}

pub async fn create(
    host: &impl Host,
    scope: Scope,
    params: CreateParams,
    options: Options,
) -> Result<IssuedToken, Error> {
    let collection = Collection::of(&scope)?;
    arguments::name(&params.name)?;
    check_times(params.duration.as_deref(), params.previous_client_secret_expires_at.as_deref())?;
    let settings = Settings::resolve(options, host)?;
    let request = request::create(&settings, &collection, &params);
    one(host, &settings, Operation::Create, &request, None).await.map(issued)
}

fn check_times(duration: Option<&str>, previous: Option<&str>) -> Result<(), Invalid> {
    duration.map_or(Ok(()), arguments::duration)?;
    previous.map_or(Ok(()), |time| arguments::time("previous-client-secret-expires-at", time))
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
    let request = request::update(&settings, &collection, &id, &params);
    let operation = Operation::Update { raises_secret: params.client_secret_version.is_some() };
    one(host, &settings, operation, &request, Some(&id)).await
}

pub async fn delete(host: &impl Host, scope: Scope, id: String, options: Options) -> Result<ServiceToken, Error> {
    let (collection, id) = member(&scope, id)?;
    let settings = Settings::resolve(options, host)?;
    let request = request::delete(&settings, &collection, &id);
    match one(host, &settings, Operation::Delete, &request, Some(&id)).await {
        Err(error) if is_gone(&error) => Ok(token::with_id(id.text())),
        deleted => Ok(deleted?.token),
    }
}

/// Whether the token is gone, and an earlier attempt may have been what removed it: it was. A 404 about the account or the
/// zone (codes 7000 and 7003) says nothing about the token.
fn is_gone(error: &Error) -> bool {
    let is_about_the_route = |error: &ApiError| matches!(error.code, Some(7000 | 7003));
    (error.kind, error.status, error.outcome) == (ErrorKind::NotFound, Some(404), Outcome::Unknown)
        && !error.api_errors.iter().any(is_about_the_route)
}

pub async fn refresh(
    host: &impl Host,
    account_id: String,
    id: String,
    options: Options,
) -> Result<ServiceToken, Error> {
    let (collection, id) = member(&Scope::Account(account_id), id)?;
    let settings = Settings::resolve(options, host)?;
    let request = request::refresh(&settings, &collection, &id);
    Ok(one(host, &settings, Operation::Refresh, &request, Some(&id)).await?.token)
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
    let request = request::rotate(&settings, &collection, &id, &previous);
    one(host, &settings, Operation::Rotate, &request, Some(&id)).await.map(issued)
}

/// The one request of an operation on a single token, and the token of its answer. One function for all of them, so that the
/// component holds the code once.
async fn one(
    host: &impl Host,
    settings: &Settings,
    operation: Operation,
    request: &Request,
    id: Option<&TokenId>,
) -> Result<UpdatedToken, Error> {
    let asked = id.map(TokenId::text);
    let read = |result: Option<&RawValue>, _| token::read(result, asked, operation.makes_a_secret());
    Call::begin(host, settings).send(operation, request, asked, read).await
}

/// What `create` and `rotate` return; that the secret is there has been checked in reading.
fn issued(UpdatedToken { token, client_secret }: UpdatedToken) -> IssuedToken {
    IssuedToken { token, client_secret: client_secret.unwrap_or_default() }
}

fn member(scope: &Scope, id: String) -> Result<(Collection, TokenId), Invalid> {
    Ok((Collection::of(scope)?, TokenId::new(id)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::exports::cloudflare::access::types::Credentials;
    use crate::host::Cause;
    use crate::scripted_host::{Reply, ScriptedHost};

    fn options() -> RequestOptions {
        RequestOptions {
            credentials: Some(Credentials::Host),
            base_url: Some("https://a.example".into()),
            timeout_ms: None,
            attempt_timeout_ms: None,
            max_retries: None,
            headers: Vec::new(),
        }
    }

    fn refusal(status: u16, code: &str) -> Reply {
        Reply::json(status, &format!(r#"{{"success":false,"errors":[{{"code":{code},"message":"no"}}]}}"#))
    }

    #[test]
    fn a_delete_is_done_where_a_try_may_have_worked_and_the_next_finds_no_such_token() {
        let lost = || Reply::Failure(Cause::Lost("gone"));
        let never_left = || Reply::Failure(Cause::NotSent("refused"));
        for (replies, is_done) in [
            (vec![lost(), refusal(404, "12135")], true),
            (vec![refusal(500, "1000"), Reply::json(404, r#"{"success":false,"errors":null}"#)], true),
            (vec![never_left(), lost(), refusal(404, "12135")], true),
            (vec![lost(), never_left(), refusal(404, "12135")], true),
            // Nothing may have worked before.
            (vec![refusal(404, "12135")], false),
            (vec![never_left(), refusal(404, "12135")], false),
            (vec![refusal(429, "971"), refusal(404, "12135")], false),
            // What is not found is not the token, or it is not certain that anything was looked for.
            (vec![lost(), refusal(404, "7003")], false),
            (vec![lost(), refusal(404, r#""7000""#)], false),
            (vec![lost(), Reply::json(404, "<html>")], false),
            (vec![refusal(500, "12135"), refusal(500, "12135"), refusal(500, "12135")], false),
            (vec![refusal(408, "7000"), refusal(408, "7000"), refusal(408, "7000")], false),
        ] {
            let count = replies.len();
            let host = ScriptedHost::with_replies(replies);
            let result = host.block_on(delete(&host, Scope::Zone("z".into()), "the id".into(), Some(options())));
            assert_eq!(host.paths().len(), count);
            assert_eq!(result.is_ok(), is_done, "{count} replies");
            if let Ok(token) = result {
                assert_eq!((token.id.as_str(), token.name), ("the id", None));
            }
        }
    }
}
