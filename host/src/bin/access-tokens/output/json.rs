//! JSON for scripts. Names are the API's; every key is always there; `client_secret` only where there is one to show.

use std::collections::BTreeMap;

use cloudflare_access_host::{ExposeSecret, SecretString, ServiceToken};
use serde::Serialize;
use serde_json::Value;

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
    additional_fields: BTreeMap<&'a str, Value>,
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
                .map(|(name, json)| {
                    let value = serde_json::from_str(json).unwrap_or_else(|_| Value::String(json.clone()));
                    (name.as_str(), value)
                })
                .collect(),
        }
    }
}

pub fn token(token: &ServiceToken, secret: Option<&SecretString>) -> Result<String, Failure> {
    text(&Token::new(token, secret))
}

/// An array, empty where there are none.
pub fn list(tokens: &[ServiceToken]) -> Result<String, Failure> {
    text(&tokens.iter().map(|token| Token::new(token, None)).collect::<Vec<_>>())
}

fn text(value: &impl Serialize) -> Result<String, Failure> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::defect(format!("the result cannot be written as JSON: {error}")))?;
    text.push('\n');
    Ok(text)
}
