//! The functions of `service-tokens`, one request each: make it, send it, read the token of its answer. What they take
//! has been checked.

use std::cell::Cell;

use crate::contract::types::{Deletion, ErrorKind, IssuedToken, Outcome, ServiceToken, TokenPage, UpdatedToken};
use crate::exchange::{Call, Head, Host};
use crate::failure::{Failure, Result};
use crate::request::{BodyFields, Effect, Method, Query, Request, Target};
use crate::response::{ResultReading, TOKENS_LIMIT, with_id};

/// Returns one page of the tokens of the scope.
pub async fn list_page(call: &Call<'_, impl Host>, query: Query<'_>) -> Result<TokenPage> {
    Ok(list(call, query, &Cell::new(TOKENS_LIMIT)).await?.0)
}

/// Returns one page of the tokens of the scope, and the head of the answer. `tokens_left`: the memory that tokens may
/// take, less by what these take afterwards.
pub async fn list(
    call: &Call<'_, impl Host>,
    query: Query<'_>,
    tokens_left: &Cell<usize>,
) -> Result<(TokenPage, Head)> {
    query.name.map_or(Ok(()), |name| call.settings.refuse_credential("name", name))?;
    query.search.map_or(Ok(()), |search| call.settings.refuse_credential("search", search))?;
    let request = Request::new(&call.settings, (Effect::Read, Method::Get, &query.text()), None, None);
    let ((tokens, size, numbers), head) = call.send(&request, Some(tokens_left), |result, _| result.tokens()).await?;
    tokens_left.set(tokens_left.get().saturating_sub(size));
    let [page, per_page, count, total_count, total_pages] = numbers;
    let page = page.or(query.page);
    let mut page = TokenPage { tokens, page, per_page, count, total_count, total_pages, next_page: None };
    page.next_page = next_page(&page);
    Ok((page, head))
}

/// Returns the page after this one, as far as the answer tells: by the number of pages, else by the number of tokens,
/// else by whether this page is full. An empty page is the last one whatever the numbers say.
fn next_page(page: &TokenPage) -> Option<u32> {
    let number = page.page.unwrap_or(1);
    let size = page.per_page.filter(|size| *size > 0);
    let pages = page.total_pages.or_else(|| Some(page.total_count?.div_ceil(size?)));
    let is_full = || size.is_some_and(|size| usize::try_from(size).is_ok_and(|size| page.tokens.len() >= size));
    let has_next = !page.tokens.is_empty() && pages.map_or_else(is_full, |pages| number < pages);
    number.checked_add(1).filter(|_| has_next)
}

/// Returns one token.
pub async fn get(call: &Call<'_, impl Host>, target: Target<'_>) -> Result<ServiceToken> {
    Ok(look(call, target).await?.0)
}

/// Returns one token, and the head of the answer, which tells the time.
pub async fn look(call: &Call<'_, impl Host>, target: Target<'_>) -> Result<(ServiceToken, Head)> {
    let request = Request::new(&call.settings, (Effect::Read, Method::Get, ""), Some(target), None);
    let (updated, head) = call.send(&request, None, ResultReading::token).await?;
    Ok((updated.token, head))
}

/// Makes a token.
pub async fn create(call: &Call<'_, impl Host>, fields: BodyFields<'_>) -> Result<IssuedToken> {
    let request = Request::new(&call.settings, (Effect::MakeSecret, Method::Post, ""), None, Some(&fields));
    Ok(call.send(&request, None, ResultReading::issued).await?.0)
}

/// Changes a token. With a secret version it may make a new secret.
pub async fn update(call: &Call<'_, impl Host>, target: Target<'_>, fields: BodyFields<'_>) -> Result<UpdatedToken> {
    let effect = if fields.client_secret_version.is_some() { Effect::MakeSecret } else { Effect::Change };
    let request = Request::new(&call.settings, (effect, Method::Put, ""), Some(target), Some(&fields));
    Ok(call.send(&request, None, ResultReading::token).await?.0)
}

/// Changes a token in a way that makes no secret.
pub async fn change(call: &Call<'_, impl Host>, target: Target<'_>, fields: BodyFields<'_>) -> Result<ServiceToken> {
    Ok(update(call, target, fields).await?.token)
}

