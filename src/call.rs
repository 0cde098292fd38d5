//! One call: attempts, the waits between them, and the one deadline over all of it.
//!
//! A call may be one request or many, several of them at once. Every request of the guest goes through [`Call::send`]. An attempt
//! is judged (`trouble`), the repetition decided (`repeat`), and the error, if it comes to one, tells the whole call: how many
//! attempts there were, and whether any of them may have made the change.

use std::cell::{Cell, RefCell};

use crate::arguments::{Collection, TokenId};
use crate::bindings::exports::cloudflare::access::types::{Error, ErrorKind, Outcome, RequestOptions};
use crate::envelope::{self, Envelope, Info};
use crate::error::{Invalid, clean, cleaned, holds_no_secret, is_presentable_id, message, without_answer};
use crate::host::{Answer, Duration, Failure, Headers, Host, Instant, Limits, Request};
use crate::json::{Cursor, Json};
use crate::moment::http_date;
use crate::operation::Operation;
use crate::repeat::{Decision, Situation, backoff, decide};
use crate::settings::Settings;
use crate::text::{self, decimal, joined};
use crate::token::{Unusable, client_secrets};
use crate::trouble::{BASE_URL, Head, Trouble};

/// The most bytes an answer may have. A page of 1000 tokens has about 400 kB.
const BODY_LIMIT: usize = 8 * 1024 * 1024;
/// A call makes a secret or two. A server that shows more of what it makes up must not make every text cost a search for each.
const CLIENT_SECRETS_KEPT: usize = 100;
/// The longest pause in the middle of an answer.
const BETWEEN_BYTES: Duration = Duration::from_secs(15);

/// Takes the result out of an answer that may yet turn out to be no good one. It may be asked more than once: what it took last
/// counts. None: the answer has no result. Not a type of its own for each result, so that the component holds `send` once.
pub type Read<'r> = dyn FnMut(Option<&mut Cursor<'_>>) -> Result<(), Unusable> + 'r;

/// A call under way.
pub struct Call<'a, H> {
    host: &'a H,
    collection: Collection,
    settings: Settings,
    /// The start of the call until its first attempt begins, which is then.
    begun: Cell<Option<Instant>>,
    deadline: Instant,
    /// Whether an attempt whose outcome stays unknown can be made good within the call.
    recovers: bool,
    /// Whether good answers are asked what time it is. Most calls need nothing of the head of one.
    tells_time: bool,
    requests: Cell<u32>,
    server_time: Cell<Option<i64>>,
    /// The client secrets that answers have shown so far, which no error may show.
    client_secrets: RefCell<Vec<String>>,
}

impl<'a, H: Host> Call<'a, H> {
    /// Begins a call about the tokens of a scope: resolves its settings, and starts its time.
    pub fn begin(host: &'a H, collection: Collection, options: Option<RequestOptions>) -> Result<Self, Invalid> {
        let settings = Settings::resolve(options, host)?;
        let begun = host.now();
        Ok(Self {
            host,
            collection,
            deadline: begun.after(settings.timeout),
            settings,
            begun: Cell::new(Some(begun)),
            recovers: false,
            tells_time: false,
            requests: Cell::new(0),
            server_time: Cell::new(None),
            client_secrets: RefCell::default(),
        })
    }

    /// For a call that finds out what became of an attempt: it gives up on one early.
    pub fn recover(&mut self) {
        self.recovers = true;
    }

    /// For a call that needs to know what time it is for the server.
    pub fn ask_for_time(&mut self) {
        self.tells_time = true;
    }

    pub fn host(&self) -> &H {
        self.host
    }

