//! The request budget: what the `Ratelimit` headers say, and when the answer is 429 instead.
//!
//! By default nothing is refused and the headers name the full budget. When enforced, a window starts with the first request; when
//! its budget is used up, everything is refused until it ends.

use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use parking_lot::Mutex;
use time::OffsetDateTime;

pub(crate) static RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
static RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The budget of the real API.
pub(crate) const DEFAULT_QUOTA: u32 = 1200;
pub(crate) const DEFAULT_WINDOW: Duration = Duration::from_mins(5);

pub(crate) struct RateLimit {
    quota: u32,
    window: Duration,
    policy: HeaderValue,
    full: HeaderValue,
    /// Start of the window and requests in it; none when not enforced.
    used: Option<Mutex<(OffsetDateTime, u32)>>,
}

/// The state of the budget after a request was counted.
pub(crate) enum Standing {
    Unlimited,
    Within { remaining: u32, resets_after: u64 },
    Exceeded { resets_after: u64 },
}

impl RateLimit {
    pub fn new(enforced: Option<(u32, Duration)>) -> Self {
        let (quota, window) = enforced.unwrap_or((DEFAULT_QUOTA, DEFAULT_WINDOW));
        let seconds = window.as_secs();
        Self {
            quota,
            window,
            policy: header(format!("\"default\";q={quota};w={seconds}")),
            full: header(format!("\"default\";r={quota};t={seconds}")),
            used: enforced.map(|_| Mutex::new((OffsetDateTime::UNIX_EPOCH, 0))),
        }
    }

    pub fn quota(&self) -> u32 {
        self.quota
    }

    pub fn window_seconds(&self) -> u64 {
        self.window.as_secs()
    }

    /// Counts a request.
    pub fn count(&self, now: OffsetDateTime) -> Standing {
        let Some(used) = &self.used else {
            return Standing::Unlimited;
        };
        let mut used = used.lock();
        let age = Duration::try_from(now - used.0).unwrap_or(Duration::ZERO);
        if age >= self.window {
            *used = (now, 0);
        }
        let age = Duration::try_from(now - used.0).unwrap_or(Duration::ZERO);
        let resets_after = self.window.saturating_sub(age).as_secs();
        if used.1 >= self.quota {
            return Standing::Exceeded { resets_after };
        }
        used.1 += 1;
        Standing::Within { remaining: self.quota - used.1, resets_after }
    }

    /// Adds the headers that every answer of the API has, unless it already says something of its own.
    pub fn describe(&self, standing: &Standing, headers: &mut HeaderMap) {
        headers.entry(&RATELIMIT_POLICY).or_insert_with(|| self.policy.clone());
        headers.entry(&RATELIMIT).or_insert_with(|| match standing {
            Standing::Unlimited => self.full.clone(),
            Standing::Within { remaining, resets_after } => header(used_up(*remaining, *resets_after)),
            Standing::Exceeded { resets_after } => header(used_up(0, *resets_after)),
        });
    }
}

/// The value of a `Ratelimit` header: so many requests remain, and after so many seconds there are new ones.
pub(crate) fn used_up(remaining: u32, resets_after: u64) -> String {
    format!("\"default\";r={remaining};t={resets_after}")
}

fn header(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}
