//! One call of an exported function: attempts, the waits between them, and the one deadline over all of it.
//!
//! A call may be one request or many, several of them at once. Every request goes through [`Call::send`]: an attempt is
//! an exchange and the reading of its answer; after a failed one `repeat` decides, and the failure, if it comes to one,
//! tells whether any attempt may have made the change.

use std::cell::{Cell, RefCell};
use std::mem::take;
use std::time::Duration;

use crate::contract::types::{Error, ErrorKind, Outcome, RequestOptions, Scope, ServiceToken};
use crate::exchange::repeat::{Decision, RetryContext, SHORTEST_ATTEMPT, decide, pause};
use crate::exchange::{Head, Host, Instant};
use crate::failure::{Failure, Result};
use crate::request::{Effect, Function, Request, Settings, Target};
use crate::response::redactor::SECRETS_LIMIT;
use crate::response::{Redactor, ResultReading, Success, TOKENS_LIMIT, Unusable, accept, classify, client_secrets};
use crate::timestamp::Timestamp;

/// How many bytes of a client secret are remembered.
const SECRET_LIMIT: usize = 1024;

/// A call under way.
pub struct Call<'a, H> {
    pub host: &'a H,
    pub settings: Settings,
    function: Function,
    deadline: Instant,
    attempts: Cell<u32>,
    /// The client secrets that answers have shown so far.
    client_secrets: RefCell<Vec<String>>,
}

impl<'a, H: Host> Call<'a, H> {
    /// Begins a call: resolves its settings, checks its scope and that the function may be called in it, and starts its
    /// time.
    pub fn begin(
        host: &'a H,
        function: Function,
        scope: Scope,
        options: Option<RequestOptions>,
    ) -> Result<Self, Error> {
        let settings = Settings::resolve(scope, options, || host.environment())
            .map_err(|mut failure| Redactor::new(take(&mut failure.secrets)).error(function, *failure))?;
        let deadline = host.now().after(settings.timeout);
        let (attempts, client_secrets) = (Cell::new(0), RefCell::default());
        let call = Self { host, settings, function, deadline, attempts, client_secrets };
        call.settings.check_scope(function).map_err(|failure| call.error(*failure))?;
        Ok(call)
    }

