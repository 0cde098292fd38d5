//! The pair that a machine passes Access with.

use crate::secret::SecretString;

/// A client id and its client secret. `Debug` does not show the secret.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The client id, such as `88bf3b6d86161464f6509f7219099e57.access`.
    pub client_id: String,
    /// The client secret.
    pub client_secret: SecretString,
}

impl Pair {
    /// Makes a pair of a client id and its secret.
    pub fn new(client_id: impl Into<String>, client_secret: SecretString) -> Self {
        Self { client_id: client_id.into(), client_secret }
    }
}
