//! The tokens that a command is about, and the time that it has for its calls.
//!
//! `--timeout` covers all API calls of a command together: each call gets what the ones before it have left. Time that a person takes
//! to answer a question does not count.

use std::cell::Cell;
use std::time::{Duration, Instant};

use cloudflare_access_host::{CallOptions, CallProgress, Error, Outcome, Scope, ServiceToken, Tokens};
use jiff::{SignedDuration, Timestamp, Unit};

use crate::arguments::Connection;
use crate::effect::{Before, Change, LockOut, ask};
use crate::failure::{Attempt, Failure};
use crate::progress::unless_stopped;
use crate::signals::stopped;

/// How much of the time is kept for a look at what a change has done, at most. A short time is shared in the same way.
const LOOK: Duration = Duration::from_secs(10);
/// The least time that a call can be given.
const LEAST: Duration = Duration::from_millis(1);

/// The tokens of an account or a zone, for the calls of one command.
#[derive(Debug)]
pub struct Api<S> {
    tokens: Tokens<S>,
    scope: Scope,
    base_url: String,
    connection: Connection,
    left: Cell<Duration>,
    /// What the calls of the command have sent, all together.
    sent: CallProgress,
}

impl<S: Clone + Into<Scope>> Api<S> {
    /// Starts with the whole time of the command.
    pub fn new(tokens: Tokens<S>, scope: Scope, base_url: String, connection: &Connection) -> Self {
        let left = Cell::new(connection.timeout);
        Self { tokens, scope, base_url, connection: connection.clone(), left, sent: CallProgress::new() }
    }

    /// Makes a call in the time that is left. The failure says what is true about the attempt.
    pub async fn call<T>(
        &self,
        what: &'static str,
        attempt: &Attempt,
        call: impl AsyncFnOnce(Tokens<S>) -> Result<T, Error>,
    ) -> Result<T, Failure> {
        self.try_call(what, attempt, self.left.get(), call).await?.map_err(|error| attempt.failed(&error))
    }

    /// Runs a change of several calls until a signal stops it. It gets the time that it has for them, which leaves some for a look.
    pub async fn run<T>(
        &self,
        attempt: &Attempt,
        run: impl AsyncFnOnce(Tokens<S>, Duration) -> T,
    ) -> Result<T, Failure> {
        let (begun, left) = (Instant::now(), self.left.get());
        let tokens = self.tokens.clone().with(&CallOptions::new().progress(&self.sent));
        let result = tokio::select! {
            biased;
            result = run(tokens, left.saturating_sub(LOOK.min(left / 6))) => Ok(result),
            _ = stopped() => Err(attempt.interrupted(&self.sent)),
        };
        self.left.set(left.saturating_sub(begun.elapsed()));
        result
    }

    /// Makes a change that leaves time for a look. The caller reads the error of one that may have happened.
    pub async fn try_change<T>(
        &self,
        what: &'static str,
        attempt: &Attempt,
        change: impl AsyncFnOnce(Tokens<S>) -> Result<T, Error>,
    ) -> Result<Result<T, Error>, Failure> {
        let left = self.left.get();
        match self.try_call(what, attempt, left.saturating_sub(LOOK.min(left / 6)), change).await? {
            Err(error) if error.outcome == Outcome::NotApplied => Err(attempt.failed(&error)),
            result => Ok(result),
        }
    }

    /// Looks, after a change whose answer was lost, in the time that is left. None where nothing is left, or the look failed, too.
    pub async fn look<T>(
        &self,
        what: &'static str,
        attempt: &Attempt,
        look: impl AsyncFnOnce(Tokens<S>) -> Result<T, Error>,
    ) -> Result<Option<T>, Failure> {
        match self.left.get() {
            Duration::ZERO => Ok(None),
            left => Ok(self.try_call(what, attempt, left, look).await?.ok()),
        }
    }

    /// Asks the API for its time. This machine's clock is taken where the API's agrees with it to the minute. None where there is no
    /// answer.
    pub async fn time(&self, attempt: &Attempt) -> Result<Option<Timestamp>, Failure> {
        let report = async |tokens: Tokens<S>| tokens.expiring(Duration::from_secs(1)).await;
        let report = self.look("asking for the API's time", attempt, report).await?;
        Ok(report.and_then(|report| report.now.parse().ok()))
    }

    /// Reads a token, as the last thing before a change of it.
    pub async fn read(&self, id: &str) -> Result<ServiceToken, Failure> {
        self.call("reading the token", &Attempt::Read, async |tokens| tokens.get(id).await).await
    }

    /// Decides whom a change locks out, and asks about it. Returns what it asked about.
    pub async fn ask(
        &self,
        change: &Change<'_>,
        before: &Before<'_>,
        label: &str,
        yes: bool,
    ) -> Result<Vec<LockOut>, Failure> {
        let now = if change.needs_the_time(before) { self.time(&Attempt::Read).await? } else { None };
        let lock_outs = change.lock_outs(before, now);
        ask(&lock_outs, label, yes).await?;
        Ok(lock_outs)
    }

    /// Returns where the API is.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Returns whose tokens are meant.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Returns a time so long from now by the API's clock, in RFC 3339; by this machine's where the API gives none.
    pub async fn time_in(&self, duration: Duration) -> Result<String, Failure> {
        let now = self.time(&Attempt::Read).await?.unwrap_or_else(Timestamp::now);
        let time = now.saturating_add(SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX));
        let time = time.unwrap_or(Timestamp::MAX);
        Ok(time.round(Unit::Second).unwrap_or(time).to_string())
    }

    /// Returns the tokens, for calls that each have the whole time of the command.
    pub fn tokens(&self) -> &Tokens<S> {
        &self.tokens
    }

    /// Returns a command line about the same tokens, to be pasted.
    pub fn command(&self, arguments: &[&str]) -> String {
        self.connection.command(arguments)
    }

    async fn try_call<T>(
        &self,
        what: &'static str,
        attempt: &Attempt,
        time: Duration,
        call: impl AsyncFnOnce(Tokens<S>) -> Result<T, Error>,
    ) -> Result<Result<T, Error>, Failure> {
        let begun = Instant::now();
        let options = CallOptions::new().timeout(time.max(LEAST)).progress(&self.sent);
        let tokens = self.tokens.clone().with(&options);
        let result = unless_stopped(what.to_owned(), call(tokens)).await;
        self.left.set(self.left.get().saturating_sub(begun.elapsed()));
        result.map_err(|_| attempt.interrupted(&self.sent))
    }
}

/// A time that lay before an attempt by the API's clock, given the API's time after it.
pub fn before(after: Timestamp, begun: Instant, tolerance: SignedDuration) -> Timestamp {
    let elapsed = SignedDuration::try_from(begun.elapsed()).unwrap_or(SignedDuration::MAX);
    after.saturating_sub(elapsed).and_then(|time| time.saturating_sub(tolerance)).unwrap_or(Timestamp::MIN)
}
