//! Standard output as the destination of a secret.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use cloudflare_access_host::{Destination, DestinationError, DestinationFuture, Pair, SecretString, ServiceToken};

use crate::failure::Failure;

/// Prints a token and its secret.
pub type Print = Box<dyn Fn(&ServiceToken, &SecretString) -> Result<(), Failure> + Send + Sync>;

/// The token that is printed with its secret, as the last step has shown it.
#[derive(Debug, Clone, Default)]
pub struct LastSeen(Arc<Mutex<Option<ServiceToken>>>);

impl LastSeen {
    pub fn see(&self, token: &ServiceToken) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
    }

    fn token(&self) -> Option<ServiceToken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The output of the command.
pub struct Shown {
    pub token: LastSeen,
    pub print: Print,
}

impl fmt::Debug for Shown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Shown")
    }
}

impl Destination for Shown {
    fn name(&self) -> String {
        "standard output".to_owned()
    }

    fn check<'a>(&'a self, _: Option<&'a str>) -> DestinationFuture<'a> {
        Box::pin(async { Ok(()) })
    }

    fn deliver<'a>(&'a self, pair: &'a Pair) -> DestinationFuture<'a> {
        Box::pin(async move {
            let Some(token) = self.token.token() else { return Err(DestinationError::new("the token was not read")) };
            (self.print)(&token, &pair.client_secret).map_err(|failure| DestinationError::new(failure.message))
        })
    }
}
