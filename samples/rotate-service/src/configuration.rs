//! The configuration of the service: which token it rotates, how, and for whom.

use support::configuration::variable;

/// A secret that can be guessed protects nothing.
const SHORTEST_CALLER_SECRET: usize = 24;
/// Longer than any call takes, so that a slow call cannot store its pair after the next one.
const SHORTEST_OVERLAP_SECONDS: u32 = 60;

pub struct Configuration {
    pub account_id: String,
    pub token_id: String,
    pub overlap_seconds: u32,
    /// What the caller sends as `Authorization: Bearer`.
    pub caller_secret: String,
    /// The name of the key-value store.
    pub store: String,
}

impl Configuration {
    /// Reads the configuration. What is wrong with it is said by the names of its variables, never with the secret.
    pub fn read() -> Result<Self, String> {
        let caller_secret = variable("ROTATE_CALLER_SECRET")?;
        if caller_secret.len() < SHORTEST_CALLER_SECRET {
            return Err(format!("ROTATE_CALLER_SECRET is shorter than {SHORTEST_CALLER_SECRET} characters"));
        }
        let overlap = variable("ROTATE_OVERLAP_SECONDS")?;
        let overlap_seconds = overlap.parse().ok().filter(|seconds| *seconds >= SHORTEST_OVERLAP_SECONDS);
        let rule = || format!("ROTATE_OVERLAP_SECONDS is `{overlap}`: give seconds, from {SHORTEST_OVERLAP_SECONDS}");
        Ok(Self {
            account_id: variable("ROTATE_ACCOUNT_ID")?,
            token_id: variable("ROTATE_TOKEN_ID")?,
            overlap_seconds: overlap_seconds.ok_or_else(rule)?,
            caller_secret,
            store: variable("ROTATE_STORE")?,
        })
    }
}