    /// Checks the id of a token that the caller gives.
    pub fn target<'b>(&self, id: &'b str) -> Result<Target<'b>> {
        self.settings.refuse_credential("id", id)?;
        Target::asked(id)
    }

    /// Returns the token of an answer as the target of another request.
    pub fn reported<'b>(&self, token: &'b ServiceToken) -> Result<Target<'b>> {
        let target =
            Target::reported(token).filter(|target| self.settings.refuse_credential("id", target.id()).is_ok());
        target.ok_or_else(|| {
            let message = format!("the API shows a token that no request can name, with the id \"{}\"", token.id);
            Failure::new(ErrorKind::InvalidResponse, message)
        })
    }

    /// Sends a request until it succeeds or may not be repeated, and reads the result of its answer. `tokens_left`: the
    /// memory that tokens may take, where several answers share it.
    pub async fn send<T>(
        &self,
        request: &Request<'_>,
        tokens_left: Option<&Cell<usize>>,
        read: impl FnOnce(ResultReading, Option<&str>) -> Result<T, Unusable>,
    ) -> Result<(T, Head)> {
        let Success { head, body, result } = self.answer(request, tokens_left).await?;
        match read(result, request.target.map(Target::id)) {
            Ok(value) => Ok((value, head)),
            Err(unusable) => {
                self.keep_out(&client_secrets(&body));
                Err(classify::completed(classify::unusable(&head, unusable), request, false))
            }
        }
    }

    /// Sends a request until it succeeds or may not be repeated.
    async fn answer(&self, request: &Request<'_>, tokens_left: Option<&Cell<usize>>) -> Result<Success> {
        let mut retries_left = self.settings.retries;
        let mut attempt = 0_u32;
        let mut may_have_changed = false;
        loop {
            attempt = attempt.saturating_add(1);
            let mut failure = match self.attempt(request, retries_left, tokens_left).await {
                Ok(success) => {
                    self.keep_out(&success.result.client_secrets);
                    return Ok(success);
                }
                Err(failure) => failure,
            };
            self.keep_out(&take(&mut failure.secrets));
            let now = self.host.now();
            let context = RetryContext {
                retries_left,
                attempt,
                asked_wait: failure.asked_wait,
                time_left: self.deadline.remaining(now),
                jitter: now.0,
            };
            match decide(request.effect, failure.class, context) {
                Decision::RepeatAfter(wait) => {
                    may_have_changed |= failure.error.outcome != Outcome::NotApplied;
                    retries_left = retries_left.saturating_sub(1);
                    self.host.sleep_until(now.after(wait)).await;
                }
                Decision::GiveUp { asked_wait } => {
                    failure.error.retry_after_ms =
                        asked_wait.map(|wait| u32::try_from(wait.as_millis()).unwrap_or(u32::MAX));
                    return Err(classify::completed(failure, request, may_have_changed));
                }
            }
        }
    }

    /// Exchanges a request for an answer once, and reads the answer.
    async fn attempt(
        &self,
        request: &Request<'_>,
        retries_left: u32,
        tokens_left: Option<&Cell<usize>>,
    ) -> Result<Success> {
        let from = self.host.now();
        let time_left = self.deadline.remaining(from);
        if time_left.is_zero() || (request.effect.is_sent_once() && time_left < SHORTEST_ATTEMPT) {
            return Err(classify::too_late());
        }
        let until = from.after(self.attempt_time(request.effect, retries_left)).min(self.deadline);
        self.attempts.set(self.attempts.get().saturating_add(1));
        match self.host.exchange(request, until).await {
            Ok(answer) => accept(answer, request, tokens_left.map_or(TOKENS_LIMIT, Cell::get)),
            Err(no_answer) => Err(classify::without_answer(no_answer)),
        }
    }

    /// Returns how long one attempt may take: half of the call's time where another attempt may follow, all of it where
    /// none may, since giving up early on a `create` only means not knowing. Less where the function finds out itself
    /// what became of an attempt.
    fn attempt_time(&self, effect: Effect, retries_left: u32) -> Duration {
        let parts = match self.function {
            Function::Issue => 6,
            Function::RotateWithOverlap => 2,
            _ if effect.is_sent_once() || retries_left == 0 => 1,
            _ => 2,
        };
        let share = self.settings.timeout.checked_div(parts).unwrap_or(self.settings.timeout);
        self.settings.attempt_timeout.unwrap_or(share)
    }

    /// Sleeps before retry number `retry` of something that is made of several requests, for at least `asked_wait`.
    /// Returns false without sleeping if no attempt would fit after it.
    pub async fn pause(&self, retry: u32, asked_wait: Option<Duration>) -> bool {
        let now = self.host.now();
        match pause(retry, asked_wait, self.deadline.remaining(now), now.0) {
            Some(wait) => {
                self.host.sleep_until(now.after(wait)).await;
                true
            }
            None => false,
        }
    }

    /// Returns the time of day: what an answer that just came says, or what the clock of the host shows.
    pub fn time_of_day(&self, head: &Head) -> Timestamp {
        head.date().unwrap_or_else(|| Timestamp(self.host.wall_clock()))
    }

    /// Keeps client secrets that an answer shows out of every error of the call from now on.
    fn keep_out(&self, client_secrets: &[String]) {
        let mut kept = self.client_secrets.borrow_mut();
        for secret in client_secrets {
            let secret = secret.get(..secret.floor_char_boundary(SECRET_LIMIT)).unwrap_or(secret);
            if kept.len() <= SECRETS_LIMIT && !kept.iter().any(|kept| kept == secret) {
                kept.push(secret.to_owned());
            }
        }
    }

    /// Returns the message of a failure as an error may show it.
    pub fn message(&self, failure: &Failure) -> String {
        self.redactor().message(failure)
    }

    /// Returns the error of the contract, with the number of requests of the call so far.
    pub fn error(&self, mut failure: Failure) -> Error {
        failure.error.attempts = self.attempts.get();
        self.redactor().error(self.function, failure)
    }

    fn redactor(&self) -> Redactor {
        let own = self.settings.secrets().map(str::to_owned);
        Redactor::new(own.chain(self.client_secrets.borrow().iter().cloned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::lifecycle::{RefreshParams, Selector};
    use crate::contract::types::{CreateParams, Credentials, Endpoint, Header};
    use crate::exchange::Cause;
    use crate::exchange::scripted_host::{CREDENTIAL, Reply, ScriptedHost, account, options};
    use crate::operations::list_all::list_all;
    use crate::operations::service_tokens::{create, get, list_page};
    use crate::operations::{ensure, expiring, find};
    use crate::request::{BodyFields, Method, Query};

    /// Sends a request of this effect, as a part of a call.
    async fn send_one(call: &Call<'_, ScriptedHost>, effect: Effect) -> Result<()> {
        let request = Request::new(&call.settings, (effect, Method::Get, ""), None, None);
        call.answer(&request, None).await.map(drop)
    }

    /// Sends a request of this effect.
    fn send_with(effect: Effect, host: &ScriptedHost, options: RequestOptions) -> Result<(), Error> {
        host.run(Function::Get, options, async |call| send_one(call, effect).await)
    }

    fn send(effect: Effect, replies: impl IntoIterator<Item = Reply>) -> (Result<(), Error>, ScriptedHost) {
        let host = ScriptedHost::with_replies(replies);
        (send_with(effect, &host, options()), host)
    }

    fn done() -> Reply {
        Reply::result("{}")
    }

    fn status(status: u16) -> Reply {
        Reply::new(status, r#"{"success":false,"errors":[]}"#)
    }

    fn limited(seconds: &str) -> Reply {
        status(429).with_header("retry-after", seconds)
    }

    fn denied() -> Reply {
        Reply::failure(Cause::Denied("the host does not let it out"))
    }

    fn late() -> Reply {
        done().after(600_000)
    }

    #[test]
    fn what_passes_is_repeated_twice_where_that_is_harmless_and_never_where_it_makes_a_secret() {
        for failure in
            [Reply::lost(), status(500), status(408), status(520), Reply::new(200, ""), Reply::new(502, "<html>")]
        {
            for effect in Effect::ALL {
                let (result, host) = send(effect, [failure.clone(), failure.clone(), done()]);
                let requests = if effect.is_sent_once() { 1 } else { 3 };
                assert_eq!(host.sent().len(), requests, "{effect:?}");
                assert_eq!(result.is_ok(), !effect.is_sent_once(), "{effect:?}");
            }
        }
    }

    #[test]
    fn what_never_left_and_what_is_limited_is_repeated_for_every_effect() {
        for effect in Effect::ALL {
            for failure in [
                Reply::refused(),
                status(429),
                limited("1"),
                Reply::new(429, "null"),
                Reply::refusal(403, 971),
                Reply::refusal(200, 10_100),
                Reply::refusal(429, 10_100),
            ] {
                let (result, host) = send(effect, [failure.clone(), failure.clone(), done()]);
                assert!(result.is_ok() && host.sent().len() == 3, "{effect:?}");
                let error = send(effect, vec![failure; 3]).0.expect_err("three failures");
                assert_eq!((error.outcome, error.attempts), (Outcome::NotApplied, 3), "{effect:?}");
            }
        }
    }

    #[test]
    fn what_will_be_the_same_next_time_is_not_repeated() {
        for failure in [denied(), status(400), status(401), status(403), status(404), status(409), status(302)] {
            for effect in Effect::ALL {
                let (result, host) = send(effect, [failure.clone()]);
                assert!(result.is_err() && host.sent().len() == 1, "{effect:?}");
            }
        }
    }

    #[test]
    fn one_attempt_that_may_have_done_it_makes_the_whole_call_uncertain() {
        for (replies, outcome) in [
            (vec![Reply::refused(), Reply::lost(), status(400)], Outcome::Unknown),
            (vec![Reply::lost(), Reply::refused(), Reply::refused()], Outcome::Unknown),
            (vec![status(500), limited("0"), denied()], Outcome::Unknown),
            (vec![Reply::refused(), limited("0"), status(400)], Outcome::NotApplied),
            (vec![Reply::refused(), Reply::refused(), Reply::refused()], Outcome::NotApplied),
            (vec![Reply::refused(), Reply::refused(), Reply::lost()], Outcome::Unknown),
        ] {
            let attempts = u32::try_from(replies.len()).expect("a few");
            let error = send(Effect::Change, replies.clone()).0.expect_err("it fails");
            assert_eq!((error.outcome, error.attempts), (outcome, attempts));
            let error = send(Effect::Read, replies).0.expect_err("it fails");
            assert_eq!(error.outcome, Outcome::NotApplied, "a read changes nothing");
        }
        let error = send(Effect::MakeSecret, [Reply::refused(), Reply::lost()]).0.expect_err("it fails");
        assert_eq!((error.outcome, error.attempts), (Outcome::Unknown, 2), "sent once after it did not leave once");
    }

    #[test]
    fn the_first_wait_is_below_half_a_second() {
        for milliseconds in 1..20 {
            let (result, host) = send(Effect::Read, [Reply::refused().after(milliseconds), done()]);
            let elapsed = host.elapsed();
            assert!(result.is_ok() && elapsed < Duration::from_millis(500 + milliseconds), "{elapsed:?}");
        }
    }

    #[test]
    fn client_secrets_are_kept_out_once_each_and_beyond_a_hundred_nothing_is_shown() {
        let shown = |secrets: Vec<String>| {
            let endpoint = Endpoint { credentials: Credentials::Host, base_url: None };
            let options = RequestOptions { endpoint: Some(endpoint), ..options() };
            let failed = ScriptedHost::default().run(Function::Get, options, async |call| {
                call.keep_out(&secrets);
                Err::<(), _>(Failure::new(ErrorKind::Rejected, "not secret-number-100"))
            });
            failed.expect_err("it fails").message
        };
        let distinct = |count: u32| (0..count).map(|number| format!("secret-number-{number:03}")).collect();
        assert_eq!(shown(distinct(100)), "get: not secret-number-100");
        assert!(shown(distinct(101)).contains("more than 100 secrets"));
        assert_eq!(shown(vec!["secret-number-100".to_owned(); 300]), "get: not [redacted]");
    }

    #[test]
    fn the_number_of_retries_is_the_callers() {
        for retries in [0, 1, 5, 10] {
            let host = ScriptedHost::with_rule(|_| Reply::lost());
            let given = RequestOptions { max_retries: Some(retries), ..options() };
            let error = send_with(Effect::Read, &host, given).expect_err("it fails");
            assert_eq!(error.attempts, retries + 1);
        }
    }

    #[test]
    fn an_asked_wait_is_kept_exactly_if_it_fits_and_told_if_not() {
        let (result, host) = send(Effect::MakeSecret, [limited("7"), limited("5"), done()]);
        assert!(result.is_ok() && host.elapsed() == Duration::from_secs(12));
        // 40 seconds fit into 60, but not twice.
        let (result, host) = send(Effect::MakeSecret, [limited("40"), limited("40")]);
        let error = result.expect_err("too long");
        assert_eq!((error.kind, error.retry_after_ms), (ErrorKind::RateLimited, Some(40_000)));
        assert_eq!((host.elapsed(), error.attempts), (Duration::from_secs(40), 2));
        let (result, host) = send(Effect::Read, [limited("99999999999999999999")]);
        assert_eq!(result.expect_err("too long").retry_after_ms, Some(u32::MAX));
        assert_eq!(host.elapsed(), Duration::ZERO);
    }

    #[test]
    fn a_wait_is_told_only_where_it_would_have_helped() {
        let used_up = r#""default";r=0;t=300"#;
        let (result, _) = send(Effect::Read, [status(404).with_header("ratelimit", used_up)]);
        assert_eq!(result.expect_err("not found").retry_after_ms, None);
        let (result, _) = send(Effect::Read, [status(429).with_header("ratelimit", used_up)]);
        assert_eq!(result.expect_err("limited").retry_after_ms, Some(300_000));
        let (result, _) = send(Effect::Read, vec![limited("1"); 3]);
        assert_eq!(result.expect_err("limited").retry_after_ms, Some(1000));
    }

    #[test]
    fn of_several_windows_that_are_used_up_the_longest_is_waited_for() {
        let windows = r#""burst";r=0;t=5, "default";r=0;t=30"#;
        let (result, host) = send(Effect::Read, [status(429).with_header("ratelimit", windows), done()]);
        assert!(result.is_ok() && host.elapsed() == Duration::from_secs(30));
    }

    #[test]
    fn waits_and_attempts_stay_within_the_time_of_the_call() {
        for milliseconds in [1, 100, 700, 1000, 5000, 60_000] {
            for failure in [late(), Reply::lost(), limited("1"), Reply::lost().after(80)] {
                let host = ScriptedHost::with_rule(move |_| failure.clone());
                let given = RequestOptions { timeout_ms: Some(milliseconds), max_retries: Some(10), ..options() };
                send_with(Effect::Change, &host, given).expect_err("it fails");
                let limit = Duration::from_millis(milliseconds.into());
                assert!(host.elapsed() <= limit, "{:?} of {limit:?}", host.elapsed());
                assert!(host.sent().iter().all(|sent| sent.until <= milliseconds.into()));
            }
        }
    }

    #[test]
    fn a_request_that_makes_a_secret_is_not_begun_without_time_for_an_answer() {
        for (left, is_sent) in [(249, false), (250, true)] {
            let list_takes = 1000 - left;
            let host = ScriptedHost::with_replies([Reply::result("[]").after(list_takes), done()]);
            let given = RequestOptions { timeout_ms: Some(1000), attempt_timeout_ms: Some(1000), ..options() };
            let result = host.run(Function::Ensure, given, async |call| {
                list_page(call, Query::default()).await?;
                create(call, BodyFields { name: Some("n"), ..BodyFields::default() }).await.map(drop)
            });
            assert_eq!(host.sent().len(), if is_sent { 2 } else { 1 }, "{left} ms left");
            if !is_sent {
                let error = result.expect_err("too late");
                assert_eq!((error.kind, error.outcome), (ErrorKind::Timeout, Outcome::NotApplied));
                assert_eq!(error.attempts, 1);
            }
        }
    }

    #[test]
    fn an_attempt_has_half_of_the_time_where_another_may_follow_and_all_of_it_where_none_may() {
        let ends = |function, effect, retries, own: Option<u32>| {
            let host = ScriptedHost::with_replies([status(400)]);
            let given = RequestOptions {
                timeout_ms: Some(12_000),
                attempt_timeout_ms: own,
                max_retries: Some(retries),
                ..options()
            };
            let result = host.run(function, given, async |call| send_one(call, effect).await);
            result.expect_err("it fails");
            host.sent()[0].until
        };
        for effect in Effect::ALL {
            let half_or_all = if effect.is_sent_once() { 12_000 } else { 6_000 };
            assert_eq!(ends(Function::Create, effect, 2, None), half_or_all, "{effect:?}");
            assert_eq!(ends(Function::Create, effect, 0, None), 12_000, "{effect:?}");
            assert_eq!(ends(Function::Create, effect, 2, Some(300)), 300, "{effect:?}");
            assert_eq!(ends(Function::Create, effect, 2, Some(60_000)), 12_000, "{effect:?}");
            assert_eq!(ends(Function::RotateWithOverlap, effect, 2, None), 6_000, "{effect:?}");
            assert_eq!(ends(Function::Issue, effect, 0, None), 2_000, "{effect:?}");
        }
    }

    #[test]
    fn the_environment_is_read_once_and_not_at_all_for_an_endpoint_of_the_caller() {
        let variables = [("CLOUDFLARE_API_TOKEN", "t0ken\n"), ("CLOUDFLARE_BASE_URL", "https://b.example")];
        let host = ScriptedHost::with_rule(|_| Reply::result("[]")).with_environment(&variables);
        let look = async |call: &Call<'_, ScriptedHost>| list_page(call, Query::default()).await;
        host.run_in(account(), Function::ListPage, None, look).expect("a list");
        assert_eq!(host.environment_reads(), 1);
        assert_eq!(host.sent()[0].url, "https://b.example/accounts/a/access/service_tokens");
        assert_eq!(host.sent()[0].header("authorization"), Some("Bearer t0ken"));
        host.run(Function::ListPage, options(), look).expect("a list");
        assert_eq!(host.environment_reads(), 1);
        assert_eq!(host.sent()[1].url, "https://a.example/v4/accounts/a/access/service_tokens");
        assert_eq!(host.sent()[1].header("authorization"), Some(format!("Bearer {CREDENTIAL}").as_str()));
    }

    #[test]
    fn what_the_deployer_does_not_allow_is_denied_and_nothing_is_sent() {
        for (variable, value, function) in [
            ("CLOUDFLARE_ACCESS_OPERATIONS", "read", Function::Delete),
            ("CLOUDFLARE_ACCESS_SCOPE", "account:b", Function::Get),
            ("CLOUDFLARE_ACCESS_SCOPE", "zone:a", Function::Get),
        ] {
            let host = ScriptedHost::default().with_environment(&[("CLOUDFLARE_API_TOKEN", "t"), (variable, value)]);
            let error = host.run_in(account(), function, None, async |_| Ok(()));
            let error = error.expect_err("denied");
            assert_eq!((error.kind, error.outcome, error.attempts), (ErrorKind::DeniedByHost, Outcome::NotApplied, 0));
            assert!(error.message.starts_with(&format!("{}: {variable}", function.name())), "{}", error.message);
        }
    }

    #[test]
    fn two_values_for_one_variable_are_refused_by_its_name() {
        let confined = ("CLOUDFLARE_ACCESS_SCOPE", "account:a");
        for (first, second) in [
            (confined, ("CLOUDFLARE_ACCESS_SCOPE", "account:b")),
            (("CLOUDFLARE_ACCESS_SCOPE", "account:b"), confined),
            (confined, ("CLOUDFLARE_ACCESS_SCOPE", "")),
            (("CLOUDFLARE_ACCESS_OPERATIONS", "read"), ("CLOUDFLARE_ACCESS_OPERATIONS", "get")),
            (("CLOUDFLARE_API_TOKEN", "t"), ("CLOUDFLARE_API_TOKEN", "u")),
            (("CLOUDFLARE_API_KEY", ""), ("CLOUDFLARE_API_KEY", "u")),
            (("CLOUDFLARE_EMAIL", "a@b.example"), ("CLOUDFLARE_EMAIL", "c@d.example")),
            (("CLOUDFLARE_BASE_URL", "https://a.example"), ("CLOUDFLARE_BASE_URL", "https://b.example")),
            (("CLOUDFLARE_API_BASE_URL", "https://a.example"), ("CLOUDFLARE_API_BASE_URL", "https://b.example")),
            (("CLOUDFLARE_COMPLIANCE_REGION", "public"), ("CLOUDFLARE_COMPLIANCE_REGION", "fedramp_high")),
        ] {
            let host =
                ScriptedHost::default().with_environment(&[("CLOUDFLARE_API_TOKEN", "t"), first, ("A", "b"), second]);
            let error = host.run_in(account(), Function::Get, None, async |_| Ok(())).expect_err("accepted");
            assert_eq!((error.kind, error.attempts), (ErrorKind::InvalidConfiguration, 0), "{first:?}, {second:?}");
            assert!(error.message.starts_with(&format!("get: {} is set twice", first.0)), "{}", error.message);
        }
        let twice = [("CLOUDFLARE_API_TOKEN", "t"), ("CLOUDFLARE_API_TOKEN", "t\n"), confined, confined];
        let host = ScriptedHost::default().with_environment(&twice);
        assert!(host.run_in(account(), Function::Get, None, async |_| Ok(())).is_ok(), "the same value");
    }

    #[test]
    fn a_credential_never_gets_into_a_url_or_another_header() {
        let host = ScriptedHost::default();
        let refuse = |result: Result<(), Error>, kind, expected: &str| {
            let error = result.expect_err("accepted");
            assert_eq!((error.kind, error.attempts), (kind, 0), "{}", error.message);
            assert!(error.message.contains(expected), "{}", error.message);
            assert!(!format!("{error:?}").contains(CREDENTIAL), "{}", error.message);
        };
        let text = format!("the token {CREDENTIAL}");
        let params = || RefreshParams { within_seconds: 1, name: Some(text.clone()), include_expired: false };
        let create = || CreateParams {
            name: text.clone(),
            duration: None,
            enabled: None,
            client_secret_version: None,
            previous_client_secret_expires_at: None,
        };
        macro_rules! refuse_in {
            ($argument:literal, |$call:ident| $operation:expr) => {
                let run = host.run(Function::Find, options(), async |$call| $operation.await.map(drop));
                refuse(run, ErrorKind::InvalidArgument, concat!($argument, " holds the credential"));
            };
        }
        let (name, search) = (Some(text.as_str()), Some(text.as_str()));
        refuse_in!("name", |call| list_page(call, Query { name, ..Query::default() }));
        refuse_in!("search", |call| list_page(call, Query { search, ..Query::default() }));
        refuse_in!("name", |call| list_all(call, Query { name, ..Query::default() }));
        refuse_in!("search", |call| list_all(call, Query { search, ..Query::default() }));
        refuse_in!("name", |call| find::find(call, &Selector::Name(text.clone())));
        refuse_in!("name", |call| find::resolve_create(call, &text, "2026-11-24T10:00:00Z"));
        refuse_in!("name", |call| expiring::refresh(call, &params()));
        refuse_in!("name", |call| ensure::ensure(call, &create()));
        refuse_in!("id", |call| get(call, call.target(&text)?));
        let header = |name: &str, value: &str| Header { name: name.to_owned(), value: value.to_owned() };
        for header in [header("x-trace", &text), header(CREDENTIAL, "x"), header(CREDENTIAL, "\n")] {
            let given = RequestOptions { headers: Some(vec![header]), ..options() };
            let run = host.run(Function::Get, given, async |_| Ok(()));
            refuse(run, ErrorKind::InvalidConfiguration, "holds the credential");
        }
        for url in [format!("https://a.example/{CREDENTIAL}"), format!("https://{CREDENTIAL}.example")] {
            let mut given = options();
            given.endpoint = given.endpoint.map(|endpoint| Endpoint { base_url: Some(url), ..endpoint });
            let run = host.run(Function::Get, given, async |_| Ok(()));
            refuse(run, ErrorKind::InvalidConfiguration, "the base URL holds the credential");
        }
        assert!(host.sent().is_empty());
    }

    #[test]
    fn a_credential_that_the_end_of_a_shown_value_splits_is_not_shown_in_part() {
        let text = format!("{}{CREDENTIAL} and more", "x ".repeat(25));
        let shows_none = |result: Result<(), Error>| {
            let message = result.expect_err("accepted").message;
            assert!(!message.contains("the-cred") && message.contains("[redacted"), "{message}");
        };
        let host = ScriptedHost::default();
        shows_none(host.run(Function::Create, options(), async |_| Err(Failure::argument("duration", &text, "wrong"))));
        let mut given = options();
        let url = format!("ftp://{}{CREDENTIAL}.example", "x".repeat(45));
        given.endpoint = given.endpoint.map(|endpoint| Endpoint { base_url: Some(url), ..endpoint });
        shows_none(host.run(Function::Get, given, async |_| Ok(())));
        for variable in ["CLOUDFLARE_COMPLIANCE_REGION", "CLOUDFLARE_ACCESS_SCOPE", "CLOUDFLARE_ACCESS_OPERATIONS"] {
            let host =
                ScriptedHost::default().with_environment(&[("CLOUDFLARE_API_TOKEN", CREDENTIAL), (variable, &text)]);
            shows_none(host.run_in(account(), Function::Get, None, async |_| Ok(())));
        }
    }

    #[test]
    fn a_message_begins_with_the_function_and_shows_no_credential_among_its_arguments() {
        let host = ScriptedHost::default();
        let error = host.run(Function::Find, options(), async |_| {
            Err::<(), _>(Failure::argument("name", &format!("{CREDENTIAL} and more"), "too long"))
        });
        let message = error.expect_err("refused").message;
        assert_eq!(message, "find: name is \"[redacted] and more\": too long");
    }
}
