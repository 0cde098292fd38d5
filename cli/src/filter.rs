//! Which tokens a list shows.

use std::time::Duration;

use cloudflare_access_host::ServiceToken;
use jiff::{SignedDuration, Timestamp};

use crate::arguments::List;

/// What a token must be to be shown.
#[derive(Debug, Default)]
pub struct Filter {
    enabled: Option<bool>,
    unused_since: Option<Duration>,
    expires_within: Option<Duration>,
}

impl From<&List> for Filter {
    fn from(list: &List) -> Self {
        Self {
            enabled: if list.enabled { Some(true) } else { list.disabled.then_some(false) },
            unused_since: list.unused_since,
            expires_within: list.expires_within,
        }
    }
}

impl Filter {
    /// Whether the time is needed to tell.
    pub fn needs_the_time(&self) -> bool {
        self.unused_since.is_some() || self.expires_within.is_some()
    }

    /// Whether a token is shown. What it does not say is taken for the case that needs somebody's attention.
    pub fn shows(&self, token: &ServiceToken, now: Timestamp) -> bool {
        self.shows_fields(
            token.enabled,
            token.last_seen_at.as_deref().or(token.created_at.as_deref()),
            token.expires_at.as_deref().filter(|_| token.duration.as_deref() != Some("forever")),
            now,
        )
    }

    fn shows_fields(
        &self,
        enabled: Option<bool>,
        last_used: Option<&str>,
        expires: Option<&str>,
        now: Timestamp,
    ) -> bool {
        let is_before = |time: Option<&str>, limit: Option<Timestamp>| match (time.map(str::parse::<Timestamp>), limit)
        {
            (Some(Ok(time)), Some(limit)) => time <= limit,
            (Some(Err(_)), _) | (_, None) => true,
            (None, _) => false,
        };
        let signed = |duration: Duration| SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
        let has_switch = self.enabled.is_none_or(|wanted| enabled.unwrap_or(true) == wanted);
        let is_unused = self.unused_since.is_none_or(|duration| {
            let limit = now.saturating_sub(signed(duration)).unwrap_or(Timestamp::MIN);
            last_used.is_none() || is_before(last_used, Some(limit))
        });
        let expires = self.expires_within.is_none_or(|duration| {
            let limit = now.saturating_add(signed(duration)).unwrap_or(Timestamp::MAX);
            is_before(expires, Some(limit))
        });
        has_switch && is_unused && expires
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_shown_by_its_switch_its_use_and_its_end() {
        let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        let day = Duration::from_hours(24);
        let enabled = |enabled| Filter { enabled: Some(enabled), ..Filter::default() };
        let unused = || Filter { unused_since: Some(day), ..Filter::default() };
        let expires = || Filter { expires_within: Some(day), ..Filter::default() };
        let (early, late) = (Some("2026-11-23T12:00:00Z"), Some("2026-11-23T12:00:01Z"));
        let (soon, later) = (Some("2026-11-25T12:00:00Z"), Some("2026-11-25T12:00:01Z"));
        for (filter, switch, used, end, shown) in [
            (Filter::default(), Some(false), None, None, true),
            (enabled(true), None, None, None, true),
            (enabled(true), Some(false), None, None, false),
            (enabled(false), Some(false), None, None, true),
            (enabled(false), None, None, None, false),
            (unused(), None, early, None, true),
            (unused(), None, late, None, false),
            (unused(), None, None, None, true),
            (unused(), None, Some("odd"), None, true),
            (expires(), None, None, soon, true),
            (expires(), None, None, later, false),
            (expires(), None, None, early, true),
            (expires(), None, None, Some("odd"), true),
            (expires(), None, None, None, false),
        ] {
            assert_eq!(filter.shows_fields(switch, used, end, now), shown, "{filter:?} {switch:?} {used:?} {end:?}");
        }
    }
}
