//! The times of the API, which are text, as times to compute with.

use std::time::SystemTime;

use jiff::Timestamp;

use crate::error::Error;
use crate::types::{ExpiryReport, OverlappingToken, RefreshReport, ServiceToken};

/// Reads a time in RFC 3339. None where it is something else, or a time that this machine cannot represent.
fn read(text: &str) -> Option<SystemTime> {
    SystemTime::try_from(text.parse::<Timestamp>().ok()?).ok()
}

impl ServiceToken {
    /// Returns [`expires_at`](Self::expires_at) as a time. None where it is absent or cannot be read.
    #[must_use]
    pub fn expires_at_time(&self) -> Option<SystemTime> {
        read(self.expires_at.as_deref()?)
    }

    /// Returns [`created_at`](Self::created_at) as a time. None where it is absent or cannot be read.
    #[must_use]
    pub fn created_at_time(&self) -> Option<SystemTime> {
        read(self.created_at.as_deref()?)
    }

    /// Returns [`updated_at`](Self::updated_at) as a time. None where it is absent or cannot be read.
    #[must_use]
    pub fn updated_at_time(&self) -> Option<SystemTime> {
        read(self.updated_at.as_deref()?)
    }

    /// Returns [`last_seen_at`](Self::last_seen_at) as a time. None where it is absent or cannot be read.
    #[must_use]
    pub fn last_seen_at_time(&self) -> Option<SystemTime> {
        read(self.last_seen_at.as_deref()?)
    }

    /// Returns [`previous_client_secret_expires_at`](Self::previous_client_secret_expires_at) as a time. None where it is absent or
    /// cannot be read.
    #[must_use]
    pub fn previous_client_secret_expires_at_time(&self) -> Option<SystemTime> {
        read(self.previous_client_secret_expires_at.as_deref()?)
    }
}

impl ExpiryReport {
    /// Returns [`now`](Self::now) as a time. None where it cannot be read.
    #[must_use]
    pub fn now_time(&self) -> Option<SystemTime> {
        read(&self.now)
    }
}

impl RefreshReport {
    /// Returns [`now`](Self::now) as a time. None where it cannot be read.
    #[must_use]
    pub fn now_time(&self) -> Option<SystemTime> {
        read(&self.now)
    }
}

impl OverlappingToken {
    /// Returns [`previous_secret_expires_at`](Self::previous_secret_expires_at) as a time. None where it cannot be read.
    #[must_use]
    pub fn previous_secret_expires_at_time(&self) -> Option<SystemTime> {
        read(&self.previous_secret_expires_at)
    }
}

impl Error {
    /// Returns [`previous_secret_expires_at`](Self::previous_secret_expires_at) as a time. None where it is not known.
    #[must_use]
    pub fn previous_secret_expires_at_time(&self) -> Option<SystemTime> {
        read(self.previous_secret_expires_at()?)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn a_time_of_the_api_is_read_and_another_text_is_none() {
        let time = UNIX_EPOCH + Duration::from_millis(1_795_521_600_500);
        for text in ["2026-11-24T12:00:00.5Z", "2026-11-24T14:00:00.5+02:00"] {
            assert_eq!(read(text), Some(time), "{text}");
        }
        assert!(read("0001-01-01T00:00:00Z").is_some_and(|time| time < UNIX_EPOCH), "Go's zero time");
        for text in ["", "soon", "2026-11-24", "2026-13-24T12:00:00Z"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
