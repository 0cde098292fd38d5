//! What the state folder remembers of a token: a change that is not finished, and the last rotation that is.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, Unit};
use serde::{Deserialize, Serialize};

use crate::client::scope::Scope;
use crate::rotation::pair::Pair;
use crate::secret::{ExposeSecret, SecretString};
use crate::types::ServiceToken;

/// The version of the form of the files. A file of another version is left alone.
pub(super) const VERSION: u32 = 1;

/// The token that a change is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// A token that is there.
    Token {
        /// Whose token it is.
        scope: Scope,
        /// Its id.
        id: String,
    },
    /// A token that is being made.
    NewToken {
        /// Whose token it will be.
        scope: Scope,
        /// The name that it will have.
        name: String,
    },
}

impl Subject {
    /// Returns whose token it is.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        let (Self::Token { scope, .. } | Self::NewToken { scope, .. }) = self;
        scope
    }

    /// Returns the name of its files. Ids and names may hold anything, so what no file name should have is escaped, and a long one is cut
    /// and told apart by a hash.
    pub(super) fn file_stem(&self) -> String {
        let (kind, what) = match self {
            Self::Token { id, .. } => ("token", id),
            Self::NewToken { name, .. } => ("new", name),
        };
        let (scope, scope_id) = match self.scope() {
            Scope::Account(id) => ("account", id),
            Scope::Zone(id) => ("zone", id),
        };
        let escape =
            |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        let whole = format!("{kind}-{scope}-{}-{}", escape(scope_id), escape(what));
        match whole.get(..LONGEST_STEM) {
            None => whole,
            Some(beginning) => format!("{beginning}-{:016x}", fnv(whole.as_bytes())),
        }
    }
}

/// File names are limited to 255 bytes, which the hash and the extension are part of.
const LONGEST_STEM: usize = 200;

/// Fowler, Noll and Vo's hash 1a. The standard library's may change with its version, and with it the names of the files.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// How a secret comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// By a [`Rotation`](super::Rotation).
    Rotation,
    /// By a [`Creation`](super::Creation).
    Creation,
    /// By an [`Issuance`](super::Issuance).
    Issuance,
    /// By a call of the application, which has handed the secret over with [`hand_over`](super::Delivery::hand_over).
    HandOver,
}

/// A change that is not finished.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Unfinished {
    pub(super) change: Change,
    pub(super) begun_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) token_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    /// The token before the rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) before: Option<Before>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) previous_secret_ends: Option<String>,
    /// The key of an issuance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) journal: Option<Journal>,
    #[serde(default)]
    pub(super) proven: bool,
    #[serde(default)]
    pub(super) delivered: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<String>,
}

/// What a token showed before a rotation, to tell afterwards whether it happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Before {
    pub secret_version: Option<u32>,
    pub previous_secret_ends: Option<String>,
    pub updated_at: Option<String>,
}

/// A secret on its way to its destinations.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Journal {
    pub client_id: String,
    #[serde(serialize_with = "in_plain_text", deserialize_with = "of_plain_text")]
    pub client_secret: SecretString,
    pub secret_version: Option<u32>,
}

fn in_plain_text<S: serde::Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

fn of_plain_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

/// The last rotation of a token that was finished, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LastRotation {
    /// When it was finished, RFC 3339, by this machine's clock.
    pub finished_at: String,
    /// The version of the secret, where the token shows one.
    pub secret_version: Option<u32>,
}

/// A file of the state folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Record {
    pub version: u32,
    pub subject: Subject,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastRotation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unfinished: Option<Unfinished>,
}

/// What is to be done next about an unfinished change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NextStep {
    /// There is no secret in the journal: look at the token, which tells whether it was made.
    Look,
    /// The secret is in the journal: prove it where that was asked for, and deliver it.
    Deliver,
}

impl Unfinished {
    pub(super) fn begin(change: Change, note: Option<String>) -> Self {
        Self {
            change,
            begun_at: now(),
            token_id: None,
            name: None,
            before: None,
            previous_secret_ends: None,
            key: None,
            journal: None,
            proven: false,
            delivered: Vec::new(),
            note,
        }
    }

    /// Keeps the secret that has come.
    pub(super) fn take(&mut self, token: &ServiceToken, client_secret: &SecretString) {
        self.token_id = Some(token.id.clone());
        self.journal = Some(Journal {
            client_id: token.client_id.clone().unwrap_or_default(),
            client_secret: client_secret.clone(),
            secret_version: token.client_secret_version,
        });
    }

