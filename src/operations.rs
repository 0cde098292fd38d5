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
use crate::request::Query;
use crate::steps;
use crate::token::Budget;

type Options = Option<RequestOptions>;

pub fn list(host: &impl Host, scope: &Scope, params: &ListParams, options: Options) -> Result<TokenPage, Box<Error>> {
    let collection = Collection::of(scope)?;
    check_filters(params.name.as_deref(), params.search.as_deref(), params.per_page)?;
    arguments::from_one("page", params.page)?;
    let query = Query {
        name: params.name.as_deref(),
        search: params.search.as_deref(),
        page: params.page,
        per_page: params.per_page,
    };
    host.block_on(steps::list(&Call::begin(host, collection, options)?, query, &Budget::default()))
}

/// What `list` and `list-all` check alike.
pub fn check_filters(name: Option<&str>, search: Option<&str>, per_page: Option<u32>) -> Result<(), Invalid> {
    name.map_or(Ok(()), arguments::name)?;
    search.map_or(Ok(()), arguments::search)?;
    arguments::from_one("per-page", per_page)
}

pub fn get(host: &impl Host, scope: &Scope, id: String, options: Options) -> Result<ServiceToken, Box<Error>> {
    let (collection, id) = member(scope, id)?;
    steps::get(&Call::begin(host, collection, options)?, &id)
}

pub fn create(
    host: &impl Host,
    scope: &Scope,
    params: &CreateParams,
    options: Options,
) -> Result<IssuedToken, Box<Error>> {
    let collection = Collection::of(scope)?;
    check_creation(params)?;
    steps::create(&Call::begin(host, collection, options)?, params.into())
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

pub fn update(
    host: &impl Host,
    scope: &Scope,
    id: String,
    params: &UpdateParams,
    options: Options,
) -> Result<UpdatedToken, Box<Error>> {
    let (collection, id) = member(scope, id)?;
    params.name.as_deref().map_or(Ok(()), arguments::name)?;
    check_times(params.duration.as_deref(), params.previous_client_secret_expires_at.as_deref())?;
    steps::update(&Call::begin(host, collection, options)?, &id, params.into())
}

pub fn delete(host: &impl Host, scope: &Scope, id: String, options: Options) -> Result<ServiceToken, Box<Error>> {
    let (collection, id) = member(scope, id)?;
    steps::delete(&Call::begin(host, collection, options)?, &id)
}

pub fn refresh(host: &impl Host, account_id: &str, id: String, options: Options) -> Result<ServiceToken, Box<Error>> {
    let (collection, id) = member_of_account(account_id, id)?;
    host.block_on(steps::refresh(&Call::begin(host, collection, options)?, &id))
}

pub fn rotate(
    host: &impl Host,
    account_id: &str,
    id: String,
    previous: &PreviousSecret,
    options: Options,
) -> Result<IssuedToken, Box<Error>> {
    let (collection, id) = member_of_account(account_id, id)?;
    if let PreviousSecret::ExpiresAt(time) = previous {
        arguments::time("previous.expires-at", time)?;
    }
    steps::rotate(&Call::begin(host, collection, options)?, &id, previous)
}

/// A token of an account.
pub fn member_of_account(account_id: &str, id: String) -> Result<(Collection, TokenId), Invalid> {
    Ok((Collection::of_account(account_id)?, TokenId::new(id)?))
}

/// A token in its scope.
pub fn member(scope: &Scope, id: String) -> Result<(Collection, TokenId), Invalid> {
    Ok((Collection::of(scope)?, TokenId::new(id)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Cause;
    use crate::scripted_host::{Reply, ScriptedHost, options};

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
            let result = delete(&host, &Scope::Zone("z".into()), "the id".into(), Some(options()));
            assert_eq!(host.paths().len(), count);
            assert_eq!(result.is_ok(), is_done, "{count} replies");
            if let Ok(token) = result {
                assert_eq!((token.id.as_str(), token.name), ("the id", None));
            }
        }
    }
}