    pub fn collection(&self) -> &Collection {
        &self.collection
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Seconds since 1970 as the last good answer says, in a call that was begun with time.
    pub fn server_time(&self) -> Option<i64> {
        self.server_time.get()
    }

    /// Waits before something is tried again, for the so-manieth time and at least as long as the API asked. False, and no
    /// wait, if the call would end first.
    pub fn pause(&self, attempt: u32, asked_wait: Option<Duration>) -> bool {
        let now = self.host.now();
        let wait = backoff(attempt, now.0).max(asked_wait.unwrap_or_default());
        if wait >= self.deadline.remaining(now) {
            return false;
        }
        self.host.block_on(self.host.sleep_until(now.after(wait)));
        true
    }

    /// Sends a request until it succeeds or may not be repeated. `read` takes the result out of the answer; what comes back tells where a
    /// list stands. `about` is the token that an error is about.
    pub async fn send(
        &self,
        operation: Operation,
        request: &Request<'_>,
        about: Option<&str>,
        read: &mut Read<'_>,
    ) -> Result<Info, Box<Error>> {
        let mut retries_left = self.settings.retries;
        let mut attempt = 0_u32;
        let mut may_have_changed = false;
        loop {
            attempt = attempt.saturating_add(1);
            let from = self.begun.take().unwrap_or_else(|| self.host.now());
            let limits = Limits {
                from,
                until: self.attempt_ends(operation, retries_left, from),
                between_bytes: BETWEEN_BYTES,
                body: BODY_LIMIT,
            };
            let trouble = match self.attempt(request, limits, read).await {
                Ok(info) => return Ok(info),
                Err(trouble) => trouble,
            };
            let now = self.host.now();
            let situation = Situation {
                retries_left,
                attempt,
                asked_wait: trouble.head.as_ref().and_then(|head| head.asked_wait),
                time_left: self.deadline.remaining(now),
                chance: now.0,
            };
            match decide(operation, trouble.class, situation) {
                Decision::AgainAfter(wait) => {
                    may_have_changed |= trouble.outcome != Outcome::NotApplied;
                    retries_left = retries_left.saturating_sub(1);
                    self.host.sleep_until(now.after(wait)).await;
                }
                Decision::GiveUp => return Err(self.error(operation, *trouble, about, may_have_changed)),
            }
        }
    }

    async fn attempt(&self, request: &Request<'_>, limits: Limits, read: &mut Read<'_>) -> Result<Info, Box<Trouble>> {
        if limits.from >= self.deadline {
            return Err(Trouble::too_late());
        }
        self.requests.set(self.requests.get().saturating_add(1));
        let answer = match self.host.exchange(request, limits).await {
            Ok(answer) => answer,
            Err(Failure { cause, head }) => {
                let head =
                    head.map(|(status, headers)| self.with_secrets(|secrets| Head::new(status, &headers, secrets)));
                return Err(Trouble::without_answer(cause, head));
            }
        };
        let Answer { status, headers, body } = &answer;
        // Made only where the answer is of no use: what it shows of secrets is kept out of the error first.
        let head = || {
            for secret in client_secrets(body) {
                self.keep_out(secret);
            }
            self.with_secrets(|secrets| Head::new(*status, headers, secrets))
        };
        let is_good = (200..300).contains(status);
        let mut has_read = false;
        let mut read_in_place = |cursor: &mut Cursor<'_>| {
            has_read = is_good && read(Some(cursor)).is_ok();
            has_read
        };
        match envelope::read(body, &mut read_in_place) {
            Envelope::Success { result, info } if is_good => {
                if self.tells_time {
                    self.server_time.set(headers.get("date").as_deref().and_then(http_date));
                }
                if !has_read {
                    let mut result = result.map(Json::cursor);
                    read(result.as_mut()).map_err(|unusable| Trouble::unusable(head(), unusable))?;
                }
                Ok(info)
            }
            // A yes under a status that says no: the status counts.
            Envelope::Success { .. } => Err(Trouble::refused(head(), Vec::new())),
            Envelope::Failure { errors } => Err(Trouble::refused(head(), errors)),
            Envelope::Foreign(foreign) => {
                let head = head();
                Err(self.with_secrets(|secrets| Trouble::foreign(head, foreign, body, secrets)))
            }
        }
    }

