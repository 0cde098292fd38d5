//! Why a call failed, what is known about its effect, and what the API said: the contract's error record as Rust types.
//!
//! A failure of the component itself (a trap, a limit of this host) has the same form, so that a caller has one error to look at
//! and always an answer to the question whether the change happened.

use std::fmt;
use std::time::Duration;

use crate::transport::TransportError;

/// The kind of an [`Error`]: what went wrong, by what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "kebab-case"))]
pub enum ErrorKind {
    /// An argument breaks a rule; nothing was sent. Fix the call.
    InvalidArgument,
    /// The credential, the base URL or a header is missing, incomplete or malformed; nothing was sent. Fix the set-up.
    InvalidConfiguration,
    /// The API does not accept the credential. Code 10000 also means that a valid token lacks the permission.
    Unauthenticated,
    /// The credential is valid but not for this.
    Forbidden,
    /// No such token, account or zone. Also what a client id in place of an id gives.
    NotFound,
    /// The call contradicts the state of the token: the API says so (409), or a function of the lifecycle found it. Never repeated.
    Conflict,
    /// The token cannot be deleted: a policy, a group or a SCIM configuration uses it.
    InUse,
    /// The API refused the values, or a quota is reached.
    Rejected,
    /// Too many requests; [`retry_after`](Details::retry_after) says how long to wait.
    RateLimited,
    /// The API or the edge before it failed. Trying later can help.
    Unavailable,
    /// The request was not for the API's service tokens, its address was not public, or whoever deployed the component does not allow the call. Nothing was sent.
    DeniedByHost,
    /// No answer: the name did not resolve, nothing listens, TLS failed, or the connection broke. See [`outcome`](Details::outcome).
    Connection,
    /// The time of the call ran out. See [`outcome`](Details::outcome).
    Timeout,
    /// An answer came, but not one of this API, or about another token than the one asked for.
    InvalidResponse,
    /// The component itself failed: it trapped, reached its memory limit, or is of another world. Not the API's doing; the
    /// call ran in an instance of its own, so the next call is not affected.
    Component,
}

impl ErrorKind {
    /// Returns the kind as the contract writes it, such as `rate-limited`; `component` for the one that the contract does not have.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidArgument => "invalid-argument",
            Self::InvalidConfiguration => "invalid-configuration",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not-found",
            Self::Conflict => "conflict",
            Self::InUse => "in-use",
            Self::Rejected => "rejected",
            Self::RateLimited => "rate-limited",
            Self::Unavailable => "unavailable",
            Self::DeniedByHost => "denied-by-host",
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::InvalidResponse => "invalid-response",
            Self::Component => "component",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The answer to the question whether the change of a failed call happened. For operations that only read, always `NotApplied`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "kebab-case"))]
pub enum Outcome {
    /// Certainly not. The call can be made again.
    NotApplied,
    /// It may have. After a create, look for the name with [`resolve_create`](crate::Tokens::resolve_create), and rotate or delete
    /// what is found; after an update that did not raise the version, a refresh or a delete, make the call again.
    ///
    /// After a rotation or an update that raised the version, look with [`get`](crate::Tokens::get). If `client_secret_version`,
    /// `previous_client_secret_expires_at` and `updated_at` are as before the call, nothing has happened, and it can be made again
    /// (not at once after a timeout: the API may still be at work on it). Otherwise the new secret is lost, and the old one passes
    /// until `previous_client_secret_expires_at`. **Another rotation ends the old one at once**, since a token has two secrets at
    /// most: make it when machines can take up the secret that comes.
    Unknown,
    /// It did, and what the answer carried is lost or cannot be used. A secret in it is lost; [`token_id`](Details::token_id) names
    /// the token where it is known. After a create, rotate or delete it. After a rotation,
    /// [`previous_secret_expires_at`](Details::previous_secret_expires_at) tells until when the secret before the lost one passes;
    /// until then extend the overlap, or make another token for the machines.
    Applied,
}

