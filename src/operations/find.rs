//! Tokens by their names, which are not unique, and by their client ids.

use crate::contract::lifecycle::Selector;
use crate::contract::types::ServiceToken;
use crate::exchange::{Call, Host};
use crate::failure::Result;
use crate::operations::list_all::{every, list_all};
use crate::request::{Query, arguments};
use crate::timestamp::Timestamp;

/// Returns the tokens that a selector names.
pub async fn find(call: &Call<'_, impl Host>, selector: &Selector) -> Result<Vec<ServiceToken>> {
    match selector {
        Selector::Name(name) => {
            arguments::name(name)?;
            by_name(call, name).await
        }
        Selector::ClientId(client_id) => {
            arguments::text("client-id", client_id, arguments::NAME_LIMIT)?;
            every(call, |token| token.client_id.as_ref() == Some(client_id)).await
        }
    }
}

/// Returns the tokens with this name that were created at `since` or later, or do not say when.
pub async fn resolve_create(call: &Call<'_, impl Host>, name: &str, since: &str) -> Result<Vec<ServiceToken>> {
    arguments::name(name)?;
    let since = arguments::time("since", since)?;
    let created = |token: &ServiceToken| token.created_at.as_deref().and_then(Timestamp::from_rfc3339);
    let mut tokens = by_name(call, name).await?;
    tokens.retain(|token| created(token).is_none_or(|created| created >= since));
    Ok(tokens)
}

/// Returns the tokens with exactly this name, as a part of a call.
pub async fn by_name(call: &Call<'_, impl Host>, name: &str) -> Result<Vec<ServiceToken>> {
    list_all(call, Query { name: Some(name), ..Query::default() }).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::types::{Error, ErrorKind};
    use crate::exchange::scripted_host::{Reply, ScriptedHost, options};
    use crate::request::Function;

    const TOKENS: &str = r#"[{"id":"1","name":"app-staging","client_id":"one.access",
        "created_at":"2026-01-01T00:00:00Z"},
        {"id":"2","name":"app","client_id":"two.access","created_at":"2026-03-01T00:00:00Z"},
        {"id":"3","name":"app","created_at":"2026-01-31T23:59:59Z"},{"id":"4","name":"app"},{"id":"5"}]"#;

    fn ids(result: Result<Vec<ServiceToken>, Error>) -> Vec<String> {
        result.expect("tokens").into_iter().map(|token| token.id).collect()
    }

    #[test]
    fn tokens_are_found_by_their_exact_name_or_their_client_id() {
        let host = ScriptedHost::with_rule(|_| Reply::result(TOKENS));
        let run =
            |selector: Selector| ids(host.run(Function::Find, options(), async |call| find(call, &selector).await));
        assert_eq!(run(Selector::Name("app".into())), ["2", "3", "4"]);
        assert_eq!(run(Selector::ClientId("two.access".into())), ["2"]);
        assert!(run(Selector::ClientId("two".into())).is_empty());
        assert_eq!(host.lines(), ["GET ?name=app", "GET", "GET"]);
    }

    #[test]
    fn an_empty_selector_is_refused() {
        let host = ScriptedHost::default();
        for selector in [Selector::Name(String::new()), Selector::ClientId(String::new())] {
            let run = host.run(Function::Find, options(), async |call| find(call, &selector).await);
            assert_eq!(run.expect_err("accepted").kind, ErrorKind::InvalidArgument);
        }
    }

    #[test]
    fn a_create_is_looked_for_among_the_tokens_that_may_be_its_own() {
        let host = ScriptedHost::with_rule(|_| Reply::result(TOKENS));
        let run = |since: &str| {
            host.run(Function::ResolveCreate, options(), async |call| resolve_create(call, "app", since).await)
        };
        assert_eq!(ids(run("2026-02-01T00:00:00Z")), ["2", "4"]);
        assert_eq!(ids(run("2026-02-01T00:59:59+01:00")), ["2", "3", "4"]);
        assert_eq!(run("yesterday").expect_err("accepted").kind, ErrorKind::InvalidArgument);
    }
}
