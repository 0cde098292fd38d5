//! One call of an exported function: attempts, the waits between them, and the one deadline over all of it.
//!
//! A call may be one request or many, several of them at once. Every request goes through [`Call::send`]: an attempt is an exchange and the
//! reading of its answer; a failed one is classified (`response::attempt_error`), the repetition decided (`repeat`), and the failure, if it
//! comes to one, tells the whole call: how many attempts there were, and whether any of them may have made the change.

use std::cell::Cell;
use std::time::Duration;

use crate::bindings::exports::cloudflare::access::types::{Error, ErrorKind, RequestOptions, Scope};
use crate::exchange::host::{Host, Instant, Limits};
use crate::exchange::repeat::{Decision, RetryContext, SHORTEST_ATTEMPT, decide, wait};
use crate::request::effect::Effect;
use crate::request::function::Function;
use crate::request::ids::Collection;
use crate::request::invalid::Invalid;
use crate::request::requests::Request;
use crate::request::settings::Settings;
use crate::response::attempt_error::AttemptError;
use crate::response::failure::{Failure, FailureClass};
use crate::response::head::AnswerHead;
use crate::response::server_text::{Cleaned, Redactor, ServerText};
use crate::response::token::{Budget, Unusable};
use crate::response::{Success, accept};

/// The most bytes an answer may have. A page of 1000 tokens has about 400 kB.
const BODY_LIMIT: usize = 8 * 1024 * 1024;
/// The longest pause in the middle of an answer.
const BETWEEN_BYTES: Duration = Duration::from_secs(15);

/// A call under way.
pub struct Call<'a, H> {
    host: &'a H,
    function: Function,
    settings: Settings,
    deadline: Instant,
    attempts: Cell<u32>,
}

impl<'a, H: Host> Call<'a, H> {
    /// Begins a call: resolves its settings and starts its time.
    pub fn begin(host: &'a H, function: Function, options: Option<RequestOptions>) -> Result<Self, Invalid> {
        let settings = Settings::resolve(options, || host.environment())?;
        let deadline = host.now().after(settings.timeout);
        Ok(Self { host, function, settings, deadline, attempts: Cell::new(0) })
    }

    pub fn host(&self) -> &H {
        self.host
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Checks a scope, and that the function may be called in it. Requests need what this returns.
    pub fn collection(&self, scope: &Scope) -> Result<Collection, Invalid> {
        let collection = Collection::of(scope)?;
        self.settings.authority.admit(self.function, &collection)?;
        Ok(collection)
    }

    /// As [`Call::collection`], for a function that takes the id of an account.
    pub fn account(&self, id: &str) -> Result<Collection, Invalid> {
        self.collection(&Scope::Account(id.to_owned()))
    }

    /// Sends a request until it succeeds or may not be repeated. `budget`: the memory that tokens may take.
    pub async fn send(&self, request: &Request<'_>, budget: &Budget) -> Result<Success<H::Headers>, Box<Failure>> {
        let mut retries_left = self.settings.retries;
        let mut attempt = 0_u32;
        let mut may_have_changed = false;
        loop {
            attempt = attempt.saturating_add(1);
            let error = match self.attempt(request, retries_left, budget).await {
                Ok(success) => return Ok(success),
                Err(error) => error,
            };
            let now = self.host.now();
            let context = RetryContext {
                retries_left,
                attempt,
                asked_wait: error.asked_wait(),
                time_left: self.deadline.remaining(now),
                jitter: now.0,
            };
            match decide(request.effect, error.class, context) {
                Decision::RepeatAfter(wait) => {
                    may_have_changed |= error.may_have_changed();
                    retries_left = retries_left.saturating_sub(1);
                    self.host.sleep_until(now.after(wait)).await;
                }
                Decision::GiveUp { asked_wait } => {
                    return Err(error.into_failure(
                        request,
                        may_have_changed,
                        asked_wait,
                        self.attempts.get(),
                        &self.redactor(),
                    ));
                }
            }
        }
    }

    /// Exchanges a request for an answer once, and reads the answer.
    async fn attempt(
        &self,
        request: &Request<'_>,
        retries_left: u32,
        budget: &Budget,
    ) -> Result<Success<H::Headers>, Box<AttemptError>> {
        let from = self.host.now();
        let time_left = self.deadline.remaining(from);
        if time_left.is_zero() || (request.effect.is_sent_once() && time_left < SHORTEST_ATTEMPT) {
            return Err(AttemptError::too_late());
        }
        let until = from.after(self.attempt_time(request.effect, retries_left)).min(self.deadline);
        let limits = Limits { from, until, between_bytes: BETWEEN_BYTES, body: BODY_LIMIT };
        self.attempts.set(self.attempts.get().saturating_add(1));
        match self.host.exchange(request, limits).await {
            Ok(answer) => accept(answer, request, budget, || self.redactor()),
            Err(no_answer) => Err(AttemptError::without_answer(no_answer, &self.redactor())),
        }
    }

    /// Returns how long one attempt may take: half of the call's time where another attempt may follow, all of it where none may, since
    /// giving up early on a `create` only means not knowing. Less where the function finds out itself what became of an attempt.
    fn attempt_time(&self, effect: Effect, retries_left: u32) -> Duration {
        let parts = match self.function {
            Function::Issue => 6,
            Function::RotateWithOverlap => 2,
            _ if effect.is_sent_once() || retries_left == 0 => 1,
            _ => 2,
        };
        self.settings.attempt_timeout.unwrap_or(self.settings.timeout / parts)
    }

    /// Sleeps before retry number `retry` of something that is made of several requests, for at least `asked_wait`. Returns false without
    /// sleeping if no attempt would fit after it.
    pub async fn pause(&self, retry: u32, asked_wait: Option<Duration>) -> bool {
        let now = self.host.now();
        match wait(retry, asked_wait, self.deadline.remaining(now), now.0) {
            Some(wait) => {
                self.host.sleep_until(now.after(wait)).await;
                true
            }
            None => false,
        }
    }

    /// Takes credentials out of the text of a server and shortens it.
    pub fn clean(&self, text: &str) -> Cleaned {
        self.redactor().clean(ServerText(text))
    }

    /// Returns an id as an error may show it. None if it holds a credential, or what could break a line of a log.
    pub fn unchanged(&self, id: &str) -> Option<String> {
        self.redactor().unchanged(id)
    }

    /// Returns a failure that no answer is to blame for, and that no change came of.
    pub fn failure(&self, kind: ErrorKind, message: String) -> Box<Failure> {
        let mut failure = Failure::new(kind, message, FailureClass::Final);
        failure.error.attempts = self.attempts.get();
        failure
    }

    /// Returns the failure of a request that succeeded, with an answer that is no use.
    pub fn unusable(&self, request: &Request<'_>, head: &AnswerHead<H::Headers>, unusable: &Unusable) -> Box<Failure> {
        let redactor = self.redactor().and(unusable.client_secret.as_deref());
        AttemptError::unusable(head, unusable, &redactor).into_failure(
            request,
            false,
            None,
            self.attempts.get(),
            &redactor,
        )
    }

    /// Returns the error of the contract: begins its message with the function that was called, and takes credentials out of arguments that
    /// it shows.
    pub fn named(&self, mut failure: Failure) -> Error {
        if failure.error.kind == ErrorKind::InvalidArgument {
            failure.error.message = self.redactor().redact(&failure.error.message);
        }
        failure.named(self.function)
    }

    fn redactor(&self) -> Redactor {
        Redactor::new(self.settings.secrets())
    }
}