    pub(super) fn pair(&self) -> Option<Pair> {
        let journal = self.journal.as_ref()?;
        Some(Pair::new(journal.client_id.clone(), journal.client_secret.clone()))
    }

    pub(super) fn secret_version(&self) -> Option<u32> {
        self.journal.as_ref().and_then(|journal| journal.secret_version)
    }

    /// Returns how the secret comes about.
    #[must_use]
    pub fn change(&self) -> Change {
        self.change
    }

    /// Returns when it was begun, RFC 3339, by this machine's clock.
    #[must_use]
    pub fn begun_at(&self) -> &str {
        &self.begun_at
    }

    /// Returns how long ago it was begun, by this machine's clock. None where its clock was ahead then.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        let begun: Timestamp = self.begun_at.parse().ok()?;
        Duration::try_from(Timestamp::now().duration_since(begun)).ok()
    }

    /// Returns the id of the token, once it is known.
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.token_id.as_deref()
    }

    /// Returns the name of the token, where it had one when the change was begun.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns until when the old secret passes, RFC 3339. As long as no answer has said so, it is what was asked for.
    #[must_use]
    pub fn previous_secret_ends(&self) -> Option<&str> {
        self.previous_secret_ends.as_deref()
    }

    /// Returns the key of an issuance.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Returns the destinations that hold the pair.
    #[must_use]
    pub fn delivered(&self) -> &[String] {
        &self.delivered
    }

    /// Returns what the application has kept with it.
    #[must_use]
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// Returns what is to be done next.
    #[must_use]
    pub fn next_step(&self) -> NextStep {
        if self.journal.is_some() { NextStep::Deliver } else { NextStep::Look }
    }
}

impl From<&ServiceToken> for Before {
    fn from(token: &ServiceToken) -> Self {
        Self {
            secret_version: token.client_secret_version,
            previous_secret_ends: token.previous_client_secret_expires_at.clone(),
            updated_at: token.updated_at.clone(),
        }
    }
}

impl Before {
    /// Whether a token that was seen like this has got a new secret since. What shows no version may have, once it was changed at all.
    pub fn has_new_secret(&self, now: &Self) -> bool {
        match (self.secret_version, now.secret_version) {
            (Some(before), Some(now)) => now != before,
            _ => self != now,
        }
    }
}

/// The time, in whole seconds.
pub(super) fn now() -> String {
    text(Timestamp::now())
}

/// The time so long from now.
pub(super) fn in_time(duration: Duration) -> String {
    let duration = SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
    text(Timestamp::now().saturating_add(duration).unwrap_or(Timestamp::MAX))
}

fn text(time: Timestamp) -> String {
    time.round(Unit::Second).unwrap_or(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(id: &str) -> Subject {
        Subject::Token { scope: Scope::Account("a".to_owned()), id: id.to_owned() }
    }

    #[test]
    fn a_file_name_leads_out_of_no_folder_and_tells_long_names_apart() {
        assert_eq!(token("f174-90").file_stem(), "token-account-a-f174%2D90");
        assert_eq!(token("../x").file_stem(), "token-account-a-%2E%2E%2Fx");
        let long = |last: char| {
            let name = "ä".repeat(349) + &last.to_string();
            Subject::NewToken { scope: Scope::Zone("z".to_owned()), name }.file_stem()
        };
        assert!(long('a').len() < 240 && long('a') != long('b'));
        assert_eq!(long('a'), long('a'));
    }

    #[test]
    fn a_new_secret_is_told_by_the_version_or_else_by_any_change() {
        let seen = |version: Option<u32>, updated: &str| Before {
            secret_version: version,
            previous_secret_ends: None,
            updated_at: Some(updated.to_owned()),
        };
        for (before, now, is_new) in [
            (seen(Some(1), "a"), seen(Some(1), "b"), false),
            (seen(Some(1), "a"), seen(Some(2), "b"), true),
            (seen(Some(1), "a"), seen(Some(3), "b"), true),
            (seen(None, "a"), seen(None, "a"), false),
            (seen(None, "a"), seen(None, "b"), true),
            (seen(Some(1), "a"), seen(None, "a"), true),
        ] {
            assert_eq!(before.has_new_secret(&now), is_new, "{before:?} {now:?}");
        }
    }
}
