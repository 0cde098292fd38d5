//! What the guest needs from its host, as a trait: clocks, a wait, chance, the environment, and one HTTP
//! exchange.
//!
//! Everything before and after it is plain Rust that knows no WASI and is tested natively against a scripted host.
//! `wasi_host` is the one real implementation. An exchange is a single request and its answer, within limits; it never
//! repeats anything and never judges what the answer says.

use std::borrow::Cow;

/// A length of time in nanoseconds, as `wasi:clocks` has it: at most 584 years, which anything longer becomes. The type of the standard
/// library counts seconds and nanoseconds, and turns them into these with 128 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(pub u64);

impl Duration {
    const MILLISECOND: u64 = 1_000_000;
    const SECOND: u64 = 1_000_000_000;

    pub const fn from_millis(milliseconds: u64) -> Self {
        Self::of(milliseconds, Self::MILLISECOND)
    }

    pub const fn from_secs(seconds: u64) -> Self {
        Self::of(seconds, Self::SECOND)
    }

    const fn of(number: u64, unit: u64) -> Self {
        match u64::MAX.checked_div(unit) {
            Some(most) if number > most => Self(u64::MAX),
            _ => Self(number.wrapping_mul(unit)),
        }
    }

    pub fn as_millis(self) -> u64 {
        self.0.checked_div(Self::MILLISECOND).unwrap_or(0)
    }
}

/// A point on the host's monotonic clock, in nanoseconds since some fixed moment. The arithmetic saturates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub u64);

impl Instant {
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.0))
    }

    /// How long it is from now until this point; zero if it has passed.
    pub fn remaining(self, now: Self) -> Duration {
        Duration(self.0.saturating_sub(now.0))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Put,
    Delete,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Http,
    Https,
}

/// A request, ready to be sent as often as the rules allow. No `Debug`: the headers hold the credential.
pub struct Request<'a> {
    pub method: Method,
    pub scheme: Scheme,
    pub authority: &'a str,
    pub path_with_query: String,
    /// Names in lower case.
    pub headers: Vec<(&'a str, Cow<'a, str>)>,
    /// None sends no body at all, which is not the same as an empty JSON object.
    pub body: Option<Vec<u8>>,
}

/// How long and how large one exchange may get.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// When it begins.
    pub from: Instant,
    /// When it must be over.
    pub until: Instant,
    /// How long the body may pause.
    pub between_bytes: Duration,
    /// How many bytes the body may have.
    pub body: usize,
}

/// The headers of an answer. Looked up by name, since a good answer needs none of them.
pub trait Headers {
    /// The first value under this lower-case name; none if it is absent or not text.
    fn get(&self, name: &str) -> Option<String>;
}

/// A whole answer. The body may still be anything.
pub struct Answer<H> {
    pub status: u16,
    pub headers: H,
    pub body: Vec<u8>,
}

/// Why there is no whole answer, and the head of it where that much came.
pub struct Failure<H> {
    pub cause: Cause,
    pub head: Option<(u16, H)>,
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
    /// As `Lost`, for the reason that a limit of time was reached.
    TimedOut(&'static str),
    /// As `Lost`, but an answer came that breaks a limit of size or the protocol, and would again.
    Unreadable(&'static str),
}

/// The host of one call.
pub trait Host {
    type Headers: Headers;

    fn now(&self) -> Instant;

    /// Seconds since 1970 by the host's wall clock, which may be wrong.
    fn wall_clock(&self) -> i64;

    /// A number that nobody can foresee.
    fn random(&self) -> u64;

    /// Runs a future to its end. Not to be used inside of one.
    fn block_on<F: Future>(&self, future: F) -> F::Output;

    async fn sleep_until(&self, until: Instant);

    /// Sends the request and reads the whole answer, within the limits.
    async fn exchange(
        &self,
        request: &Request<'_>,
        limits: Limits,
    ) -> Result<Answer<Self::Headers>, Failure<Self::Headers>>;

    /// The environment variables that the host grants.
    fn environment(&self) -> Vec<(String, String)>;
}
