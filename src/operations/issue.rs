//! `issue` and `finish-issue`: a token is made under a working name and gets its name once the caller has stored its
//! secret.
//!
//! The API has no idempotency key, but names are free text. The working name answers the question of every lost answer:
//! did it happen? So the call looks first. Found: the token gets a new secret, since nobody may have the one before.
//! Not found: it is made. Every failure that can pass leads back to the look, until the time of the call ends.

use crate::contract::types::{CreateParams, ErrorKind, IssuedToken, Outcome, ServiceToken};
use crate::exchange::{Call, Host};
use crate::failure::{Failure, FailureClass, Result};
use crate::operations::ensure::ids;
use crate::operations::list_all::every;
use crate::operations::rotation::Rotation;
use crate::operations::service_tokens;
use crate::request::{BodyFields, arguments};

const BEFORE_KEY: &str = " [issue:";
const AFTER_KEY: &str = "]";
const KEY_LIMIT: usize = 64;

/// Makes a token under its working name, or finds the one that an earlier call made, and returns it with a secret.
pub async fn issue(call: &Call<'_, impl Host>, params: &CreateParams, key: &str) -> Result<IssuedToken> {
    let fields = arguments::create(params)?;
    let working_name = working_name(&params.name, key)?;
    let fields = BodyFields { name: Some(&working_name), ..fields };
    let mut work =
        Work { fields, outcome: Outcome::NotApplied, may_have_created: false, may_have_rotated: false, token_id: None };
    let mut failures = 0_u32;
    loop {
        let failure = match work.attempt(call).await {
            Ok(issued) => return Ok(issued),
            Err(failure) => failure,
        };
        failures = failures.saturating_add(1);
        if failure.class == FailureClass::Final || !call.pause(failures, failure.asked_wait).await {
            return Err(work.unfinished(failure));
        }
    }
}

/// Gives the token that is being issued under a key its name.
pub async fn finish(call: &Call<'_, impl Host>, key: &str) -> Result<ServiceToken> {
    let ending = ending(key)?;
    let tokens = every(call, |token| token.name.as_ref().is_some_and(|name| name.ends_with(&ending))).await?;
    match tokens.as_slice() {
        [] => {
            let message = "no token is being issued under this key: it may be finished already";
            Err(Failure::new(ErrorKind::NotFound, message))
        }
        [token] => {
            let name = token.name.as_deref().and_then(|name| name.strip_suffix(&ending));
            let fields = BodyFields { name, ..BodyFields::default() };
            service_tokens::change(call, call.reported(token)?, fields).await
        }
        several => {
            let count = several.len();
            let message = format!("{count} tokens are being issued under this key: {}", ids(several));
            let mut failure = Failure::new(ErrorKind::Conflict, message);
            failure.add("call `issue` with it again, which leaves one, and store its secret");
            Err(failure)
        }
    }
}

/// Returns how working names under a key end.
fn ending(key: &str) -> Result<String> {
    if is_key(key) {
        Ok([BEFORE_KEY, key, AFTER_KEY].concat())
    } else {
        let rule = format_args!("a key has 1 to {KEY_LIMIT} of A-Z a-z 0-9 . _ -");
        Err(Failure::argument("key", key, rule))
    }
}

fn is_key(key: &str) -> bool {
    let may_stand_in_a_key = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=KEY_LIMIT).contains(&key.len()) && key.bytes().all(may_stand_in_a_key)
}

/// Returns the name of a token until it is finished.
fn working_name(name: &str, key: &str) -> Result<String> {
    let inner = name.strip_suffix(AFTER_KEY).and_then(|name| name.rsplit_once(BEFORE_KEY));
    if inner.is_some_and(|(_, key)| is_key(key)) {
        return Err(Failure::argument("name", name, "it ends as the working names of `issue` do"));
    }
    let working_name = [name, &ending(key)?].concat();
    let (length, limit) = (working_name.chars().count(), arguments::NAME_LIMIT);
    if length > limit {
        let rule =
            format_args!("with its key it becomes a working name of {length} characters, and {limit} is the most");
        return Err(Failure::argument("name", name, rule));
    }
    Ok(working_name)
}

/// What is to be made, and what a call has found out so far.
struct Work<'a> {
    /// With the working name.
    fields: BodyFields<'a>,
    /// Whether this call has made a token or a secret that nobody has.
    outcome: Outcome,
    /// Whether a create of this call was lost, so that a token which is found later may be its.
    may_have_created: bool,
    /// Whether the answer to a rotation of this call was lost.
    may_have_rotated: bool,
    /// The token under the working name, once it is known.
    token_id: Option<String>,
}

