//! What the guest needs from its host, as a trait: two clocks, a wait, the environment, and one HTTP exchange.
//!
//! `wasi_http` has the one real implementation. An exchange is a single request and its answer, until a moment; it never
//! repeats anything and never judges what the answer says.

use std::time::Duration;

use crate::request::Request;
use crate::timestamp::Timestamp;

/// A point on the host's monotonic clock, in nanoseconds. The arithmetic saturates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub u64);

impl Instant {
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanoseconds(duration)))
    }

    /// Returns the time from `now` to this point; zero if it has passed.
    pub fn remaining(self, now: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(now.0))
    }
}

/// Returns a duration as `wasi:clocks` counts it, at most 584 years.
pub fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The headers of an answer. Looked up by name, since a good answer needs hardly any.
pub trait Headers {
    /// Returns the first value under this lower-case name; none if it is absent or not text.
    fn get(&self, name: &str) -> Option<String>;
}

/// The status and the headers of an answer.
pub struct Head {
    pub status: u16,
    pub headers: Box<dyn Headers>,
}

impl Head {
    pub fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Returns the time at which the server says that it answered.
    pub fn date(&self) -> Option<Timestamp> {
        Timestamp::from_http_date(&self.headers.get("date")?)
    }
}

/// A whole answer. The body may still be anything.
pub struct Answer {
    pub head: Head,
    pub body: Vec<u8>,
}

/// Why there is no whole answer, and the head of it where that much came.
pub struct NoAnswer {
    pub cause: Cause,
    pub head: Option<Head>,
}

/// Why there is no whole answer. The texts are our own, never the host's: those can hold addresses and backtraces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Proven: nothing of the request reached a server. Trying again can help.
    NotSent(&'static str),
    /// Proven: the host did not let it out. Trying again cannot help.
    Denied(&'static str),
    /// The request may have been processed; the connection or the answer was lost.
    Lost(&'static str),
    /// As `Lost`, because a limit of time was reached.
    TimedOut(&'static str),
    /// As `Lost`, but an answer came that breaks a limit of size or the protocol, and would again.
    Unreadable(&'static str),
}

/// The host of one call.
pub trait Host {
    fn now(&self) -> Instant;

    /// Returns the seconds since 1970 by the host's wall clock, which may be wrong.
    fn wall_clock(&self) -> i64;

    async fn sleep_until(&self, until: Instant);

    /// Sends the request and reads the whole answer, which must be over at a moment.
    async fn exchange(&self, request: &Request<'_>, until: Instant) -> Result<Answer, NoAnswer>;

    /// Returns the environment variables that the host grants.
    fn environment(&self) -> Vec<(String, String)>;
}