    /// Keeps a client secret that an answer has shown out of every error of this call.
    pub fn keep_out(&self, client_secret: String) {
        let mut known = self.client_secrets.borrow_mut();
        if known.len() < CLIENT_SECRETS_KEPT && !known.contains(&client_secret) {
            known.push(client_secret);
        }
    }

    fn with_secrets<T>(&self, use_them: impl FnOnce(&[&str]) -> T) -> T {
        use_them(&self.settings.secrets(&self.client_secrets.borrow()))
    }

    /// Text of the server as an error may show it.
    pub fn clean(&self, text: &str) -> String {
        self.with_secrets(|secrets| clean(text, secrets))
    }

    /// Whether an error may show an id that the server sent.
    pub fn may_show_id(&self, id: &str) -> bool {
        self.with_secrets(|secrets| is_presentable_id(id, secrets))
    }

    /// The id of a token as an answer gave it, for the next request. One that is none is not shown. `function` is the name of the
    /// caller's function in the contract.
    pub fn id_of_answer(&self, function: &str, id: &str) -> Result<TokenId, Box<Error>> {
        let checked = Some(id).filter(|id| self.may_show_id(id)).and_then(|id| TokenId::new(id.to_owned()).ok());
        checked.ok_or_else(|| {
            let length = decimal(text::length(id));
            let what = [
                "the server names a token by ",
                &length,
                " characters that are no id: an id is a UUID, 36 letters, digits and hyphens; ",
                BASE_URL,
            ];
            self.error_of_its_own(function, ErrorKind::InvalidResponse, &joined(&what))
        })
    }

    /// Half of the call's time where another attempt may follow, all of it where none may: giving up early on a `create` only
    /// means not knowing. A sixth where not knowing does no harm.
    fn attempt_ends(&self, operation: Operation, retries_left: u32, from: Instant) -> Instant {
        let whole = self.settings.timeout;
        let parts = match (self.recovers, operation.is_sent_once() || retries_left == 0) {
            (true, _) => 6,
            (false, true) => 1,
            (false, false) => 2,
        };
        let default = Duration(whole.0.checked_div(parts).unwrap_or(whole.0));
        let own = from.after(self.settings.attempt_timeout.unwrap_or(default));
        own.min(self.deadline)
    }

    /// An error that no answer is to blame for, and that no change came of. `function` is its name in the contract. What `what` shows
    /// of the server has been cleaned.
    pub fn error_of_its_own(&self, function: &str, kind: ErrorKind, what: &str) -> Box<Error> {
        let mut error = without_answer(kind, &[function, ": ", what]);
        error.attempts = self.requests.get();
        error
    }