impl Work<'_> {
    /// Looks for the token, and gives it a secret or makes it.
    async fn attempt(&mut self, call: &Call<'_, impl Host>) -> Result<IssuedToken> {
        let tokens = self.tokens(call).await?;
        let Some((token, others)) = tokens.split_first() else { return self.create(call).await };
        self.token_id = Some(token.id.clone());
        if self.may_have_created {
            self.outcome = Outcome::Applied;
        }
        delete(call, others.iter()).await?;
        let rotation = Rotation::of(token, call.reported(token)?, None);
        rotation.send(call, self.may_have_rotated).await.inspect_err(|failure| {
            self.note(failure);
            self.may_have_rotated |= failure.error.outcome == Outcome::Unknown;
        })
    }

    /// Makes the token. A create whose answer was lost may have arrived in the meantime, so what else has the working
    /// name is deleted then.
    async fn create(&mut self, call: &Call<'_, impl Host>) -> Result<IssuedToken> {
        match service_tokens::create(call, self.fields).await {
            Ok(issued) => {
                if self.may_have_created {
                    // The token and its secret are here, whatever becomes of this; `finish-issue` reports what is left.
                    let tokens = self.tokens(call).await.unwrap_or_default();
                    let others = tokens.iter().filter(|token| token.id != issued.token.id);
                    delete(call, others).await.unwrap_or_default();
                }
                Ok(issued)
            }
            Err(mut failure) => {
                self.note(&failure);
                self.may_have_created |= failure.error.outcome != Outcome::NotApplied;
                if failure.error.outcome == Outcome::Applied {
                    // The token is there, and the next attempt finds it.
                    failure.class = FailureClass::Passing;
                }
                Err(failure)
            }
        }
    }

    /// Returns the tokens under the working name. All tokens are asked for: how the API compares names is not
    /// documented.
    async fn tokens(&self, call: &Call<'_, impl Host>) -> Result<Vec<ServiceToken>> {
        every(call, |token| token.name.as_deref() == self.fields.name).await
    }

    /// Remembers what a failed request may have made.
    fn note(&mut self, failure: &Failure) {
        self.outcome = match (self.outcome, failure.error.outcome) {
            (Outcome::Applied, _) | (_, Outcome::Applied) => Outcome::Applied,
            (Outcome::Unknown, _) | (_, Outcome::Unknown) => Outcome::Unknown,
            (Outcome::NotApplied, Outcome::NotApplied) => Outcome::NotApplied,
        };
        if failure.error.outcome == Outcome::Applied {
            self.token_id.clone_from(&failure.error.token_id);
        }
    }

    /// Returns the failure of a call that did not finish: what there is, and how to go on.
    fn unfinished(self, mut failure: Box<Failure>) -> Box<Failure> {
        failure.error.outcome = self.outcome;
        if self.outcome != Outcome::NotApplied || failure.class != FailureClass::Final {
            failure.add("to go on, call `issue` again with the same key");
        }
        if let Some(id) = &self.token_id {
            failure.add(&format!("token {id} is under the working name"));
        }
        failure.error.token_id = self.token_id.or(failure.error.token_id);
        failure
    }
}