impl Outcome {
    /// Returns the outcome as the contract writes it, such as `not-applied`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotApplied => "not-applied",
            Self::Unknown => "unknown",
            Self::Applied => "applied",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// One error as the API reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ApiError {
    /// Cloudflare's code, such as 12135. Never the HTTP status.
    pub code: Option<u32>,
    /// The text; may be empty.
    pub message: String,
    /// A page about the error.
    pub documentation_url: Option<String>,
    /// Which part of the request it is about, as a JSON pointer.
    pub pointer: Option<String>,
    /// Deeper causes, outermost first.
    pub chain: Vec<ApiErrorCause>,
}

/// A cause below an [`ApiError`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ApiErrorCause {
    /// Cloudflare's code.
    pub code: Option<u32>,
    /// The text; may be empty.
    pub message: String,
}

/// The error of a call. `Display` is one line for a person, safe to log: no credential, no secret, no response body. All text of
/// the server in it, and in its fields, has lost credentials and control characters, and is cut where it is long.
#[derive(Debug, Clone)]
pub struct Error(Box<Details>);

/// The fields of an [`Error`], which dereferences to them and has a method for each.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Details {
    /// What went wrong, by what to do about it.
    pub kind: ErrorKind,
    /// Whether the change happened.
    pub outcome: Outcome,
    /// One line for a person, with a hint where there is one.
    pub message: String,
    /// The HTTP status of the last answer, where one came.
    pub status: Option<u16>,
    /// What the API listed in its answer.
    pub api_errors: Vec<ApiError>,
    /// Cloudflare's name for the request (`cf-ray`), for its support.
    pub ray_id: Option<String>,
    /// How long the API asks to wait, where it does and the wait did not fit in the call.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "retry_after_ms", serialize_with = "crate::types::serialized::milliseconds")
    )]
    pub retry_after: Option<Duration>,
    /// How many requests were sent or tried. 0: nothing left the component.
    pub attempts: u32,
    /// The token concerned, where it is known.
    pub token_id: Option<String>,
    /// Until when the secret before the current one passes (RFC 3339), after a rotation whose outcome is `Unknown` or `Applied`
    /// and where it is known.
    pub previous_secret_expires_at: Option<String>,
    /// Why the last request got no answer, as this host saw it; none where an answer came. Also the
    /// [`source`](std::error::Error::source) of the error.
    pub transport: Option<TransportError>,
}

impl Details {
    /// Returns what the host says by itself, with nothing from a server.
    pub(crate) fn of_host(kind: ErrorKind, outcome: Outcome, message: String) -> Self {
        Self {
            kind,
            outcome,
            message,
            status: None,
            api_errors: Vec::new(),
            ray_id: None,
            retry_after: None,
            attempts: 0,
            token_id: None,
            previous_secret_expires_at: None,
            transport: None,
        }
    }
}

impl Error {
    pub(crate) fn new(details: Details) -> Self {
        Self(Box::new(details))
    }

    /// Returns what went wrong, by what to do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns whether the change of the call happened.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    /// Returns whether the same call can be made again as it is, and may succeed then: nothing was changed, and what went wrong can
    /// pass. Wait for [`retry_after`](Self::retry_after) where there is one.
    ///
    /// False does not forbid another call. A `delete`, a `refresh` or an `update` without a secret version can be made again after
    /// the outcome `Unknown`, too; a `create` or a rotation must not, see [`Outcome::Unknown`].
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        use ErrorKind::{Connection, RateLimited, Timeout, Unavailable};
        self.0.outcome == Outcome::NotApplied && matches!(self.0.kind, Connection | RateLimited | Timeout | Unavailable)
    }

    /// Returns whether the time of the call ran out: whether the kind is [`ErrorKind::Timeout`].
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.0.kind == ErrorKind::Timeout
    }

    /// Returns the error as one line for a person, with a hint where there is one. `Display` writes the same.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the HTTP status of the last answer, where one came.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// Returns what the API listed in its answer.
    #[must_use]
    pub fn api_errors(&self) -> &[ApiError] {
        &self.0.api_errors
    }

    /// Returns Cloudflare's name for the request (`cf-ray`), for its support.
    #[must_use]
    pub fn ray_id(&self) -> Option<&str> {
        self.0.ray_id.as_deref()
    }

    /// Returns how long the API asks to wait, where it does and the wait did not fit in the call.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Returns how many requests were sent or tried. 0: nothing left the component.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Returns the id of the token concerned, where it is known.
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.0.token_id.as_deref()
    }

    /// Returns why the last request got no answer, as this host saw it. [`source`](std::error::Error::source) returns the same.
    #[must_use]
    pub fn transport(&self) -> Option<&TransportError> {
        self.0.transport.as_ref()
    }

    /// Returns until when the secret before the current one passes (RFC 3339), after a rotation whose new secret is or may be lost
    /// and where it is known. Another rotation ends it at once.
    #[must_use]
    pub fn previous_secret_expires_at(&self) -> Option<&str> {
        self.0.previous_secret_expires_at.as_deref()
    }

    #[cfg(feature = "serde")]
    pub(crate) fn details(&self) -> &Details {
        &self.0
    }

    /// Returns all fields, to take apart.
    #[must_use]
    pub fn into_details(self) -> Details {
        *self.0
    }
}

