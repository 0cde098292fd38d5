//! The values that go in and come out: the contract's records as Rust types.
//!
//! Times are RFC 3339 text exactly as the API sent them, because nothing the API says may be lost in parsing. A field that is
//! none in a parameter is not sent and stays as it is. Secrets are [`SecretString`]s: `Debug` does not show them, and the
//! memory is wiped when they are dropped.

use std::fmt;
use std::time::{Duration, SystemTime};

use crate::secret::SecretString;

/// A service token as the API shows it, without its secret. Its fields are text of the server as it came, which may hold anything:
/// check them before they reach a terminal or a log. Only an `id` that is not a UUID loses credentials and control characters.
///
/// The API promises none of these fields, so all but `id` are optional: `None` means that the answer did not carry the field.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ServiceToken {
    /// The identifier that the operations take (a UUID). Not the client id.
    pub id: String,
    /// What a machine sends as `CF-Access-Client-Id`. Public.
    pub client_id: Option<String>,
    /// Free text. Not unique: two tokens may share one.
    pub name: Option<String>,
    /// How long the token lives from its creation or last renewal: `8760h`, or `forever`.
    pub duration: Option<String>,
    /// False once the token is switched off. Absent in answers of older deployments, where it means enabled.
    pub enabled: Option<bool>,
    /// When Access stops accepting the token. Set even where `duration` is `forever`.
    pub expires_at: Option<String>,
    /// When the token was created.
    pub created_at: Option<String>,
    /// When the token was last changed.
    pub updated_at: Option<String>,
    /// When the token last passed Access. Absent where it never did.
    pub last_seen_at: Option<String>,
    /// Counts the secrets this token has had, from 1.
    pub client_secret_version: Option<u32>,
    /// Until when the secret before the current one still passes.
    pub previous_client_secret_expires_at: Option<String>,
    /// Every other field of the answer, in its order. Also holds a field from above whose value had an unexpected type.
    pub additional_fields: Vec<JsonField>,
}

/// A field of an answer that [`ServiceToken`] has no place for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct JsonField {
    /// The name of the field.
    pub name: String,
    /// Its value as JSON text, as the answer writes it.
    pub json: String,
}

/// The result of [`delete`](crate::Tokens::delete).
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "there is one for a call, and a box would be in the way of whoever matches it"
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "kebab-case"))]
pub enum Deletion {
    /// The token was deleted. This is how the API showed it last; where its answer was empty, only `id` is set.
    Deleted(ServiceToken),
    /// A repeat after a lost answer found no such token, so an earlier attempt may have deleted it.
    AlreadyGone,
}

/// A token with its new secret.
///
/// **The API shows a secret once, in this answer, and never again.** Store it before anything else; a lost one can only be
/// replaced, by rotating, which ends the secret before it.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct IssuedToken {
    /// The token.
    pub token: ServiceToken,
    /// What a machine sends as `CF-Access-Client-Secret`. Opaque text.
    pub client_secret: SecretString,
}

/// A changed token, and the new secret where the change made one.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct UpdatedToken {
    /// The token after the change.
    pub token: ServiceToken,
    /// Some exactly when the client secret version was raised. Shown this once.
    pub client_secret: Option<SecretString>,
}

/// One page of a list. The numbers are the API's, `None` where it did not send them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct TokenPage {
    /// The tokens of this page, in the API's order.
    pub tokens: Vec<ServiceToken>,
    /// The number of this page, from 1.
    pub page: Option<u32>,
    /// How many tokens a full page has.
    pub per_page: Option<u32>,
    /// How many tokens this page has.
    pub count: Option<u32>,
    /// How many tokens there are on all pages.
    pub total_count: Option<u32>,
    /// How many pages there are.
    pub total_pages: Option<u32>,
    /// The page to ask for next; `None` on the last one, or where the API did not say enough to tell.
    pub next_page: Option<u32>,
}

/// The lifetime of a token: `forever`, or hours, minutes and seconds in Go's notation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenDuration(String);

impl TokenDuration {
    /// Returns the lifetime without an end. The API still shows an `expires_at`.
    #[must_use]
    pub fn forever() -> Self {
        Self("forever".to_owned())
    }