/// Deletes tokens that a create with a lost answer has left.
async fn delete<'a>(call: &Call<'_, impl Host>, tokens: impl Iterator<Item = &'a ServiceToken>) -> Result<()> {
    for token in tokens {
        match service_tokens::delete(call, call.reported(token)?).await {
            Err(failure) if !service_tokens::is_gone(&failure) => return Err(failure),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::types::{Error, RequestOptions};
    use crate::exchange::scripted_host::{Reply, ScriptedHost, options};
    use crate::request::Function;

    const NAME: &str = "ci [issue:k]";
    const LOOK: &str = "GET";
    const MAKE: &str = r#"POST  {"name":"ci [issue:k]","duration":"24h"}"#;

    fn params(name: &str) -> CreateParams {
        CreateParams {
            name: name.to_owned(),
            duration: Some("24h".to_owned()),
            enabled: None,
            client_secret_version: None,
            previous_client_secret_expires_at: None,
        }
    }

    fn run_with(host: &ScriptedHost, options: RequestOptions) -> Result<IssuedToken, Error> {
        let params = params("ci");
        host.run(Function::Issue, options, async |call| issue(call, &params, "k").await)
    }

    fn run(host: &ScriptedHost) -> Result<IssuedToken, Error> {
        run_with(host, RequestOptions { max_retries: Some(0), ..options() })
    }

    fn listed(tokens: &[(&str, &str)]) -> Reply {
        let tokens: Vec<_> = tokens.iter().map(|(id, name)| format!(r#"{{"id":"{id}","name":"{name}"}}"#)).collect();
        Reply::result(&format!("[{}]", tokens.join(",")))
    }

    fn issued(id: &str, secret: &str) -> Reply {
        Reply::result(&format!(r#"{{"id":"{id}","name":"{NAME}","client_secret":"{secret}"}}"#))
    }

    #[test]
    fn a_token_is_made_under_its_working_name() {
        let host = ScriptedHost::with_replies([listed(&[("0", "ci"), ("9", "ci [issue:kk]")]), issued("1", "s")]);
        let token = run(&host).expect("issued");
        assert_eq!((token.client_secret.as_str(), token.token.name.as_deref()), ("s", Some(NAME)));
        assert_eq!(host.lines(), [LOOK, MAKE]);
    }

    #[test]
    fn the_token_of_an_earlier_call_gets_a_new_secret_and_its_twins_are_deleted() {
        let host = ScriptedHost::with_replies([
            listed(&[("1", NAME), ("2", "other"), ("3", NAME), ("4", NAME)]),
            Reply::result("null"),
            Reply::refusal(404, 12135),
            issued("1", "t"),
        ]);
        assert_eq!(run(&host).expect("issued").client_secret, "t");
        assert_eq!(host.lines(), [LOOK, "DELETE /3", "DELETE /4", "POST /1/rotate {}"]);
    }

    #[test]
    fn a_create_whose_answer_was_lost_is_looked_for() {
        // It happened.
        let host = ScriptedHost::with_replies([listed(&[]), Reply::lost(), listed(&[("1", NAME)]), issued("1", "t")]);
        assert_eq!(run(&host).expect("issued").client_secret, "t");
        assert_eq!(host.lines(), [LOOK, MAKE, LOOK, "POST /1/rotate {}"]);
        // It did not, and what arrives late is deleted.
        let host = ScriptedHost::with_replies([
            listed(&[]),
            Reply::lost(),
            listed(&[]),
            issued("2", "t"),
            listed(&[("1", NAME), ("2", NAME)]),
            Reply::result("null"),
        ]);
        assert_eq!(run(&host).expect("issued").token.id, "2");
        assert_eq!(host.lines(), [LOOK, MAKE, LOOK, MAKE, LOOK, "DELETE /1"]);
    }

    #[test]
    fn a_finished_token_is_returned_whatever_becomes_of_the_sweep() {
        let replies = [listed(&[]), Reply::lost(), listed(&[]), issued("2", "t"), Reply::refusal(403, 9999)];
        let host = ScriptedHost::with_replies(replies);
        assert_eq!(run(&host).expect("issued").client_secret, "t");
        assert_eq!(host.sent().len(), 5);
    }

    #[test]
    fn a_rotation_whose_answer_was_lost_or_cannot_be_used_is_made_again_or_told() {
        let there = || listed(&[("1", NAME)]);
        let host = ScriptedHost::with_replies([there(), Reply::lost(), there(), issued("1", "u")]);
        assert_eq!(run(&host).expect("issued").client_secret, "u");
        let host = ScriptedHost::with_replies([there(), Reply::result(r#"{"id":"1"}"#)]);
        let error = run(&host).expect_err("no secret");
        assert_eq!((error.outcome, error.token_id.as_deref()), (Outcome::Applied, Some("1")));
        assert!(error.message.contains("call `issue` again with the same key"), "{}", error.message);
    }

    /// The token under its working name with the version of its secret, and the secret in an answer to an update.
    fn version(version: u32, secret: Option<&str>) -> String {
        let secret = secret.map_or_else(String::new, |secret| format!(r#","client_secret":"{secret}""#));
        format!(r#"{{"id":"1","name":"{NAME}","client_secret_version":{version}{secret}}}"#)
    }

    fn raise(version: u32) -> String {
        format!(r#"PUT /1 {{"client_secret_version":{version}}}"#)
    }

    #[test]
    fn a_rotation_that_is_carried_out_late_ends_no_secret_that_was_returned() {
        let there = |shown| Reply::result(&format!("[{}]", version(shown, None)));
        let answer = |shown, secret| Reply::result(&version(shown, secret));
        // After the second one it changes nothing: the version is what it asks for.
        let host = ScriptedHost::with_replies([there(2), Reply::lost(), there(2), answer(3, Some("t"))]);
        assert_eq!(run(&host).expect("issued").client_secret, "t");
        assert_eq!(host.lines(), [LOOK.to_owned(), raise(3), LOOK.to_owned(), raise(3)]);
        // Before the second one it takes the version away, so the next one is asked for.
        let late = [there(2), Reply::lost(), there(2), answer(3, None), there(3), answer(4, Some("u"))];
        let host = ScriptedHost::with_replies(late);
        assert_eq!(run(&host).expect("issued").client_secret, "u");
        assert_eq!(host.lines()[4..], [LOOK.to_owned(), raise(4)]);
    }

    #[test]
    fn an_update_without_a_secret_that_no_lost_one_explains_ends_the_call() {
        let listed = Reply::result(&format!("[{}]", version(2, None)));
        let host = ScriptedHost::with_replies([listed, Reply::result(&version(3, None))]);
        let error = run(&host).expect_err("no secret");
        assert_eq!((error.kind, error.outcome, error.attempts), (ErrorKind::Conflict, Outcome::Applied, 2));
        assert_eq!(error.token_id.as_deref(), Some("1"));
    }

    #[test]
    fn a_rotation_that_may_not_have_happened_is_not_told_as_applied() {
        let options = RequestOptions { timeout_ms: Some(1000), max_retries: Some(0), ..options() };
        let host = ScriptedHost::with_rule(|sent| {
            if sent.line() == LOOK { listed(&[("1", NAME)]) } else { Reply::lost().after(100) }
        });
        let error = run_with(&host, options).expect_err("lost");
        assert!(host.sent().len() > 3, "looked for again after a lost rotation");
        assert_eq!((error.outcome, error.token_id.as_deref()), (Outcome::Unknown, Some("1")));
    }

    #[test]
    fn a_created_token_without_its_secret_gets_another() {
        let host = ScriptedHost::with_replies([
            listed(&[]),
            Reply::result(r#"{"id":"1"}"#),
            listed(&[("1", NAME)]),
            issued("1", "t"),
        ]);
        assert_eq!(run(&host).expect("issued").client_secret, "t");
    }

    #[test]
    fn what_is_final_ends_the_call_at_once() {
        for final_answer in [
            Reply::new(404, "<html>"),
            Reply::new(302, ""),
            Reply::refusal(403, 9999),
            Reply::refusal(400, 12130),
            Reply::refusal(401, 10000),
        ] {
            let host = ScriptedHost::with_replies([final_answer.clone()]);
            let error = run(&host).expect_err("final");
            assert_eq!((error.outcome, error.attempts), (Outcome::NotApplied, 1));
            assert!(!error.message.contains("call `issue` again"), "{}", error.message);
            let host = ScriptedHost::with_replies([listed(&[]), final_answer]);
            assert_eq!(run(&host).expect_err("final").attempts, 2);
            assert_eq!(host.elapsed().as_millis(), 0);
        }
    }

    #[test]
    fn the_time_of_the_call_is_used_to_its_end() {
        let options = RequestOptions { timeout_ms: Some(1000), max_retries: Some(0), ..options() };
        let host = ScriptedHost::with_replies([Reply::lost().after(80)])
            .and_then(|sent| if sent.line() == LOOK { listed(&[]) } else { issued("1", "s") });
        assert!(run_with(&host, options.clone()).is_ok());
        let host = ScriptedHost::with_rule(|_| Reply::lost().after(80));
        let error = run_with(&host, options).expect_err("lost");
        assert!(host.elapsed().as_millis() >= 750, "{:?} of 1000 ms", host.elapsed());
        assert_eq!((error.kind, error.outcome), (ErrorKind::Connection, Outcome::NotApplied));
        assert!(error.message.contains("call `issue` again with the same key"), "{}", error.message);
    }

    #[test]
    fn the_wait_that_the_api_asks_for_is_kept() {
        let busy = Reply::refusal(503, 1000).with_header("retry-after", "7");
        let host =
            ScriptedHost::with_replies([listed(&[]), busy, listed(&[]), issued("1", "s"), listed(&[("1", NAME)])]);
        assert!(run(&host).is_ok());
        assert_eq!(host.elapsed().as_secs(), 7);
        let host = ScriptedHost::with_replies([Reply::refusal(429, 971).with_header("retry-after", "300")]);
        let error = run(&host).expect_err("limited");
        assert_eq!((error.kind, error.retry_after_ms, error.attempts), (ErrorKind::RateLimited, Some(300_000), 1));
    }

    #[test]
    fn an_unfinished_call_tells_what_there_is() {
        let options = RequestOptions { timeout_ms: Some(2000), max_retries: Some(0), ..options() };
        let unknown =
            ScriptedHost::with_rule(|sent| if sent.line() == LOOK { listed(&[]) } else { Reply::lost().after(300) });
        let error = run_with(&unknown, options.clone()).expect_err("lost");
        assert_eq!((error.outcome, error.token_id), (Outcome::Unknown, None));
        let made = ScriptedHost::with_replies([listed(&[]), Reply::lost()])
            .and_then(|sent| if sent.line() == LOOK { listed(&[("1", NAME)]) } else { Reply::refused().after(300) });
        let error = run_with(&made, options).expect_err("lost");
        assert_eq!((error.outcome, error.token_id.as_deref()), (Outcome::Applied, Some("1")));
        // An earlier call made it, and this one did nothing.
        let there = ScriptedHost::with_replies([listed(&[("1", NAME)]), Reply::refusal(403, 9999)]);
        let error = run(&there).expect_err("refused");
        assert_eq!((error.outcome, error.token_id.as_deref()), (Outcome::NotApplied, Some("1")));
    }

    #[test]
    fn keys_and_names_have_their_form() {
        let host = ScriptedHost::default();
        for (name, key, expected) in [
            ("ci", "", "issue: key is empty"),
            ("ci", "a b", "issue: key is \"a b\": a key has 1 to 64"),
            ("ci", "k]", "issue: key is \"k]\""),
            ("ci", &"k".repeat(65), "issue: key is \"kkk"),
            ("ci [issue:x]", "k", "issue: name is \"ci [issue:x]\": it ends as"),
            (&"n".repeat(341), "k", "issue: name is \"nnn"),
            ("", "k", "issue: name is empty"),
        ] {
            let params = params(name);
            let run = host.run(Function::Issue, options(), async |call| issue(call, &params, key).await);
            let error = run.expect_err("accepted");
            assert!(error.message.starts_with(expected), "{}", error.message);
            assert_eq!((error.kind, error.attempts), (ErrorKind::InvalidArgument, 0));
        }
        assert!(working_name(&"n".repeat(340), "k").is_ok_and(|name| name.chars().count() == 350));
        assert!(working_name("ci [issue:a b]", "k").is_ok());
    }

    fn finish_with(replies: Vec<Reply>) -> (Result<ServiceToken, Error>, ScriptedHost) {
        let host = ScriptedHost::with_replies(replies);
        let result = host.run(Function::FinishIssue, options(), async |call| finish(call, "k").await);
        (result, host)
    }

    #[test]
    fn a_token_that_is_being_issued_gets_its_name() {
        let tokens = listed(&[("1", "x [issue:kk]"), ("2", NAME), ("3", "ci"), ("4", "[issue:k]")]);
        let (result, host) = finish_with(vec![tokens, Reply::lost(), Reply::result(r#"{"id":"2","name":"ci"}"#)]);
        assert_eq!(result.expect("finished").name.as_deref(), Some("ci"));
        assert_eq!(host.lines(), [LOOK, r#"PUT /2 {"name":"ci"}"#, r#"PUT /2 {"name":"ci"}"#]);
    }

    #[test]
    fn none_or_several_under_a_key_are_not_finished() {
        let (result, _) = finish_with(vec![listed(&[("3", "ci")])]);
        let error = result.expect_err("none");
        assert_eq!((error.kind, error.outcome, error.status), (ErrorKind::NotFound, Outcome::NotApplied, None));
        let (result, host) = finish_with(vec![listed(&[("1", NAME), ("2", "other [issue:k]")])]);
        let error = result.expect_err("several");
        assert_eq!((error.kind, error.outcome), (ErrorKind::Conflict, Outcome::NotApplied));
        assert!(error.message.contains("1, 2"), "{}", error.message);
        assert_eq!(host.lines(), [LOOK]);
    }
}