/// Switches a token on or off.
pub async fn switch(call: &Call<'_, impl Host>, target: Target<'_>, enabled: bool) -> Result<ServiceToken> {
    change(call, target, BodyFields { enabled: Some(enabled), ..BodyFields::default() }).await
}

/// Revokes a token. One that is not found after an attempt that may have deleted it is gone already.
pub async fn delete(call: &Call<'_, impl Host>, target: Target<'_>) -> Result<Deletion> {
    let request = Request::new(&call.settings, (Effect::Change, Method::Delete, ""), Some(target), None);
    let deleted = |result: ResultReading, asked: Option<&str>| match asked {
        Some(asked) if result.is_nothing() => Ok(with_id(asked)),
        _ => Ok(result.token(asked)?.token),
    };
    match call.send(&request, None, deleted).await {
        Ok((token, _)) => Ok(Deletion::Deleted(token)),
        Err(failure) if failure.error.outcome == Outcome::Unknown && is_gone(&failure) => Ok(Deletion::AlreadyGone),
        Err(failure) => Err(failure),
    }
}

/// Extends the lifetime of a token by a year.
pub async fn refresh(call: &Call<'_, impl Host>, target: Target<'_>) -> Result<ServiceToken> {
    let request = Request::new(&call.settings, (Effect::Change, Method::Post, "/refresh"), Some(target), None);
    Ok(call.send(&request, None, ResultReading::token).await?.0.token)
}

/// Gives a token a new secret. `end`: until when the old one passes; none ends it.
pub async fn rotate(call: &Call<'_, impl Host>, target: Target<'_>, end: Option<&str>) -> Result<IssuedToken> {
    let fields = BodyFields { previous_client_secret_expires_at: end, ..BodyFields::default() };
    let request =
        Request::new(&call.settings, (Effect::MakeSecret, Method::Post, "/rotate"), Some(target), Some(&fields));
    Ok(call.send(&request, None, ResultReading::issued).await?.0)
}

