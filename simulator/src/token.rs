//! A service token: what the API shows of it, its secrets, and the rules by which they change.
//!
//! The rules: a new secret makes the current one the previous one, which passes until the end of its grace period; disabling
//! ends that grace period for good; only a new duration or a refresh moves the expiry.

use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;

use crate::client_secret::{self, ClientSecret};
use crate::lifetime::{Lifetime, YEAR};
use crate::parameters::Parameters;
use crate::store::Refusal;
use crate::{SecretForm, TokenShape, clock};

/// A token as it is now. Times have the precision that the API shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The identifier in paths, a UUID.
    pub id: String,
    /// What a machine sends as `CF-Access-Client-Id`.
    pub client_id: String,
    /// The name; others may have it too.
    pub name: String,
    /// The lifetime as it was given: a Go duration or `forever`.
    pub duration: String,
    /// False once it was switched off.
    pub enabled: bool,
    /// When it stops passing.
    pub expires_at: OffsetDateTime,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    pub updated_at: OffsetDateTime,
    /// When it last passed; none if never.
    pub last_seen_at: Option<OffsetDateTime>,
    /// Counts the secrets.
    pub client_secret_version: u32,
    /// When the grace period of the previous secret ends or ended; none if there was no previous secret.
    pub previous_client_secret_expires_at: Option<OffsetDateTime>,
    secret: ClientSecret,
    secret_made_at: OffsetDateTime,
    previous_secret: Option<ClientSecret>,
}

/// Where new secrets and identifiers come from.
pub(crate) struct Secrets<'a> {
    pub random: &'a mut fastrand::Rng,
    pub form: SecretForm,
}

impl Secrets<'_> {
    fn next(&mut self) -> ClientSecret {
        ClientSecret::random(self.random, self.form)
    }
}

/// A token in an answer. `client_secret` is there only when the answer may carry it.
#[derive(Serialize)]
pub(crate) struct ShownToken<'a> {
    id: &'a str,
    client_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<&'a str>,
    name: &'a str,
    duration: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<bool>,
    expires_at: String,
    created_at: String,
    updated_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret_version: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_client_secret_expires_at: Option<String>,
}

impl Token {
    /// A new token. A time for a previous secret is accepted and means nothing: there is none.
    pub(crate) fn new(name: String, wanted: &Parameters, secrets: &mut Secrets<'_>, now: OffsetDateTime) -> Self {
        let lifetime = wanted.duration.clone().unwrap_or_else(Lifetime::default_of_the_api);
        Self {
            id: client_secret::random_token_id(secrets.random),
            client_id: client_secret::random_client_id(secrets.random),
            name,
            duration: lifetime.text().to_owned(),
            enabled: wanted.enabled.unwrap_or(true),
            expires_at: lifetime.end(now),
            created_at: now,
            updated_at: now,
            last_seen_at: None,
            client_secret_version: wanted.client_secret_version.unwrap_or(1).max(1),
            previous_client_secret_expires_at: None,
            secret: secrets.next(),
            secret_made_at: now,
            previous_secret: None,
        }
    }

    /// Changes what is given and nothing else. The new secret, if the version was raised.
    pub(crate) fn update(
        &mut self,
        wanted: Parameters,
        secrets: &mut Secrets<'_>,
        now: OffsetDateTime,
    ) -> Option<ClientSecret> {
        let grace_end = wanted.previous_client_secret_expires_at;
        let raised = wanted.client_secret_version.filter(|version| *version > self.client_secret_version);
        if let Some(name) = wanted.name {
            self.name = name;
        }
        if let Some(lifetime) = wanted.duration {
            self.expires_at = lifetime.end(now);
            lifetime.text().clone_into(&mut self.duration);
        }
        let secret = raised.map(|version| self.replace_secret(version, grace_end.unwrap_or(now), secrets, now));
        if raised.is_none() && self.previous_secret.is_some() && grace_end.is_some() {
            self.previous_client_secret_expires_at = grace_end;
        }
        if let Some(enabled) = wanted.enabled {
            self.enabled = enabled;
            if !enabled {
                self.end_grace(now);
            }
        }
        self.updated_at = now;
        secret
    }

