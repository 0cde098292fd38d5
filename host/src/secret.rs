//! A string that `Debug` shows as `[redacted]`: a client secret, or the secret part of a credential.

use std::fmt;

/// A secret text. `Debug` does not show it, and its memory is wiped when it is dropped; a clone is a copy that is wiped, too.
///
/// ```
/// use cloudflare_access_host::{ExposeSecret, SecretString};
///
/// let secret = SecretString::from("hunter2");
/// assert_eq!(secret.expose_secret(), "hunter2");
/// assert!(!format!("{secret:?}").contains("hunter2"));
/// ```
#[derive(Clone)]
pub struct SecretString(secrecy::SecretString);

/// Gives access to a [`SecretString`]. A trait, so that a search for its name finds every file that can see a secret.
pub trait ExposeSecret {
    /// Returns the secret text. Nothing wipes copies of it.
    fn expose_secret(&self) -> &str;
}

impl ExposeSecret for SecretString {
    fn expose_secret(&self) -> &str {
        secrecy::ExposeSecret::expose_secret(&self.0)
    }
}

impl From<String> for SecretString {
    fn from(secret: String) -> Self {
        Self(secret.into())
    }
}

impl From<&str> for SecretString {
    fn from(secret: &str) -> Self {
        Self(secret.into())
    }
}

impl fmt::Debug for SecretString {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretString([redacted])")
    }
}