/// Returns whether the API says that there is no such token. A 404 about the account or the zone (codes 7000 and 7003)
/// says nothing about the token.
pub fn is_gone(failure: &Failure) -> bool {
    let error = &failure.error;
    let is_about_the_route = error.api_errors.iter().any(|error| matches!(error.code, Some(7000 | 7003)));
    (error.kind, error.status) == (ErrorKind::NotFound, Some(404)) && !is_about_the_route
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::types::{CreateParams, Error, ListPageParams, PreviousSecret, Scope, UpdateParams};
    use crate::exchange::scripted_host::{CREDENTIAL, Reply, ScriptedHost, options};
    use crate::request::{Function, arguments};

    const ID: &str = "f174e90a-fafe-4643-bbbc-4a0ed4fc8415";

    fn create_params(name: &str) -> CreateParams {
        CreateParams {
            name: name.to_owned(),
            duration: None,
            enabled: None,
            client_secret_version: None,
            previous_client_secret_expires_at: None,
        }
    }

    fn no_changes() -> UpdateParams {
        UpdateParams {
            name: None,
            duration: None,
            enabled: None,
            client_secret_version: None,
            previous_client_secret_expires_at: None,
        }
    }

    fn token(id: &str) -> Reply {
        Reply::result(&format!(r#"{{"id":"{id}","client_secret":"s"}}"#))
    }

    fn delete_with(replies: Vec<Reply>) -> (Result<Deletion, Error>, ScriptedHost) {
        let host = ScriptedHost::with_replies(replies);
        let zone = Scope::Zone("z".into());
        let result =
            host.run_in(zone, Function::Delete, Some(options()), async |call| delete(call, call.target(ID)?).await);
        (result, host)
    }

    #[test]
    fn each_function_sends_its_request_with_only_what_was_given() {
        let host =
            ScriptedHost::with_rule(
                |sent| {
                    if sent.line().starts_with("GET ?") { Reply::result("[]") } else { token(ID) }
                },
            );
        let list = ListPageParams { name: Some("a b&c".into()), search: None, page: Some(2), per_page: Some(50) };
        host.run(Function::ListPage, options(), async |call| list_page(call, arguments::list_page(&list)?).await)
            .expect("a page");
        host.run(Function::Get, options(), async |call| get(call, call.target(ID)?).await).expect("a token");
        let params = CreateParams { enabled: Some(false), ..create_params("n\"") };
        host.run(Function::Create, options(), async |call| create(call, arguments::create(&params)?).await)
            .expect("a token");
        let changes = UpdateParams { client_secret_version: Some(3), ..no_changes() };
        host.run(Function::Update, options(), async |call| {
            update(call, call.target(ID)?, arguments::update(&changes)?).await
        })
        .expect("it");
        host.run(Function::Delete, options(), async |call| delete(call, call.target(ID)?).await).expect("it");
        host.run(Function::Refresh, options(), async |call| refresh(call, call.target(ID)?).await).expect("it");
        let (now, later) = (PreviousSecret::ExpiresNow, PreviousSecret::ExpiresAt("2030-01-01T00:00:00Z".into()));
        host.run(Function::Rotate, options(), async |call| {
            rotate(call, call.target(ID)?, arguments::previous_secret(&now)?).await
        })
        .expect("it");
        host.run(Function::Rotate, options(), async |call| {
            rotate(call, call.target(ID)?, arguments::previous_secret(&later)?).await
        })
        .expect("it");
        assert_eq!(
            host.lines(),
            [
                "GET ?name=a%20b%26c&page=2&per_page=50".to_owned(),
                format!("GET /{ID}"),
                r#"POST  {"name":"n\"","enabled":false}"#.to_owned(),
                format!(r#"PUT /{ID} {{"client_secret_version":3}}"#),
                format!("DELETE /{ID}"),
                format!("POST /{ID}/refresh"),
                format!("POST /{ID}/rotate {{}}"),
                format!(r#"POST /{ID}/rotate {{"previous_client_secret_expires_at":"2030-01-01T00:00:00Z"}}"#),
            ]
        );
        for sent in host.sent() {
            assert!(sent.url.starts_with("https://a.example/v4/accounts/a/access/service_tokens"), "{}", sent.url);
            let length = sent.body.as_ref().map_or(0, String::len).to_string();
            assert_eq!(sent.header("content-length"), Some(length.as_str()));
            assert_eq!(sent.header("content-type").is_some(), sent.body.is_some());
            assert_eq!(sent.header("authorization"), Some(format!("Bearer {CREDENTIAL}").as_str()));
            assert!(sent.header("user-agent").is_some_and(|agent| agent.starts_with("cloudflare-access/")));
        }
    }

    #[test]
    fn what_is_refused_is_refused_before_anything_is_sent() {
        let host = ScriptedHost::default();
        let refuse = |result: Result<(), Error>, expected: &str| {
            let error = result.expect_err("accepted");
            assert_eq!((error.kind, error.attempts), (ErrorKind::InvalidArgument, 0));
            assert!(error.message.starts_with(expected), "{}", error.message);
        };
        let nothing = no_changes();
        let run = host.run(Function::Update, options(), async |call| {
            update(call, call.target(ID)?, arguments::update(&nothing)?).await
        });
        refuse(run.map(drop), "update: params has no field");
        let previous = PreviousSecret::ExpiresAt("tomorrow".into());
        let run = host.run(Function::Rotate, options(), async |call| {
            rotate(call, call.target(ID)?, arguments::previous_secret(&previous)?).await
        });
        refuse(run.map(drop), "rotate: previous.expires-at is \"tomorrow\"");
        let run = host.run(Function::Delete, options(), async |call| delete(call, call.target("")?).await);
        refuse(run.map(drop), "delete: id is empty");
        let client_id = "88bf3b6d86161464f6509f7219099e57.access";
        let run = host.run(Function::Get, options(), async |call| get(call, call.target(client_id)?).await);
        refuse(run.map(drop), "get: id is \"88bf3b6d86161464f6509f7219099e57.access\": that is a client id");
        assert!(host.sent().is_empty());
    }

    #[test]
    fn a_token_is_gone_already_only_after_a_repeat_of_our_own() {
        let not_found = || Reply::refusal(404, 12135);
        for (replies, is_gone) in [
            (vec![Reply::lost(), not_found()], true),
            (vec![Reply::refusal(500, 1000), Reply::new(404, r#"{"success":false,"errors":null}"#)], true),
            (vec![Reply::refused(), Reply::lost(), not_found()], true),
            (vec![Reply::lost(), Reply::refused(), not_found()], true),
            // Nothing may have worked before.
            (vec![not_found()], false),
            (vec![Reply::refused(), not_found()], false),
            (vec![Reply::refusal(429, 971), not_found()], false),
            // What is not found is not the token, or it is not certain that anything was looked for.
            (vec![Reply::lost(), Reply::refusal(404, 7003)], false),
            (vec![Reply::lost(), Reply::new(404, "<html>")], false),
            (vec![Reply::refusal(500, 12135); 3], false),
        ] {
            let count = replies.len();
            let (result, host) = delete_with(replies);
            assert_eq!(host.sent().len(), count);
            assert_eq!(matches!(result, Ok(Deletion::AlreadyGone)), is_gone, "{count} replies: {result:?}");
            assert_eq!(result.is_ok(), is_gone, "{count} replies: {result:?}");
        }
        let error = delete_with(vec![not_found()]).0.expect_err("not found");
        assert_eq!((error.kind, error.outcome), (ErrorKind::NotFound, Outcome::NotApplied));
    }

    #[test]
    fn a_delete_without_a_result_is_done() {
        let null = r#"{"success":true,"result":null}"#;
        for reply in [Reply::new(204, ""), Reply::new(200, ""), Reply::new(200, " \r\n"), Reply::new(200, null)] {
            let (result, host) = delete_with(vec![reply]);
            assert!(matches!(result, Ok(Deletion::Deleted(token)) if token.id == ID && token.name.is_none()));
            assert_eq!(host.sent().len(), 1);
        }
        let error = delete_with(vec![Reply::new(404, "")]).0.expect_err("refused");
        assert_eq!(error.kind, ErrorKind::InvalidResponse);
    }

    #[test]
    fn an_answer_about_another_token_is_no_answer() {
        let host = ScriptedHost::with_rule(|_| token("another"));
        let run = host.run(Function::Get, options(), async |call| get(call, call.target(ID)?).await);
        let error = run.expect_err("accepted");
        assert_eq!((error.kind, error.outcome), (ErrorKind::InvalidResponse, Outcome::NotApplied));
        let run = host.run(Function::Rotate, options(), async |call| rotate(call, call.target(ID)?, None).await);
        let error = run.expect_err("accepted");
        assert_eq!((error.kind, error.outcome), (ErrorKind::InvalidResponse, Outcome::Applied));
        assert_eq!((error.token_id.as_deref(), error.attempts), (Some(ID), 1));
        assert!(
            error.message.starts_with("rotate: 200 OK, but it is about another token; it was done"),
            "{}",
            error.message
        );
    }

    #[test]
    fn a_created_token_without_its_secret_is_an_error_that_names_it() {
        let host = ScriptedHost::with_replies([Reply::result(r#"{"id":"new"}"#)]);
        let params = create_params("n");
        let run = host.run(Function::Create, options(), async |call| create(call, arguments::create(&params)?).await);
        let error = run.expect_err("accepted");
        assert_eq!((error.kind, error.outcome), (ErrorKind::InvalidResponse, Outcome::Applied));
        assert_eq!(error.token_id.as_deref(), Some("new"));
    }

    #[test]
    fn no_message_after_a_lost_rotation_says_to_rotate_again() {
        for reply in [Reply::lost(), Reply::new(500, "{}"), Reply::new(200, ""), Reply::result("{}")] {
            let host = ScriptedHost::with_replies([reply]);
            let run = host.run(Function::Rotate, options(), async |call| rotate(call, call.target(ID)?, None).await);
            let error = run.expect_err("lost");
            assert_ne!(error.outcome, Outcome::NotApplied);
            assert!(!error.message.contains("again") && !error.message.contains("retry"), "{}", error.message);
        }
    }
}
