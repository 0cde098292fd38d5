//! Between the contract's records and this crate's types, both ways, and nothing else.

use std::time::Duration;

use crate::bindings::lifecycle as contract;
use crate::lifecycle::issue::{IssueError, IssueProgress};
use crate::lifecycle::types::{
    Clock, EnsuredChange, EnsuredToken, ExpiringToken, ExpiryReport, OverlappingToken, RefreshReport, RefreshedToken,
    TimeLeft,
};

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
        let seconds = Duration::from_secs(expiring.seconds_left.unsigned_abs());
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
        Self {
            now: report.now,
            clock: report.clock.into(),
            tokens: report.tokens.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<contract::OverlappingToken> for OverlappingToken {
    fn from(rotated: contract::OverlappingToken) -> Self {
        Self {
            issued: rotated.issued.into(),
            previous_secret_expires_at: rotated.previous_secret_expires_at,
            clock: rotated.clock.into(),
        }
    }
}

impl From<contract::EnsuredToken> for EnsuredToken {
    fn from(ensured: contract::EnsuredToken) -> Self {
        let change = match ensured.change {
            contract::EnsuredChange::Created(secret) => EnsuredChange::Created(secret.into()),
            contract::EnsuredChange::Updated => EnsuredChange::Updated,
            contract::EnsuredChange::Unchanged => EnsuredChange::Unchanged,
        };
        Self { token: ensured.token.into(), change }
    }
}

impl From<contract::IssueProgress> for IssueProgress {
    fn from(progress: contract::IssueProgress) -> Self {
        Self { working_name: progress.working_name, token_id: progress.token_id }
    }
}

impl From<IssueProgress> for contract::IssueProgress {
    fn from(progress: IssueProgress) -> Self {
        Self { working_name: progress.working_name, token_id: progress.token_id }
    }
}

impl From<contract::IssueError> for IssueError {
    fn from(failure: contract::IssueError) -> Self {
        Self { error: failure.error.into(), progress: failure.progress.map(Into::into) }
    }
}
