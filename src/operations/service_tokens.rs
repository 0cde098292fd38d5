//! The functions of `service-tokens` that are one request each.

use crate::contract::types::{
    CreateParams, Deletion, IssuedToken, ListPageParams, PreviousSecret, Scope, ServiceToken, TokenPage, UpdateParams,
    UpdatedToken,
};
use crate::exchange::{Call, Host};
use crate::operations::steps;
use crate::request::{Query, TokenId, arguments};
use crate::response::{Budget, Result};

/// Returns one page of the tokens of a scope.
pub async fn list_page(call: &Call<'_, impl Host>, scope: &Scope, params: &ListPageParams) -> Result<TokenPage> {
    let ListPageParams { name, search, page, per_page } = params;
    let collection = call.collection(scope)?;
    arguments::filters(name.as_deref(), search.as_deref(), *per_page)?;
    arguments::from_one("page", *page)?;
    let query = Query { name: name.as_deref(), search: search.as_deref(), page: *page, per_page: *per_page };
    Ok(steps::list(call, &collection, query, &Budget::default()).await?.value)
}

/// Returns one token.
pub async fn get(call: &Call<'_, impl Host>, scope: &Scope, id: &str) -> Result<ServiceToken> {
    let (collection, id) = (call.collection(scope)?, TokenId::new(id)?);
    Ok(steps::get(call, &collection, id.target()).await?.value)
}

/// Makes a token.
pub async fn create(call: &Call<'_, impl Host>, scope: &Scope, params: &CreateParams) -> Result<IssuedToken> {
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
) -> Result<UpdatedToken> {
    let (collection, id) = (call.collection(scope)?, TokenId::new(id)?);
    arguments::update_params(params)?;
    steps::update(call, &collection, id.target(), &params.into()).await
}

/// Revokes a token.
pub async fn delete(call: &Call<'_, impl Host>, scope: &Scope, id: &str) -> Result<Deletion> {
    let (collection, id) = (call.collection(scope)?, TokenId::new(id)?);
    steps::delete(call, &collection, id.target()).await
}

/// Extends the lifetime of a token by a year.
pub async fn refresh(call: &Call<'_, impl Host>, account: &str, id: &str) -> Result<ServiceToken> {
    let (collection, id) = (call.account(account)?, TokenId::new(id)?);
    steps::refresh(call, &collection, id.target()).await
}

/// Gives a token a new secret.
pub async fn rotate(
    call: &Call<'_, impl Host>,
    account: &str,
    id: &str,
    previous: &PreviousSecret,
) -> Result<IssuedToken> {
    let (collection, id) = (call.account(account)?, TokenId::new(id)?);
    let end = match previous {
        PreviousSecret::ExpiresNow => None,
        PreviousSecret::ExpiresAt(time) => Some(time.as_str()),
    };
    end.map_or(Ok(()), |time| arguments::time("previous.expires-at", time).map(drop))?;
    steps::rotate(call, &collection, id.target(), end).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::types::{Error, ErrorKind, Outcome};
    use crate::exchange::scripted_host::{CREDENTIAL, Reply, ScriptedHost, account, options};
    use crate::request::Function;

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
        let result = host.run(Function::Delete, options(), async |call| delete(call, &zone, ID).await);
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
        host.run(Function::ListPage, options(), async |call| list_page(call, &account(), &list).await).expect("a page");
        host.run(Function::Get, options(), async |call| get(call, &account(), ID).await).expect("a token");
        let params = CreateParams { enabled: Some(false), ..create_params("n\"") };
        host.run(Function::Create, options(), async |call| create(call, &account(), &params).await).expect("a token");
        let changes = UpdateParams { client_secret_version: Some(3), ..no_changes() };
        host.run(Function::Update, options(), async |call| update(call, &account(), ID, &changes).await).expect("it");
        host.run(Function::Delete, options(), async |call| delete(call, &account(), ID).await).expect("it");
        host.run(Function::Refresh, options(), async |call| refresh(call, "a", ID).await).expect("it");
        let (now, later) = (PreviousSecret::ExpiresNow, PreviousSecret::ExpiresAt("2030-01-01T00:00:00Z".into()));
        host.run(Function::Rotate, options(), async |call| rotate(call, "a", ID, &now).await).expect("it");
        host.run(Function::Rotate, options(), async |call| rotate(call, "a", ID, &later).await).expect("it");
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
        let run = host.run(Function::Update, options(), async |call| update(call, &account(), ID, &nothing).await);
        refuse(run.map(drop), "update: params has no field");
        let previous = PreviousSecret::ExpiresAt("tomorrow".into());
        let run = host.run(Function::Rotate, options(), async |call| rotate(call, "a", ID, &previous).await);
        refuse(run.map(drop), "rotate: previous.expires-at is \"tomorrow\"");
        let run = host.run(Function::Delete, options(), async |call| delete(call, &account(), "").await);
        refuse(run.map(drop), "delete: id is empty");
        let client_id = "88bf3b6d86161464f6509f7219099e57.access";
        let run = host.run(Function::Get, options(), async |call| get(call, &account(), client_id).await);
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
        let run = host.run(Function::Get, options(), async |call| get(call, &account(), ID).await);
        let error = run.expect_err("accepted");
        assert_eq!((error.kind, error.outcome), (ErrorKind::InvalidResponse, Outcome::NotApplied));
        let run = host
            .run(Function::Rotate, options(), async |call| rotate(call, "a", ID, &PreviousSecret::ExpiresNow).await);
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
        let run = host.run(Function::Create, options(), async |call| create(call, &account(), &params).await);
        let error = run.expect_err("accepted");
        assert_eq!((error.kind, error.outcome), (ErrorKind::InvalidResponse, Outcome::Applied));
        assert_eq!(error.token_id.as_deref(), Some("new"));
    }

    #[test]
    fn no_message_after_a_lost_rotation_says_to_rotate_again() {
        for reply in [Reply::lost(), Reply::new(500, "{}"), Reply::new(200, ""), Reply::result("{}")] {
            let host = ScriptedHost::with_replies([reply]);
            let run = host.run(Function::Rotate, options(), async |call| {
                rotate(call, "a", ID, &PreviousSecret::ExpiresNow).await
            });
            let error = run.expect_err("lost");
            assert_ne!(error.outcome, Outcome::NotApplied);
            assert!(!error.message.contains("again") && !error.message.contains("retry"), "{}", error.message);
        }
    }
}