impl std::ops::Deref for Error {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    /// Returns the [`TransportError`] of the last request, where it got no answer.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.transport.as_ref().map(|error| error as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::TransportPhase;

    fn error(kind: ErrorKind, outcome: Outcome) -> Error {
        Error::new(Details {
            kind,
            outcome,
            message: "get: 503 Service Unavailable".to_owned(),
            status: Some(503),
            api_errors: Vec::new(),
            ray_id: Some("9f1c2ab34cd56ef7-AMS".to_owned()),
            retry_after: Some(Duration::from_secs(3)),
            attempts: 2,
            token_id: Some("id".to_owned()),
            previous_secret_expires_at: Some("2026-11-24T12:00:00Z".to_owned()),
            transport: Some(TransportError { phase: TransportPhase::Dns, message: "no address".to_owned() }),
        })
    }

    #[test]
    fn a_call_can_be_made_again_where_nothing_was_changed_and_the_failure_can_pass() {
        use ErrorKind as Kind;
        for (kind, can_pass) in [
            (Kind::InvalidArgument, false),
            (Kind::InvalidConfiguration, false),
            (Kind::Unauthenticated, false),
            (Kind::Forbidden, false),
            (Kind::NotFound, false),
            (Kind::Conflict, false),
            (Kind::InUse, false),
            (Kind::Rejected, false),
            (Kind::RateLimited, true),
            (Kind::Unavailable, true),
            (Kind::DeniedByHost, false),
            (Kind::Connection, true),
            (Kind::Timeout, true),
            (Kind::InvalidResponse, false),
            (Kind::Component, false),
        ] {
            assert_eq!(error(kind, Outcome::NotApplied).is_retryable(), can_pass, "{kind}");
            assert!(!error(kind, Outcome::Unknown).is_retryable(), "{kind}");
            assert!(!error(kind, Outcome::Applied).is_retryable(), "{kind}");
            assert_eq!(error(kind, Outcome::Unknown).is_timeout(), kind == Kind::Timeout, "{kind}");
        }
    }

    #[test]
    fn each_field_has_a_method() {
        let error = error(ErrorKind::Unavailable, Outcome::Unknown);
        let details = error.clone().into_details();
        assert_eq!((error.kind(), error.outcome(), error.status()), (details.kind, details.outcome, details.status));
        assert_eq!((error.message(), error.to_string()), (&*details.message, details.message.clone()));
        assert_eq!((error.attempts(), error.retry_after()), (details.attempts, details.retry_after));
        assert_eq!(error.ray_id(), details.ray_id.as_deref());
        assert_eq!(error.token_id(), details.token_id.as_deref());
        assert_eq!(error.previous_secret_expires_at(), details.previous_secret_expires_at.as_deref());
        assert_eq!((error.api_errors(), error.transport()), (&*details.api_errors, details.transport.as_ref()));
        let source = std::error::Error::source(&error).map(ToString::to_string);
        assert_eq!(source.as_deref(), Some("no address"));
    }
}
