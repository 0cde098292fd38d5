//! The body of create, update and rotate: read, checked, and refused with 12130 where it breaks a rule.
//!
//! `null` counts as left out and unknown fields are ignored, as Go servers do. The version is a JSON number that must be
//! whole.

use serde::Deserialize;
use time::OffsetDateTime;

use crate::api_error::ApiError;
use crate::clock;
use crate::lifetime::Lifetime;

/// The fields of a request, each none where it was left out.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    pub name: Option<String>,
    pub duration: Option<Lifetime>,
    pub enabled: Option<bool>,
    pub client_secret_version: Option<u32>,
    pub previous_client_secret_expires_at: Option<OffsetDateTime>,
}

/// The longest name, in characters.
pub(crate) const MAXIMUM_NAME_LENGTH: usize = 350;

impl Parameters {
    /// Reads and checks a body.
    pub fn read(body: &[u8]) -> Result<Self, ApiError> {
        let raw: RawParameters = serde_json::from_slice(body).map_err(ApiError::invalid_request)?;
        Ok(Self {
            name: raw.name.map(checked_name).transpose()?,
            duration: raw.duration.as_deref().map(Lifetime::parse).transpose().map_err(ApiError::invalid_request)?,
            enabled: raw.enabled,
            client_secret_version: raw.client_secret_version.map(whole_version).transpose()?,
            previous_client_secret_expires_at: raw
                .previous_client_secret_expires_at
                .map(|text| time(&text))
                .transpose()?,
        })
    }

    /// Reads and checks a body that may be absent.
    pub fn read_optional(body: &[u8]) -> Result<Self, ApiError> {
        if body.is_empty() { Ok(Self::default()) } else { Self::read(body) }
    }
}

#[derive(Deserialize)]
struct RawParameters {
    name: Option<String>,
    duration: Option<String>,
    enabled: Option<bool>,
    client_secret_version: Option<f64>,
    previous_client_secret_expires_at: Option<String>,
}

fn checked_name(name: String) -> Result<String, ApiError> {
    match name.chars().count() {
        0 => Err(ApiError::invalid_request("name must not be empty")),
        1..=MAXIMUM_NAME_LENGTH => Ok(name),
        length => Err(ApiError::invalid_request(format_args!(
            "name has {length} characters, more than {MAXIMUM_NAME_LENGTH}"
        ))),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be whole and in range")]
fn whole_version(version: f64) -> Result<u32, ApiError> {
    if version.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&version) {
        Ok(version as u32)
    } else {
        Err(ApiError::invalid_request(format_args!("client_secret_version {version} is not a whole number from 0")))
    }
}

fn time(text: &str) -> Result<OffsetDateTime, ApiError> {
    clock::parse(text).ok_or_else(|| {
        ApiError::invalid_request(format_args!("previous_client_secret_expires_at {text:?} is not an RFC 3339 time"))
    })
}
