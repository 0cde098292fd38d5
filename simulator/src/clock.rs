//! The clock of the simulator: every time in an answer and every decision about expiry comes from it.
//!
//! It runs with real time from its start, or stands still if the builder gave it a fixed time; in both cases it can be moved
//! forward. Times in tokens have whole seconds, as the API's have.

use std::time::{Duration, Instant};

use hyper::header::HeaderValue;
use parking_lot::Mutex;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub(crate) struct Clock {
    start: OffsetDateTime,
    running_since: Option<Instant>,
    advanced: Mutex<Duration>,
    http_date: Mutex<(i64, HeaderValue)>,
}

impl Clock {
    /// A clock that starts now and runs.
    pub fn running() -> Self {
        Self::new(OffsetDateTime::now_utc(), Some(Instant::now()))
    }

    /// A clock that shows this time until it is moved.
    pub fn standing_at(start: OffsetDateTime) -> Self {
        Self::new(start.to_offset(time::UtcOffset::UTC), None)
    }

    fn new(start: OffsetDateTime, running_since: Option<Instant>) -> Self {
        let never = (i64::MIN, HeaderValue::from_static(""));
        Self { start, running_since, advanced: Mutex::new(Duration::ZERO), http_date: Mutex::new(never) }
    }

    /// The time, in whole seconds of UTC.
    pub fn now(&self) -> OffsetDateTime {
        let passed = self.running_since.map_or(Duration::ZERO, |since| since.elapsed());
        add(self.start, passed.saturating_add(*self.advanced.lock())).truncate_to_second()
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let mut advanced = self.advanced.lock();
        *advanced = advanced.saturating_add(by);
    }

    /// The time as a `date` header has it. Rendered once a second.
    pub fn http_date(&self) -> HeaderValue {
        let now = self.now();
        let mut cached = self.http_date.lock();
        if cached.0 != now.unix_timestamp() {
            *cached = (now.unix_timestamp(), http_date(now));
        }
        cached.1.clone()
    }
}

/// A time as a `date` or `retry-after` header has it.
pub(crate) fn http_date(time: OffsetDateTime) -> HeaderValue {
    HeaderValue::try_from(httpdate::fmt_http_date(time.into())).unwrap_or(HeaderValue::from_static(""))
}

/// `time` plus `duration`, at most the end of the year 9999.
pub(crate) fn add(time: OffsetDateTime, duration: Duration) -> OffsetDateTime {
    let end = time::macros::datetime!(9999-12-31 23:59:59 UTC);
    time::Duration::try_from(duration).ok().and_then(|duration| time.checked_add(duration)).unwrap_or(end)
}

/// A time as the API writes it: RFC 3339 in UTC.
pub(crate) fn text(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_default()
}

/// Reads RFC 3339 of any offset and precision.
pub(crate) fn parse(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok().map(|time| time.to_offset(time::UtcOffset::UTC))
}
