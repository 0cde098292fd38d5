//! The request budget: what the `Ratelimit` headers say, and when the answer is 429 instead.
//!
//! Without a rule nothing is refused, and the headers name the full budget of the real API. With one, a window begins with its first
//! request; the first request beyond the budget is refused, and everything after it until the block ends.

use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use parking_lot::Mutex;
use time::OffsetDateTime;

use crate::behaviour::RateLimit;
use crate::clock;

pub(crate) static RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
static RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Counts requests.
#[derive(Default)]
pub(crate) struct RateLimiter(Mutex<Used>);

struct Used {
    window_start: OffsetDateTime,
    requests: u32,
    blocked_until: OffsetDateTime,
}

impl Default for Used {
    fn default() -> Self {
        let start = OffsetDateTime::UNIX_EPOCH;
        Self { window_start: start, requests: 0, blocked_until: start }
    }
}

/// The state of the budget after a request was counted.
pub(crate) enum Standing {
    Unlimited,
    Within { rule: RateLimit, remaining: u32, resets_after: u64 },
    Exceeded { rule: RateLimit, resets_after: u64 },
}

impl RateLimiter {
    /// Counts a request.
    pub fn count(&self, rule: Option<RateLimit>, now: OffsetDateTime) -> Standing {
        let Some(rule) = rule else { return Standing::Unlimited };
        let mut used = self.0.lock();
        if now < used.blocked_until {
            return Standing::Exceeded { rule, resets_after: seconds(used.blocked_until - now) };
        }
        let end_of = |start| clock::add(start, Duration::from_secs(rule.window_seconds));
        if now >= end_of(used.window_start) || used.requests > rule.requests {
            *used = Used { window_start: now, ..Used::default() };
        }
        used.requests = used.requests.saturating_add(1);
        if used.requests > rule.requests {
            used.blocked_until = clock::add(now, Duration::from_secs(rule.block_seconds));
            return Standing::Exceeded { rule, resets_after: rule.block_seconds };
        }
        let resets_after = seconds(end_of(used.window_start) - now);
        Standing::Within { rule, remaining: rule.requests - used.requests, resets_after }
    }

    /// Begins anew.
    pub fn reset(&self) {
        *self.0.lock() = Used::default();
    }
}

/// Adds the headers that every answer of the API has, unless it already says something of its own.
pub(crate) fn describe(standing: &Standing, headers: &mut HeaderMap) {
    let (rule, remaining, resets_after) = match *standing {
        Standing::Unlimited => (RateLimit::REAL, RateLimit::REAL.requests, RateLimit::REAL.window_seconds),
        Standing::Within { rule, remaining, resets_after } => (rule, remaining, resets_after),
        Standing::Exceeded { rule, resets_after } => (rule, 0, resets_after),
    };
    let policy = || header(format!("\"default\";q={};w={}", rule.requests, rule.window_seconds));
    headers.entry(&RATELIMIT_POLICY).or_insert_with(policy);
    headers.entry(&RATELIMIT).or_insert_with(|| header(used_up(remaining, resets_after)));
}

/// The value of a `Ratelimit` header: so many requests remain, and after so many seconds there are new ones.
pub(crate) fn used_up(remaining: u32, resets_after: u64) -> String {
    format!("\"default\";r={remaining};t={resets_after}")
}

fn seconds(duration: time::Duration) -> u64 {
    u64::try_from(duration.whole_seconds()).unwrap_or_default()
}

fn header(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}
