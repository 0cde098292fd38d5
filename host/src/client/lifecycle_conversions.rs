//! Between the contract's records and this crate's types, both ways, and nothing else.

use std::time::Duration;

use crate::engine::bindings::lifecycle as contract;
use crate::types::{
    Clock, Ensured, ExpiringToken, ExpiryReport, OverlappingToken, RefreshParams, RefreshReport, RefreshedToken,
    Selector, TimeLeft,
};

/// Rounds up to whole seconds: a window that is too long misses no token, an overlap that is too long locks nobody out.
pub(crate) fn whole_seconds(duration: Duration) -> u32 {
    let seconds = duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0));
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

impl From<Selector> for contract::Selector {
    fn from(selector: Selector) -> Self {
        match selector {
            Selector::Name(name) => Self::Name(name),
            Selector::ClientId(client_id) => Self::ClientId(client_id),
        }
    }
}

impl From<RefreshParams> for contract::RefreshParams {
    fn from(params: RefreshParams) -> Self {
        Self {
            within_seconds: whole_seconds(params.within),
            name: params.name,
            include_expired: params.include_expired,
        }
    }
}

impl From<contract::Clock> for Clock {
    fn from(clock: contract::Clock) -> Self {
        match clock {
            contract::Clock::Host => Self::Host,
            contract::Clock::Server => Self::Server,
        }
    }
}

impl From<contract::ExpiringToken> for ExpiringToken {
    fn from(expiring: contract::ExpiringToken) -> Self {
        let seconds = Duration::from_secs(expiring.seconds_left.unsigned_abs().into());
        let time_left =
            if expiring.seconds_left < 0 { TimeLeft::Expired(seconds) } else { TimeLeft::Remaining(seconds) };
        Self { token: expiring.token.into(), time_left }
    }
}

impl From<contract::ExpiryReport> for ExpiryReport {
    fn from(report: contract::ExpiryReport) -> Self {
        Self {
            now: report.now,
            clock: report.clock.into(),
            expiring: report.expiring.into_iter().map(Into::into).collect(),
            disabled: report.disabled.into_iter().map(Into::into).collect(),
            forever: report.forever.into_iter().map(Into::into).collect(),
            unreadable: report.unreadable.into_iter().map(Into::into).collect(),
            later: report.later,
        }
    }
}

impl From<contract::RefreshedToken> for RefreshedToken {
    fn from(token: contract::RefreshedToken) -> Self {
        Self { id: token.id, name: token.name, refreshed: token.refreshed.map(Into::into).map_err(Into::into) }
    }
}

impl From<contract::RefreshReport> for RefreshReport {
    fn from(report: contract::RefreshReport) -> Self {
        Self { now: report.now, tokens: report.tokens.into_iter().map(Into::into).collect() }
    }
}

impl From<contract::OverlappingToken> for OverlappingToken {
    fn from(rotated: contract::OverlappingToken) -> Self {
        Self { issued: rotated.issued.into(), previous_secret_expires_at: rotated.previous_secret_expires_at }
    }
}

impl From<contract::Ensured> for Ensured {
    fn from(ensured: contract::Ensured) -> Self {
        match ensured {
            contract::Ensured::Created(issued) => Self::Created(issued.into()),
            contract::Ensured::Updated(token) => Self::Updated(token.into()),
            contract::Ensured::Unchanged(token) => Self::Unchanged(token.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_of_a_second_counts_as_one_more() {
        for (duration, seconds) in [
            (Duration::ZERO, 0),
            (Duration::from_nanos(1), 1),
            (Duration::from_millis(1500), 2),
            (Duration::from_hours(24), 86_400),
            (Duration::MAX, u32::MAX),
        ] {
            assert_eq!(whole_seconds(duration), seconds, "{duration:?}");
        }
    }
}
