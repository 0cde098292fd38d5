//! Points in time: RFC 3339, as the API writes them, and the dates of HTTP.

use std::time::SystemTime;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Whole seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Reads RFC 3339. Fractions of a second are dropped.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        OffsetDateTime::parse(text, &Rfc3339).ok().map(|time| Self(time.unix_timestamp()))
    }

    /// Reads a date of HTTP, such as `Tue, 24 Nov 2026 10:00:00 GMT`.
    pub fn from_http_date(text: &str) -> Option<Self> {
        let since = httpdate::parse_http_date(text).ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        i64::try_from(since.as_secs()).ok().map(Self)
    }

    /// Writes RFC 3339 in UTC. A time outside of the years 0 to 9999, which no clock shows, is the nearest one inside.
    pub fn to_rfc3339(self) -> String {
        let inside = OffsetDateTime::from_unix_timestamp(self.0.clamp(-62_167_219_200, 253_402_300_799));
        inside.ok().and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default()
    }

    /// Returns the point this many seconds later.
    pub fn after(self, seconds: u32) -> Self {
        Self(self.0.saturating_add(seconds.into()))
    }

    /// Returns the seconds from another point to this one, negative if this one is earlier.
    pub fn seconds_since(self, other: Self) -> i64 {
        self.0.saturating_sub(other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn the_ways_to_write_a_time_agree() {
        for (rfc, http, seconds) in [
            ("1994-11-06T08:49:37Z", "Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("2026-11-24T10:00:00Z", "Tue, 24 Nov 2026 10:00:00 GMT", 1_795_514_400),
        ] {
            assert_eq!(Timestamp::from_rfc3339(rfc), Some(Timestamp(seconds)));
            assert_eq!(Timestamp::from_http_date(http), Some(Timestamp(seconds)));
            assert_eq!(Timestamp(seconds).to_rfc3339(), rfc);
        }
        let with_offset = Timestamp::from_rfc3339("2026-11-24T12:00:00.99+02:00");
        assert_eq!(with_offset, Timestamp::from_rfc3339("2026-11-24T10:00:00Z"));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in ["", "today", "2026-02-30T00:00:00Z", "2026-11-24T10:00:00", "2026-11-24"] {
            assert_eq!(Timestamp::from_rfc3339(text), None, "{text}");
        }
        for text in ["", "today", "Tue, 99 Nov 2026 09:00:00 GMT", "Tue, 24 Nov 2026 10:05:00 CET"] {
            assert_eq!(Timestamp::from_http_date(text), None, "{text}");
        }
        assert_eq!(Timestamp(i64::MAX).to_rfc3339(), "9999-12-31T23:59:59Z");
        assert_eq!(Timestamp(i64::MIN).to_rfc3339(), "0000-01-01T00:00:00Z");
        assert_eq!(Timestamp(i64::MAX).after(1), Timestamp(i64::MAX));
    }
}
