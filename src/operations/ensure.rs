//! `ensure`: the one token with a name, made or brought in line.

use crate::contract::lifecycle::Ensured;
use crate::contract::types::{CreateParams, ErrorKind, ServiceToken};
use crate::exchange::{Call, Host};
use crate::failure::{Failure, Result};
use crate::operations::{find, service_tokens};
use crate::request::{BodyFields, arguments, go_duration};

/// The most ids that a message lists.
const SHOWN: usize = 10;

/// Makes sure that there is exactly one token with the name of `params`.
pub async fn ensure(call: &Call<'_, impl Host>, params: &CreateParams) -> Result<Ensured> {
    let fields = arguments::create(params)?;
    let mut tokens = find::by_name(call, &params.name).await?;
    if tokens.len() > 1 {
        let message = format!("{} tokens have this name: {}; name one by its id", tokens.len(), ids(&tokens));
        return Err(Failure::new(ErrorKind::Conflict, message));
    }
    match tokens.pop() {
        None => Ok(Ensured::Created(service_tokens::create(call, fields).await?)),
        Some(token) => bring_in_line(call, token, fields).await,
    }
}

/// Returns the ids of tokens as a message lists them.
pub fn ids(tokens: &[ServiceToken]) -> String {
    let shown: Vec<_> = tokens.iter().take(SHOWN).map(|token| token.id.as_str()).collect();
    shown.join(", ") + if tokens.len() > SHOWN { ", \u{2026}" } else { "" }
}

/// Changes what is given and differs.
async fn bring_in_line(call: &Call<'_, impl Host>, token: ServiceToken, wanted: BodyFields<'_>) -> Result<Ensured> {
    let duration = wanted.duration.filter(|wanted| !is_same_duration(token.duration.as_deref(), wanted));
    // An answer without the field is one of an older API, where every token is enabled.
    let enabled = wanted.enabled.filter(|wanted| token.enabled.unwrap_or(true) != *wanted);
    if duration.is_none() && enabled.is_none() {
        return Ok(Ensured::Unchanged(token));
    }
    let fields = BodyFields { duration, enabled, ..BodyFields::default() };
    Ok(Ensured::Updated(service_tokens::change(call, call.reported(&token)?, fields).await?))
}

/// Returns whether two durations are equally long: `24h` and `1440m` are.
fn is_same_duration(current: Option<&str>, wanted: &str) -> bool {
    let Some(current) = current else { return false };
    let length = go_duration::nanoseconds(current);
    current == wanted || (length.is_some() && length == go_duration::nanoseconds(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::types::{Error, Outcome};
    use crate::exchange::scripted_host::{Reply, ScriptedHost, options};
    use crate::request::Function;

    fn run(host: &ScriptedHost, duration: Option<&str>, enabled: Option<bool>) -> Result<Ensured, Error> {
        let params = CreateParams {
            name: "n".into(),
            duration: duration.map(str::to_owned),
            enabled,
            client_secret_version: None,
            previous_client_secret_expires_at: None,
        };
        host.run(Function::Ensure, options(), async |call| ensure(call, &params).await)
    }

    #[test]
    fn a_token_that_is_not_there_is_made() {
        let made = Reply::result(r#"{"id":"1","name":"n","client_secret":"s"}"#);
        let host = ScriptedHost::with_replies([Reply::result(r#"[{"id":"2","name":"nn"}]"#), made]);
        let Ok(Ensured::Created(issued)) = run(&host, Some("24h"), None) else { panic!("not made") };
        assert_eq!(issued.client_secret, "s");
        assert_eq!(host.lines(), ["GET ?name=n", r#"POST  {"name":"n","duration":"24h"}"#]);
    }

    #[test]
    fn only_what_differs_is_changed() {
        let there = r#"[{"id":"1","name":"n","duration":"24h","enabled":true}]"#;
        for (duration, enabled, body) in [
            (Some("1440m"), Some(true), None),
            (None, None, None),
            (Some("48h"), Some(true), Some(r#"PUT /1 {"duration":"48h"}"#)),
            (Some("24h"), Some(false), Some(r#"PUT /1 {"enabled":false}"#)),
            (Some("forever"), Some(false), Some(r#"PUT /1 {"duration":"forever","enabled":false}"#)),
        ] {
            let host = ScriptedHost::with_replies([Reply::result(there), Reply::result(r#"{"id":"1"}"#)]);
            let ensured = run(&host, duration, enabled).expect("ensured");
            assert_eq!(host.lines().get(1).map(String::as_str), body);
            assert_eq!(matches!(ensured, Ensured::Unchanged(_)), body.is_none());
            assert_eq!(matches!(ensured, Ensured::Updated(_)), body.is_some());
        }
    }

    #[test]
    fn a_token_of_an_older_api_is_enabled() {
        let there = Reply::result(r#"[{"id":"1","name":"n"}]"#);
        let host = ScriptedHost::with_replies([there]);
        assert!(matches!(run(&host, None, Some(true)), Ok(Ensured::Unchanged(_))));
    }

    #[test]
    fn twins_are_a_conflict_that_lists_their_ids() {
        let host = ScriptedHost::with_replies([Reply::result(r#"[{"id":"1","name":"n"},{"id":"2","name":"n"}]"#)]);
        let error = run(&host, None, None).expect_err("twins");
        assert_eq!((error.kind, error.outcome, error.attempts), (ErrorKind::Conflict, Outcome::NotApplied, 1));
        assert_eq!(error.message, "ensure: 2 tokens have this name: 1, 2; name one by its id");
    }

    #[test]
    fn many_twins_with_long_ids_make_a_short_message() {
        let long = "y".repeat(100_000);
        let twins: Vec<_> = (0..50).map(|number| format!(r#"{{"id":"{number}{long}","name":"n"}}"#)).collect();
        let host = ScriptedHost::with_replies([Reply::result(&format!("[{}]", twins.join(",")))]);
        assert!(run(&host, None, None).expect_err("twins").message.len() <= 2000);
    }

    #[test]
    fn a_long_id_of_an_answer_is_no_wrong_argument() {
        let id = "x".repeat(60);
        let there = Reply::result(&format!(r#"[{{"id":"{id}","name":"n"}}]"#));
        let host = ScriptedHost::with_replies([there, Reply::result(&format!(r#"{{"id":"{id}"}}"#))]);
        assert!(matches!(run(&host, Some("48h"), None), Ok(Ensured::Updated(token)) if token.id == id));
        let step = Reply::result(r#"[{"id":"..","name":"n"}]"#);
        let error = run(&ScriptedHost::with_replies([step]), Some("48h"), None).expect_err("no id");
        assert_eq!((error.kind, error.outcome, error.attempts), (ErrorKind::InvalidResponse, Outcome::NotApplied, 1));
    }

    #[test]
    fn a_token_is_not_made_without_time_for_an_answer() {
        let host = ScriptedHost::with_replies([Reply::result("[]").after(59_999)]);
        let options = crate::bindings::exports::cloudflare::access::types::RequestOptions {
            attempt_timeout_ms: Some(60_000),
            ..options()
        };
        let params = CreateParams {
            name: "n".into(),
            duration: None,
            enabled: None,
            client_secret_version: None,
            previous_client_secret_expires_at: None,
        };
        let result = host.run(Function::Ensure, options, async |call| ensure(call, &params).await);
        let error = result.expect_err("too late");
        assert_eq!((error.kind, error.outcome, error.attempts), (ErrorKind::Timeout, Outcome::NotApplied, 1));
        assert_eq!(host.lines(), ["GET ?name=n"]);
    }
}
