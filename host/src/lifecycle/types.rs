//! What the calls of a lifecycle give. Times are RFC 3339 text, as everywhere in this crate.

use std::time::Duration;

use secrecy::SecretString;

use crate::error::Error;
use crate::types::{IssuedToken, ServiceToken};

/// Which clock a result was computed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Clock {
    /// This machine's.
    Host,
    /// The API's, because this machine's is off by more than a minute. Set this machine's clock.
    Server,
}

impl Clock {
    /// The clock as the contract writes it, `host` or `server`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Server => "server",
        }
    }
}

/// How long a token has, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeLeft {
    /// It expires after this time.
    Remaining(Duration),
    /// It expired this long ago.
    Expired(Duration),
}

/// A token and the time it has.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExpiringToken {
    /// The token.
    pub token: ServiceToken,
    /// How long it has.
    pub time_left: TimeLeft,
}

/// The tokens by what their expiry means. Every token is in exactly one list or counted in `later`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExpiryReport {
    /// What time it was.
    pub now: String,
    /// By which clock.
    pub clock: Clock,
    /// Enabled tokens that expire within the window or have expired, soonest first.
    pub expiring: Vec<ExpiringToken>,
    /// The same for tokens that are switched off: their expiry stops nobody, but they may be meant to come back.
    pub disabled: Vec<ExpiringToken>,
    /// Tokens whose duration is `forever`, switched off or not. The API shows an expiry for them; it does not count.
    pub forever: Vec<ServiceToken>,
    /// Tokens whose answer has no expiry that can be read.
    pub unreadable: Vec<ServiceToken>,
    /// How many tokens live longer than the window.
    pub later: u32,
}

/// A token that was due, and what came of it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RefreshedToken {
    /// Its id.
    pub id: String,
    /// Its name, where it has one.
    pub name: Option<String>,
    /// The token with its new expiry, or why it has none.
    pub refreshed: Result<ServiceToken, Error>,
}

/// What a renewal did.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RefreshReport {
    /// What time it was.
    pub now: String,
    /// By which clock.
    pub clock: Clock,
    /// The tokens that were due, soonest first. Empty: nothing was due.
    pub tokens: Vec<RefreshedToken>,
}

impl RefreshReport {
    /// Why tokens could not be refreshed; none where all that were due have been.
    pub fn failures(&self) -> impl Iterator<Item = &Error> {
        self.tokens.iter().filter_map(|token| token.refreshed.as_ref().err())
    }
}

/// A new secret beside the old one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OverlappingToken {
    /// The token and its new secret. Shown this once.
    pub issued: IssuedToken,
    /// When the old secret ends.
    pub previous_secret_expires_at: String,
    /// By which clock.
    pub clock: Clock,
}

/// What had to be done for a token to be there as it was asked for.
#[derive(Debug, Clone)]
pub enum EnsuredChange {
    /// There was no such token. This is its secret, shown this once.
    Created(SecretString),
    /// There was one, and its duration or its switch was brought in line.
    Updated,
    /// There was one, and it was as asked.
    Unchanged,
}

impl EnsuredChange {
    /// The change as the contract writes it: `created`, `updated` or `unchanged`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Created(_) => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
        }
    }
}

/// The token that is there now.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EnsuredToken {
    /// The token.
    pub token: ServiceToken,
    /// How it came about.
    pub change: EnsuredChange,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        assert!(!format!("{:?}", EnsuredChange::Created("cfast_hunter2".into())).contains("hunter2"));
    }
}