    fn error(&self, operation: Operation, trouble: Trouble, about: Option<&str>, may_have_changed: bool) -> Box<Error> {
        let outcome = match trouble.outcome {
            _ if !operation.changes() => Outcome::NotApplied,
            Outcome::NotApplied if may_have_changed => Outcome::Unknown,
            outcome => outcome,
        };
        let api_errors = self.with_secrets(|secrets| cleaned(trouble.api_errors, secrets));
        let told_id = trouble.token_id.filter(|id| self.may_show_id(id));
        // An id that an earlier answer gave may have turned out to be a secret since.
        let about = about.filter(|id| self.with_secrets(|secrets| holds_no_secret(id, secrets)));
        let head = trouble.head.as_ref();
        Box::new(Error {
            kind: trouble.kind,
            outcome,
            message: message(operation, &trouble.what, &api_errors, trouble.hint, outcome),
            status: head.map(|head| head.status),
            api_errors,
            ray_id: head.and_then(|head| head.ray_id.clone()),
            retry_after_ms: head.and_then(|head| head.asked_wait).map(Duration::as_millis),
            attempts: self.requests.get(),
            token_id: told_id.or_else(|| about.map(str::to_owned)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::exports::cloudflare::access::types::RequestOptions;
    use crate::host::{Cause, Method, Scheme};
    use crate::scripted_host::{Reply, ScriptedHost, options};

    const UPDATE: Operation = Operation::Update { raises_secret: false };
    const RAISE: Operation = Operation::Update { raises_secret: true };
    const REFUSED: Reply = Reply::Failure(Cause::NotSent("the connection was refused"));
    const LOST: Reply = Reply::Failure(Cause::Lost("the connection broke"));
    const LATE: Reply = Reply::Failure(Cause::TimedOut("no answer came in time"));
    const DENIED: Reply = Reply::Failure(Cause::Denied("the host does not let it out"));

    fn done() -> Reply {
        Reply::json(200, r#"{"success":true,"result":{}}"#)
    }

    fn status(status: u16) -> Reply {
        Reply::json(status, r#"{"success":false,"errors":[]}"#)
    }

    fn limited(seconds: &str) -> Reply {
        status(429).with_header("retry-after", seconds)
    }

    fn send_with(operation: Operation, host: &ScriptedHost, options: RequestOptions) -> Result<(), Box<Error>> {
        let collection = Collection::of_account("a").expect("good");
        let call = Call::begin(host, collection, Some(options)).expect("good settings");
        let request = Request {
            method: Method::Post,
            scheme: Scheme::Https,
            authority: "a.example",
            path_with_query: "/x".into(),
            headers: Vec::new(),
            body: None,
        };
        let mut pass = |result: Option<&mut Cursor<'_>>| {
            result.map(Cursor::value);
            Ok(())
        };
        host.block_on(call.send(operation, &request, None, &mut pass)).map(drop)
    }

    fn send(operation: Operation, replies: impl IntoIterator<Item = Reply>) -> (Result<(), Box<Error>>, ScriptedHost) {
        let host = ScriptedHost::with_replies(replies);
        (send_with(operation, &host, options()), host)
    }

    #[test]
    fn what_passes_is_repeated_twice_where_that_is_harmless_and_never_where_it_makes_a_secret() {
        for failure in [LOST, status(500), status(408), status(520), Reply::json(200, ""), Reply::json(502, "<html>")] {
            for operation in Operation::ALL {
                let (result, host) = send(operation, [failure.clone(), failure.clone(), done()]);
                let requests = if operation.is_sent_once() { 1 } else { 3 };
                assert_eq!(host.paths().len(), requests, "{operation:?}");
                assert_eq!(result.is_ok(), !operation.is_sent_once(), "{operation:?}");
            }
        }
    }

    #[test]
    fn what_never_left_and_what_is_limited_is_repeated_for_every_operation() {
        for operation in Operation::ALL {
            for failure in [REFUSED, status(429), limited("1"), Reply::json(429, "null")] {
                let (result, host) = send(operation, [failure.clone(), failure.clone(), done()]);
                assert!(result.is_ok() && host.paths().len() == 3, "{operation:?}");
                let error = send(operation, vec![failure; 3]).0.expect_err("three failures");
                assert_eq!((error.outcome, error.attempts), (Outcome::NotApplied, 3), "{operation:?}");
            }
        }
    }

    #[test]
    fn what_will_be_the_same_next_time_is_not_repeated() {
        for failure in [DENIED, status(400), status(401), status(403), status(404), status(409), status(302)] {
            for operation in Operation::ALL {
                let (result, host) = send(operation, [failure.clone()]);
                assert!(result.is_err() && host.paths().len() == 1, "{operation:?}");
            }
        }
    }

    #[test]
    fn one_attempt_that_may_have_done_it_makes_the_whole_call_uncertain() {
        for (replies, outcome) in [
            (vec![REFUSED, LOST, status(400)], Outcome::Unknown),
            (vec![LOST, REFUSED, REFUSED], Outcome::Unknown),
            (vec![status(500), limited("0"), DENIED], Outcome::Unknown),
            (vec![REFUSED, limited("0"), status(400)], Outcome::NotApplied),
            (vec![REFUSED, REFUSED, REFUSED], Outcome::NotApplied),
            (vec![REFUSED, REFUSED, LOST], Outcome::Unknown),
        ] {
            let attempts = u32::try_from(replies.len()).expect("a few");
            for operation in [UPDATE, Operation::Delete, Operation::Refresh] {
                let error = send(operation, replies.clone()).0.expect_err("it fails");
                assert_eq!((error.outcome, error.attempts), (outcome, attempts), "{operation:?}");
            }
            let error = send(Operation::Get, replies).0.expect_err("it fails");
            assert_eq!(error.outcome, Outcome::NotApplied, "a read changes nothing");
        }
        let error = send(RAISE, [REFUSED, LOST]).0.expect_err("it fails");
        assert_eq!((error.outcome, error.attempts), (Outcome::Unknown, 2), "sent once after it did not leave once");
    }

    #[test]
    fn the_number_of_retries_is_the_callers() {
        for retries in [0, 1, 5, 10] {
            let host = ScriptedHost::default();
            host.then_repeat(|_| LOST);
            let given = RequestOptions { max_retries: Some(retries), ..options() };
            let error = send_with(Operation::Get, &host, given).expect_err("it fails");
            assert_eq!(error.attempts, retries + 1);
        }
    }

    #[test]
    fn an_asked_wait_is_kept_exactly_if_it_fits_and_told_if_not() {
        let (result, host) = send(Operation::Create, [limited("7"), limited("5"), done()]);
        assert!(result.is_ok() && host.waited() == Duration::from_secs(12));
        // 40 seconds fit into 60, but not twice.
        let (result, host) = send(Operation::Create, [limited("40"), limited("40")]);
        let error = result.expect_err("too long");
        assert_eq!((error.kind, error.retry_after_ms), (ErrorKind::RateLimited, Some(40_000)));
        assert_eq!((host.waited(), error.attempts), (Duration::from_secs(40), 2));
        let (result, host) = send(Operation::List, [limited("7200")]);
        assert_eq!(result.expect_err("too long").retry_after_ms, Some(7_200_000));
        assert_eq!(host.waited(), Duration::default());
    }

    #[test]
    fn waits_and_attempts_stay_within_the_time_of_the_call() {
        for milliseconds in [1, 100, 700, 1000, 5000, 60_000] {
            for failure in [LATE, LOST, limited("1")] {
                let host = ScriptedHost::default();
                host.then_repeat(move |_| failure.clone());
                let given = RequestOptions { timeout_ms: Some(milliseconds), max_retries: Some(10), ..options() };
                send_with(UPDATE, &host, given).expect_err("it fails");
                let limit = Duration::from_millis(milliseconds.into());
                assert!(host.waited() <= limit, "{:?} of {limit:?}", host.waited());
                assert!(host.limits().iter().all(|limits| limits.until <= Instant(0).after(limit)));
            }
        }
    }

    #[test]
    fn an_attempt_has_half_of_the_time_where_another_may_follow_and_all_of_it_where_none_may() {
        let ends = |operation, retries, own: Option<u32>| {
            let host = ScriptedHost::with_replies([status(400)]);
            let given = RequestOptions {
                timeout_ms: Some(10_000),
                attempt_timeout_ms: own,
                max_retries: Some(retries),
                ..options()
            };
            send_with(operation, &host, given).expect_err("it fails");
            host.limits().first().map(|limits| limits.until.0 / 1_000_000)
        };
        for operation in Operation::ALL {
            let half_or_all = if operation.is_sent_once() { 10_000 } else { 5_000 };
            assert_eq!(ends(operation, 2, None), Some(half_or_all), "{operation:?}");
            assert_eq!(ends(operation, 0, None), Some(10_000), "{operation:?}");
            assert_eq!(ends(operation, 2, Some(300)), Some(300), "{operation:?}");
            assert_eq!(ends(operation, 2, Some(60_000)), Some(10_000), "{operation:?}");
        }
    }
}
