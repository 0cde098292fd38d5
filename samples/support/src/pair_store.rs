//! A service token's pair in a key-value store: one value, so that no reader sees half of a rotation.

use serde::{Deserialize, Serialize};

use crate::bindings::keyvalue::store::{Bucket, Error, open};

/// Names the store of wasmtime, which has no name. `wasmtime serve` makes it for each request and drops it with the answer, so a pair
/// that is written there is lost: it is for trying out.
const IN_MEMORY: &str = "in-memory";
/// How often a write is tried: after a rotation the secret is nowhere else.
const WRITES: usize = 3;

/// The pair that machines use, and the secret that it replaced.
#[derive(Clone, Deserialize, Serialize)]
pub struct StoredPair {
    pub client_id: String,
    pub client_secret: String,
    /// The version of the secret, where the API shows it.
    pub client_secret_version: Option<u32>,
    /// Passes beside the secret for a while. A reader needs it where an application does not know the new secret yet.
    pub previous: Option<PreviousSecret>,
}

/// The secret before the current one.
#[derive(Clone, Deserialize, Serialize)]
pub struct PreviousSecret {
    pub client_secret: String,
    /// Until when it passes, RFC 3339.
    pub passes_until: String,
}

/// A store of pairs, by the ids of their tokens.
pub struct PairStore(Bucket);

impl PairStore {
    /// Opens the store of this name.
    ///
    /// # Errors
    /// The host has no such store, or it does not answer.
    pub fn open(name: &str) -> Result<Self, String> {
        open(if name == IN_MEMORY { "" } else { name }).map(Self).map_err(reason)
    }

    /// Returns the pair of a token, if there is one.
    ///
    /// # Errors
    /// The store does not answer, or the value is no pair.
    pub fn read(&self, token_id: &str) -> Result<Option<StoredPair>, String> {
        let Some(value) = self.0.get(token_id).map_err(reason)? else { return Ok(None) };
        serde_json::from_slice(&value).map(Some).map_err(|error| format!("the value of {token_id} is no pair: {error}"))
    }

    /// Replaces the pair of a token, with some tries.
    ///
    /// # Errors
    /// No try succeeded.
    pub fn write(&self, token_id: &str, pair: &StoredPair) -> Result<(), String> {
        let value = serde_json::to_vec(pair).map_err(|error| error.to_string())?;
        let mut last = Ok(());
        for _ in 0..WRITES {
            last = self.0.set(token_id, &value).map_err(reason);
            if last.is_ok() {
                break;
            }
        }
        last
    }
}

fn reason(error: Error) -> String {
    match error {
        Error::NoSuchStore => "the host has no store of this name".to_owned(),
        Error::AccessDenied => "the host denies the store".to_owned(),
        Error::Other(reason) => reason,
    }
}