    /// A year from now, or later if it is already later: a refresh never shortens a life.
    pub(crate) fn refresh(&mut self, now: OffsetDateTime) {
        self.expires_at = self.expires_at.max(clock::add(now, YEAR));
        self.updated_at = now;
    }

    /// A new secret. The old one passes until `grace_end`.
    pub(crate) fn rotate(
        &mut self,
        grace_end: Option<OffsetDateTime>,
        secrets: &mut Secrets<'_>,
        now: OffsetDateTime,
    ) -> ClientSecret {
        self.updated_at = now;
        self.replace_secret(self.client_secret_version.saturating_add(1), grace_end.unwrap_or(now), secrets, now)
    }

    /// Whether this secret passes now. If so, the token was seen.
    pub(crate) fn authenticate(&mut self, secret: &str, now: OffsetDateTime) -> Result<(), Refusal> {
        let is_current = self.secret.expose() == secret;
        let is_previous = self.previous_secret.as_ref().is_some_and(|previous| previous.expose() == secret);
        if !is_current && !is_previous {
            return Err(Refusal::WrongSecret);
        }
        if !self.enabled {
            return Err(Refusal::Disabled);
        }
        if now >= self.expires_at {
            return Err(Refusal::Expired);
        }
        if !is_current && self.previous_client_secret_expires_at.is_none_or(|end| now >= end) {
            return Err(Refusal::PreviousSecretExpired);
        }
        self.last_seen_at = Some(now);
        Ok(())
    }

    /// Whether Access knows the secret already that it has `learns_after` after it was made. The secret before it is known.
    pub(crate) fn is_known(&self, secret: &str, learns_after: Duration, now: OffsetDateTime) -> bool {
        self.secret.expose() != secret || now >= clock::add(self.secret_made_at, learns_after)
    }

    /// Switches it off, unless it is off already.
    pub(crate) fn disable(&mut self, now: OffsetDateTime) {
        if self.enabled {
            self.enabled = false;
            self.end_grace(now);
            self.updated_at = now;
        }
    }

    /// Whether it is older than this, and has not passed for as long.
    pub(crate) fn is_inactive(&self, period: Duration, now: OffsetDateTime) -> bool {
        let active = self.last_seen_at.unwrap_or(self.created_at);
        now >= clock::add(active, period)
    }

    /// As an answer shows it, with the secret where the answer is the one that carries it.
    pub(crate) fn shown<'a>(&'a self, secret: Option<&'a ClientSecret>, shape: TokenShape) -> ShownToken<'a> {
        let is_current = shape == TokenShape::Current;
        ShownToken {
            id: &self.id,
            client_id: &self.client_id,
            client_secret: secret.map(ClientSecret::expose),
            name: &self.name,
            duration: &self.duration,
            enabled: is_current.then_some(self.enabled),
            expires_at: clock::text(self.expires_at),
            created_at: clock::text(self.created_at),
            updated_at: clock::text(self.updated_at),
            last_seen_at: self.last_seen_at.map(clock::text),
            client_secret_version: is_current.then_some(self.client_secret_version),
            previous_client_secret_expires_at: self
                .previous_client_secret_expires_at
                .filter(|_| is_current)
                .map(clock::text),
        }
    }

    pub(crate) fn secret(&self) -> &ClientSecret {
        &self.secret
    }

    fn replace_secret(
        &mut self,
        version: u32,
        grace_end: OffsetDateTime,
        secrets: &mut Secrets<'_>,
        now: OffsetDateTime,
    ) -> ClientSecret {
        let old = std::mem::replace(&mut self.secret, secrets.next());
        self.secret_made_at = now;
        self.client_secret_version = version;
        self.previous_secret = Some(old);
        self.previous_client_secret_expires_at = Some(grace_end);
        self.secret.clone()
    }

    fn end_grace(&mut self, now: OffsetDateTime) {
        self.previous_secret = None;
        self.previous_client_secret_expires_at = self.previous_client_secret_expires_at.map(|end| end.min(now));
    }
}
