//! JSON for scripts. Names are the API's; every key is always there; `client_secret` only where there is one to show.

use std::borrow::Cow;
use std::collections::BTreeMap;

use cloudflare_access_host::{
    Deletion, Ensured, Error, ExpiringToken, ExpiryReport, ExposeSecret, RefreshReport, SecretString, ServiceToken,
    TimeLeft,
};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::failure::Failure;

#[derive(Serialize)]
struct Token<'a> {
    id: &'a str,
    client_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<&'a str>,
    name: Option<&'a str>,
    duration: Option<&'a str>,
    enabled: Option<bool>,
    expires_at: Option<&'a str>,
    created_at: Option<&'a str>,
    updated_at: Option<&'a str>,
    last_seen_at: Option<&'a str>,
    client_secret_version: Option<u32>,
    previous_client_secret_expires_at: Option<&'a str>,
    /// What the API has added since this program was made.
    additional_fields: BTreeMap<&'a str, Cow<'a, RawValue>>,
}

impl<'a> Token<'a> {
    fn new(token: &'a ServiceToken, secret: Option<&'a SecretString>) -> Self {
        Self {
            id: &token.id,
            client_id: token.client_id.as_deref(),
            client_secret: secret.map(ExposeSecret::expose_secret),
            name: token.name.as_deref(),
            duration: token.duration.as_deref(),
            enabled: token.enabled,
            expires_at: token.expires_at.as_deref(),
            created_at: token.created_at.as_deref(),
            updated_at: token.updated_at.as_deref(),
            last_seen_at: token.last_seen_at.as_deref(),
            client_secret_version: token.client_secret_version,
            previous_client_secret_expires_at: token.previous_client_secret_expires_at.as_deref(),
            additional_fields: token
                .additional_fields
                .iter()
                .map(|field| (field.name.as_str(), as_sent(&field.json)))
                .collect(),
        }
    }
}

/// JSON as the API wrote it: a number keeps all its digits. Text that is no JSON becomes a string.
fn as_sent(json: &str) -> Cow<'_, RawValue> {
    match serde_json::from_str(json) {
        Ok(value) => Cow::Borrowed(value),
        Err(_) => Cow::Owned(to_raw_value(json).unwrap_or_else(|_| RawValue::NULL.to_owned())),
    }
}

pub fn token(token: &ServiceToken, secret: Option<&SecretString>) -> Result<String, Failure> {
    text(&Token::new(token, secret))
}

/// An array, empty where there are none.
pub fn list(tokens: &[ServiceToken]) -> Result<String, Failure> {
    text(&without_secrets(tokens))
}

fn without_secrets(tokens: &[ServiceToken]) -> Vec<Token<'_>> {
    tokens.iter().map(|token| Token::new(token, None)).collect()
}

#[derive(Serialize)]
struct EnsuredToken<'a> {
    change: &'a str,
    #[serde(flatten)]
    token: Token<'a>,
}

/// A token as any other, and what was done for it: `created`, `updated` or `unchanged`.
pub fn ensured(ensured: &Ensured, secret: Option<&SecretString>) -> Result<String, Failure> {
    text(&EnsuredToken { change: ensured.as_str(), token: Token::new(ensured.token(), secret) })
}

#[derive(Serialize)]
struct Deleted<'a> {
    /// `deleted` or `already-gone`.
    deletion: &'a str,
    id: &'a str,
    /// As the API showed it last. Null where it was gone already.
    token: Option<Token<'a>>,
}

pub fn deletion(id: &str, deletion: &Deletion) -> Result<String, Failure> {
    text(&match deletion {
        Deletion::Deleted(token) => Deleted { deletion: "deleted", id, token: Some(Token::new(token, None)) },
        Deletion::AlreadyGone => Deleted { deletion: "already-gone", id, token: None },
    })
}

#[derive(Serialize)]
struct Expiring<'a> {
    /// Negative once the token has expired.
    seconds_left: i64,
    token: Token<'a>,
}

impl<'a> Expiring<'a> {
    fn new(expiring: &'a ExpiringToken) -> Self {
        let seconds = |length: std::time::Duration| i64::try_from(length.as_secs()).unwrap_or(i64::MAX);
        let seconds_left = match expiring.time_left {
            TimeLeft::Remaining(length) => seconds(length),
            TimeLeft::Expired(length) => -seconds(length),
        };
        Self { seconds_left, token: Token::new(&expiring.token, None) }
    }
}

#[derive(Serialize)]
struct Expiry<'a> {
    now: &'a str,
    clock: &'a str,
    expiring: Vec<Expiring<'a>>,
    disabled: Vec<Expiring<'a>>,
    forever: Vec<Token<'a>>,
    unreadable: Vec<Token<'a>>,
    /// How many live longer.
    later: u32,
}

pub fn expiry(report: &ExpiryReport) -> Result<String, Failure> {
    text(&Expiry {
        now: &report.now,
        clock: report.clock.as_str(),
        expiring: report.expiring.iter().map(Expiring::new).collect(),
        disabled: report.disabled.iter().map(Expiring::new).collect(),
        forever: without_secrets(&report.forever),
        unreadable: without_secrets(&report.unreadable),
        later: report.later,
    })
}

#[derive(Serialize)]
struct Renewed<'a> {
    id: &'a str,
    name: Option<&'a str>,
    /// Null where it was not renewed.
    token: Option<Token<'a>>,
    /// Null where it was renewed.
    error: Option<Failed<'a>>,
}

#[derive(Serialize)]
struct Failed<'a> {
    kind: &'a str,
    outcome: &'a str,
    message: &'a str,
    ray_id: Option<&'a str>,
}

impl<'a> Failed<'a> {
    fn new(error: &'a Error) -> Self {
        Self {
            kind: error.kind.as_str(),
            outcome: error.outcome.as_str(),
            message: &error.message,
            ray_id: error.ray_id.as_deref(),
        }
    }
}

#[derive(Serialize)]
struct Renewal<'a> {
    now: &'a str,
    tokens: Vec<Renewed<'a>>,
}

pub fn renewal(report: &RefreshReport) -> Result<String, Failure> {
    text(&Renewal {
        now: &report.now,
        tokens: report
            .tokens
            .iter()
            .map(|token| Renewed {
                id: &token.id,
                name: token.name.as_deref(),
                token: token.refreshed.as_ref().ok().map(|token| Token::new(token, None)),
                error: token.refreshed.as_ref().err().map(Failed::new),
            })
            .collect(),
    })
}

fn text(value: &impl Serialize) -> Result<String, Failure> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::defect(format!("the result cannot be written as JSON: {error}")))?;
    text.push('\n');
    Ok(text)
}