    /// Returns a lifetime of so many hours. A year is 8760.
    #[must_use]
    pub fn hours(hours: u64) -> Self {
        Self(format!("{hours}h"))
    }

    /// Takes a lifetime in the notation of the API: numbers with the units `ns`, `us`, `ms`, `s`, `m`, `h`, such as `2h45m`, or `forever`. It is
    /// checked by the component when it is used.
    pub fn notation(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the lifetime in the notation of the API.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Duration> for TokenDuration {
    /// Whole seconds; a fraction is dropped.
    fn from(duration: Duration) -> Self {
        Self(match duration.as_secs() {
            seconds if seconds % 3600 == 0 => format!("{}h", seconds / 3600),
            seconds => format!("{seconds}s"),
        })
    }
}

impl From<TokenDuration> for String {
    fn from(duration: TokenDuration) -> Self {
        duration.0
    }
}

impl fmt::Display for TokenDuration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The fields of a new token. A field that is `None` is not sent, so the API's default applies.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreateParams {
    /// 1 to 350 characters. Need not be unique.
    pub name: String,
    /// Default of the API: a year.
    pub duration: Option<TokenDuration>,
    /// Whether the token passes at once. Default of the API: true.
    pub enabled: Option<bool>,
    /// The version to start from. Default of the API: 1.
    pub client_secret_version: Option<u32>,
    /// RFC 3339. The API takes it here too; a new token has no previous secret.
    pub previous_client_secret_expires_at: Option<String>,
}

impl CreateParams {
    /// Names the token, with the API's defaults for everything else.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            duration: None,
            enabled: None,
            client_secret_version: None,
            previous_client_secret_expires_at: None,
        }
    }

    /// Sets how long the token lives.
    #[must_use]
    pub fn duration(mut self, duration: impl Into<TokenDuration>) -> Self {
        self.duration = Some(duration.into());
        self
    }

    /// Sets whether the token passes from the start.
    #[must_use]
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = Some(enabled);
        self
    }

    /// Sets the version that the count of its secrets begins with.
    #[must_use]
    pub fn client_secret_version(mut self, version: u32) -> Self {
        self.client_secret_version = Some(version);
        self
    }

    /// Sets the time (RFC 3339) that the API takes for a previous secret.
    #[must_use]
    pub fn previous_client_secret_expires_at(mut self, time: impl Into<String>) -> Self {
        self.previous_client_secret_expires_at = Some(time.into());
        self
    }
}

/// The fields of a token to change. A field that is `None` is not sent and stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct UpdateParams {
    /// 1 to 350 characters.
    pub name: Option<String>,
    /// Sending it, even unchanged, moves `expires_at` to now plus the duration.
    pub duration: Option<TokenDuration>,
    /// False switches the token off at once, and ends the grace period of a previous secret.
    pub enabled: Option<bool>,
    /// A number above the current one makes a new secret, which the answer carries. Such an update is sent once.
    pub client_secret_version: Option<u32>,
    /// RFC 3339: until when the previous secret passes. May be moved later, or to the past to end it now.
    pub previous_client_secret_expires_at: Option<String>,
}

impl UpdateParams {
    /// Returns parameters that change nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a new name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets how long the token lives from now.
    #[must_use]
    pub fn duration(mut self, duration: impl Into<TokenDuration>) -> Self {
        self.duration = Some(duration.into());
        self
    }

    /// Switches the token on or off.
    #[must_use]
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = Some(enabled);
        self
    }

    /// Sets the secret version. The token gets a new secret if it is above the current one.
    #[must_use]
    pub fn client_secret_version(mut self, version: u32) -> Self {
        self.client_secret_version = Some(version);
        self
    }

    /// Sets until when the previous secret passes (RFC 3339).
    #[must_use]
    pub fn previous_client_secret_expires_at(mut self, time: impl Into<String>) -> Self {
        self.previous_client_secret_expires_at = Some(time.into());
        self
    }
}

/// The choice of tokens that [`list_page`](crate::Tokens::list_page) returns. Zone lists may ignore all four fields.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ListPageParams {
    /// Only tokens with this name. Whether the API compares exactly is not documented: check the result.
    pub name: Option<String>,
    /// Only tokens that match this text in some field.
    pub search: Option<String>,
    /// The page, from 1.
    pub page: Option<u32>,
    /// Tokens per page, from 1.
    pub per_page: Option<u32>,
}

