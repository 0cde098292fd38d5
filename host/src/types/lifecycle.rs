//! What the calls of a lifecycle give. Times are RFC 3339 text, as everywhere in this crate.

use std::time::Duration;

use crate::error::Error;
use crate::types::{IssuedToken, ServiceToken};

/// The clock that an [`ExpiryReport`] was computed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "kebab-case"))]
pub enum Clock {
    /// This machine's.
    Host,
    /// The API's, because this machine's is off by more than a minute. Set this machine's clock.
    Server,
}

impl Clock {
    /// Returns the clock as the contract writes it, `host` or `server`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Server => "server",
        }
    }
}

/// A way to find a token without its id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Selector {
    /// By exact name. Names are not unique.
    Name(String),
    /// By client id, which machines send as `CF-Access-Client-Id`.
    ClientId(String),
}

impl Selector {
    /// Selects the tokens with exactly this name.
    pub fn name(name: impl Into<String>) -> Self {
        Self::Name(name.into())
    }

    /// Selects the token with this client id.
    pub fn client_id(client_id: impl Into<String>) -> Self {
        Self::ClientId(client_id.into())
    }
}

/// The choice of what a rotation does where an overlap is running, which means that machines may use either of the token's two secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum RunningOverlap {
    /// The rotation is refused as a `Conflict`, and nothing is sent that changes anything.
    #[default]
    Refuse,
    /// The rotation is made, and the older of the two secrets ends at once, **for every machine that still uses it**.
    End,
}

/// The choice of tokens that [`refresh_expiring`](crate::Tokens::refresh_expiring) extends. By default enabled tokens of any name that have not
/// expired yet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefreshParams {
    /// Tokens that expire within this time, at most 364 days: a refresh gives a year, so a second run right after the first has
    /// nothing to do.
    pub within: Duration,
    /// Only tokens with exactly this name.
    pub name: Option<String>,
    /// Whether tokens that have expired are extended, too. **An expired token passes again once it is.**
    pub include_expired: bool,
}

impl RefreshParams {
    /// Selects the enabled tokens that expire within this time.
    #[must_use]
    pub fn within(within: Duration) -> Self {
        Self { within, name: None, include_expired: false }
    }

    /// Selects only tokens with exactly this name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Selects tokens that have expired, too. **An expired token passes again once it is refreshed.**
    #[must_use]
    pub fn include_expired(mut self, include: bool) -> Self {
        self.include_expired = include;
        self
    }
}

/// The time that a token has, in whole seconds. More than 68 years are 68 years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "kebab-case"))]
pub enum TimeLeft {
    /// It expires after this time.
    Remaining(#[cfg_attr(feature = "serde", serde(serialize_with = "crate::types::serialized::seconds"))] Duration),
    /// It expired this long ago.
    Expired(#[cfg_attr(feature = "serde", serde(serialize_with = "crate::types::serialized::seconds"))] Duration),
}

/// A token and the time it has.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ExpiringToken {
    /// The token.
    pub token: ServiceToken,
    /// How long it has.
    pub time_left: TimeLeft,
}

/// A report on tokens by what their expiry means. Every token is in exactly one list or counted in `later`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ExpiryReport {
    /// The time that the report was computed for.
    pub now: String,
    /// The clock that told it.
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
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct RefreshedToken {
    /// Its id.
    pub id: String,
    /// Its name, where it has one.
    pub name: Option<String>,
    /// The token with its new expiry, or why it has none.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::types::serialized::token_or_error"))]
    pub refreshed: Result<ServiceToken, Error>,
}

/// The result of [`refresh_expiring`](crate::Tokens::refresh_expiring).
#[derive(Debug, Clone)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct RefreshReport {
    /// The time that was used to decide.
    pub now: String,
    /// The tokens that were due, soonest first. Empty: nothing was due.
    pub tokens: Vec<RefreshedToken>,
}

impl RefreshReport {
    /// Returns why tokens could not be refreshed; none where all that were due have been.
    pub fn failures(&self) -> impl Iterator<Item = &Error> {
        self.tokens.iter().filter_map(|token| token.refreshed.as_ref().err())
    }
}

/// A token with a new secret beside the old one, the result of [`rotate_with_overlap`](crate::Tokens::rotate_with_overlap).
#[derive(Debug, Clone)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct OverlappingToken {
    /// The token and its new secret. Shown this once.
    pub issued: IssuedToken,
    /// Until when the old secret passes. A time that has passed means that the answer shows more than one rotation since the token
    /// was read, so that the old secret has ended.
    pub previous_secret_expires_at: String,
}

/// The result of [`ensure`](crate::Tokens::ensure).
#[derive(Debug, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "kebab-case"))]
pub enum Ensured {
    /// There was no such token; it was made. Its secret is shown this once.
    Created(IssuedToken),
    /// There was one, and its duration or its switch was changed to what was asked.
    Updated(ServiceToken),
    /// There was one, and it was as asked.
    Unchanged(ServiceToken),
}

impl Ensured {
    /// Returns the token that is there now.
    #[must_use]
    pub fn token(&self) -> &ServiceToken {
        match self {
            Self::Created(issued) => &issued.token,
            Self::Updated(token) | Self::Unchanged(token) => token,
        }
    }

    /// Returns the case as the contract writes it: `created`, `updated` or `unchanged`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Created(_) => "created",
            Self::Updated(_) => "updated",
            Self::Unchanged(_) => "unchanged",
        }
    }
}
