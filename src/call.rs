//! One call: attempts, the waits between them, and the one deadline over all of it.
//!
//! A call may be one request or many, several of them at once. Every request of the guest goes through [`Call::send`]. An attempt is judged (`trouble`), the repetition decided (`repeat`),
//! and the error, if it comes to one, tells the whole call: how many attempts there were, and whether any of them may have
//! made the change.

use std::cell::Cell;
use std::time::Duration;

use serde_json::value::RawValue;

use crate::bindings::exports::cloudflare::access::types::{Error, ErrorKind, Outcome};
use crate::envelope::{self, Envelope, Info};
use crate::error::{clean, cleaned, message};
use crate::host::{Answer, Failure, Headers, Host, Instant, Limits, Request};
use crate::moment::http_date;
use crate::operation::Operation;
use crate::repeat::{Decision, Situation, backoff, decide};
use crate::settings::Settings;
use crate::token::Unusable;
use crate::trouble::{Head, Trouble};

/// The most bytes an answer may have. A page of 1000 tokens has about 400 kB.
const BODY_LIMIT: usize = 8 * 1024 * 1024;
/// The longest pause in the middle of an answer.
const BETWEEN_BYTES: Duration = Duration::from_secs(15);

/// A call under way.
pub struct Call<'a, H> {
    host: &'a H,
    settings: &'a Settings,
    deadline: Instant,
    /// Whether an attempt whose outcome stays unknown can be made good within the call.
    recovers: bool,
    requests: Cell<u32>,
    server_time: Cell<Option<i64>>,
    /// What no error may repeat.
    secrets: Vec<&'a str>,
}

impl<'a, H: Host> Call<'a, H> {
    /// Starts the time of the call.
    pub fn begin(host: &'a H, settings: &'a Settings) -> Self {
        Self {
            host,
            settings,
            deadline: host.now().after(settings.timeout),
            recovers: false,
            requests: Cell::new(0),
            server_time: Cell::new(None),
            secrets: settings.secrets(),
        }
    }

    /// As `begin`, for a call that finds out what became of an attempt: it gives up on one early.
    pub fn begin_with_recovery(host: &'a H, settings: &'a Settings) -> Self {
        Self { recovers: true, ..Self::begin(host, settings) }
    }

    pub fn host(&self) -> &H {
        self.host
    }

    pub fn settings(&self) -> &Settings {
        self.settings
    }

    /// Seconds since 1970 as the last good answer says.
    pub fn server_time(&self) -> Option<i64> {
        self.server_time.get()
    }

    /// Waits before something is tried again, for the so-manieth time and at least as long as the API asked. False, and no
    /// wait, if the call would end first.
    pub async fn pause(&self, attempt: u32, asked_wait: Option<Duration>) -> bool {
        let now = self.host.now();
        let wait = backoff(attempt, now.0).max(asked_wait.unwrap_or_default());
        if wait >= self.deadline.remaining(now) {
            return false;
        }
        self.host.sleep_until(now.after(wait)).await;
        true
    }

    /// Sends a request until it succeeds or may not be repeated. `read` makes the result out of a successful answer.
    /// `about` is the token that an error is about.
    pub async fn send<T>(
        &self,
        operation: Operation,
        request: &Request,
        about: Option<&str>,
        read: impl Fn(Option<&RawValue>, Info) -> Result<T, Unusable>,
    ) -> Result<T, Error> {
        let mut retries_left = self.settings.retries;
        let mut attempt = 0_u32;
        let mut may_have_changed = false;
        loop {
            attempt = attempt.saturating_add(1);
            let limits = Limits {
                until: self.attempt_ends(operation, retries_left),
                between_bytes: BETWEEN_BYTES,
                body: BODY_LIMIT,
            };
            let trouble = match self.attempt(request, limits, &read).await {
                Ok(result) => return Ok(result),
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
                Decision::GiveUp => return Err(self.error(operation, trouble, about, may_have_changed)),
            }
        }
    }

    async fn attempt<T>(
        &self,
        request: &Request,
        limits: Limits,
        read: impl Fn(Option<&RawValue>, Info) -> Result<T, Unusable>,
    ) -> Result<T, Trouble> {
        if self.host.now() >= self.deadline {
            return Err(Trouble::too_late());
        }
        self.requests.set(self.requests.get().saturating_add(1));
        let answer = match self.host.exchange(request, limits).await {
            Ok(answer) => answer,
            Err(Failure { cause, head }) => {
                let head = head.map(|(status, headers)| Head::new(status, &headers, &self.secrets));
                return Err(Trouble::without_answer(cause, head));
            }
        };
        let Answer { status, headers, body } = &answer;
        let head = || Head::new(*status, headers, &self.secrets);
        match envelope::read(body) {
            Envelope::Success { result, info } if (200..300).contains(status) => {
                self.server_time.set(headers.get("date").as_deref().and_then(http_date));
                read(result, info).map_err(|unusable| Trouble::unusable(head(), unusable))
            }
            // A yes under a status that says no: the status counts.
            Envelope::Success { .. } => Err(Trouble::refused(head(), Vec::new())),
            Envelope::Failure { errors } => Err(Trouble::refused(head(), errors)),
            Envelope::Foreign(foreign) => Err(Trouble::foreign(head(), foreign, body, &self.secrets)),
        }
    }

    /// Half of the call's time where another attempt may follow, all of it where none may: giving up early on a `create` only
    /// means not knowing. A sixth where not knowing does no harm.
    fn attempt_ends(&self, operation: Operation, retries_left: u32) -> Instant {
        let whole = self.settings.timeout;
        let parts = match (self.recovers, operation.is_sent_once() || retries_left == 0) {
            (true, _) => 6,
            (false, true) => 1,
            (false, false) => 2,
        };
        let default = whole.checked_div(parts).unwrap_or(whole);
        let own = self.host.now().after(self.settings.attempt_timeout.unwrap_or(default));
        own.min(self.deadline)
    }

    /// An error that no answer is to blame for, and that no change came of. `function` is its name in the contract.
    pub fn error_of_its_own(&self, function: &str, kind: ErrorKind, what: &str) -> Error {
        Error {
            kind,
            outcome: Outcome::NotApplied,
            message: format!("{function}: {what}"),
            status: None,
            api_errors: Vec::new(),
            ray_id: None,
            retry_after_ms: None,
            attempts: self.requests.get(),
            token_id: None,
        }
    }

    fn error(&self, operation: Operation, trouble: Trouble, about: Option<&str>, may_have_changed: bool) -> Error {
        let outcome = match trouble.outcome {
            _ if !operation.changes() => Outcome::NotApplied,
            Outcome::NotApplied if may_have_changed => Outcome::Unknown,
            outcome => outcome,
        };
        let api_errors = cleaned(trouble.api_errors, &self.secrets);
        let told_id = trouble.token_id.filter(|id| clean(id, &self.secrets) == *id);
        let head = trouble.head.as_ref();
        Error {
            kind: trouble.kind,
            outcome,
            message: message(operation, &trouble.what, &api_errors, trouble.hint, outcome),
            status: head.map(|head| head.status),
            api_errors,
            ray_id: head.and_then(|head| head.ray_id.clone()),
            retry_after_ms: head
                .and_then(|head| head.asked_wait)
                .map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
            attempts: self.requests.get(),
            token_id: told_id.or_else(|| about.map(str::to_owned)),
        }
    }
}