impl ListPageParams {
    /// Selects the first page of all tokens.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Selects only tokens with this name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Selects only tokens that match this text in some field.
    #[must_use]
    pub fn search(mut self, search: impl Into<String>) -> Self {
        self.search = Some(search.into());
        self
    }

    /// Selects this page, from 1.
    #[must_use]
    pub fn page(mut self, page: u32) -> Self {
        self.page = Some(page);
        self
    }

    /// Sets how many tokens a page has, from 1.
    #[must_use]
    pub fn per_page(mut self, per_page: u32) -> Self {
        self.per_page = Some(per_page);
        self
    }
}

/// The choice of tokens that [`list_all`](crate::Tokens::list_all) returns, and the steps in which they are fetched.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ListAllParams {
    /// Only tokens with exactly this name.
    pub name: Option<String>,
    /// Only tokens that match this text in some field, by the API's own rule.
    pub search: Option<String>,
    /// Tokens per request, from 1. None: the API's default, which gives the fewest requests.
    pub per_page: Option<u32>,
}

impl ListAllParams {
    /// Selects all tokens.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Selects only tokens with exactly this name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Selects only tokens that match this text in some field.
    #[must_use]
    pub fn search(mut self, search: impl Into<String>) -> Self {
        self.search = Some(search.into());
        self
    }

    /// Sets how many tokens a request asks for, from 1.
    #[must_use]
    pub fn per_page(mut self, per_page: u32) -> Self {
        self.per_page = Some(per_page);
        self
    }
}

/// The fate of the old secret when a rotation makes a new one. Never a default: the first choice locks out every machine
/// that still uses the old secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PreviousSecret {
    /// The old secret stops passing at once.
    ExpiresNow,
    /// The old secret passes until this time (RFC 3339).
    ExpiresAt(String),
}

impl PreviousSecret {
    /// Lets the old secret pass for this long from now, by this machine's clock.
    ///
    /// A time beyond the year 9999 becomes the last second of that year.
    #[must_use]
    pub fn expires_in(grace: Duration) -> Self {
        let end = SystemTime::now()
            .checked_add(grace)
            .and_then(|end| jiff::Timestamp::try_from(end).ok())
            .unwrap_or(jiff::Timestamp::MAX);
        let end = end.round(jiff::Unit::Second).unwrap_or(end);
        Self::ExpiresAt(end.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_written_in_the_units_of_the_api() {
        assert_eq!(TokenDuration::from(Duration::from_hours(8760)).as_str(), "8760h");
        assert_eq!(TokenDuration::from(Duration::from_secs(90)).as_str(), "90s");
        assert_eq!(TokenDuration::hours(24).as_str(), "24h");
        assert_eq!(TokenDuration::forever().as_str(), "forever");
    }

    #[test]
    fn a_grace_period_becomes_a_time_in_utc() {
        let PreviousSecret::ExpiresAt(time) = PreviousSecret::expires_in(Duration::from_hours(1)) else { panic!() };
        let end: jiff::Timestamp = time.parse().unwrap();
        let from_now = end.duration_since(jiff::Timestamp::now());
        assert!((3595..=3601).contains(&from_now.as_secs()), "{time}");
        assert!(time.ends_with('Z') && !time.contains('.'), "{time}");
        let PreviousSecret::ExpiresAt(time) = PreviousSecret::expires_in(Duration::MAX) else { panic!() };
        assert!(time.starts_with("9999-12-3"), "{time}");
    }

    #[test]
    fn debug_shows_no_secret() {
        let token = ServiceToken {
            id: "id".into(),
            client_id: None,
            name: None,
            duration: None,
            enabled: None,
            expires_at: None,
            created_at: None,
            updated_at: None,
            last_seen_at: None,
            client_secret_version: None,
            previous_client_secret_expires_at: None,
            additional_fields: Vec::new(),
        };
        let issued = IssuedToken { token: token.clone(), client_secret: "cfast_hunter2".into() };
        let updated = UpdatedToken { token, client_secret: Some("cfast_hunter2".into()) };
        assert!(!format!("{issued:?} {updated:?}").contains("hunter2"));
    }
}
