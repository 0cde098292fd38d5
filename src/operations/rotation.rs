//! One rotation of a token's secret, in a form that can be sent again wherever the API allows it.
//!
//! Where the version of the secret is known, a rotation is an update to the next one. Sent twice it rotates once,
//! however late the first one is carried out, because an update to the current version keeps the secret. Where it is
//! not known, a rotation is the operation `rotate` of an account, which makes a secret each time.

use crate::contract::types::{ErrorKind, IssuedToken, Outcome, ServiceToken, UpdatedToken};
use crate::exchange::{Call, Host};
use crate::failure::{Failure, FailureClass, Result};
use crate::operations::service_tokens;
use crate::request::{BodyFields, Target};

/// A rotation that is to be made.
pub struct Rotation<'a> {
    pub target: Target<'a>,
    /// The version of the new secret. None: the API does not show versions.
    pub version: Option<u32>,
    /// Until when the old secret is to pass. None ends it at once.
    end: Option<&'a str>,
}

impl<'a> Rotation<'a> {
    /// Plans the next rotation of a token.
    pub fn of(token: &ServiceToken, target: Target<'a>, end: Option<&'a str>) -> Self {
        Self { target, version: token.client_secret_version.and_then(|version| version.checked_add(1)), end }
    }

    /// Sends the rotation, and returns the new secret. `may_be_made`: whether an earlier request may have made it. An
    /// answer without a secret then tells that it did, and that its secret is lost.
    pub async fn send(&self, call: &Call<'_, impl Host>, may_be_made: bool) -> Result<IssuedToken> {
        if self.version.is_none() {
            return service_tokens::rotate(call, self.target, self.end).await;
        }
        let fields = BodyFields {
            client_secret_version: self.version,
            previous_client_secret_expires_at: self.end,
            ..BodyFields::default()
        };
        let UpdatedToken { token, client_secret } = service_tokens::update(call, self.target, fields).await?;
        if let Some(client_secret) = client_secret {
            return Ok(IssuedToken { token, client_secret });
        }
        let (kind, outcome, message) = if token.client_secret_version != self.version {
            let message = "the answer has no secret and does not show the version that was asked for";
            (ErrorKind::InvalidResponse, Outcome::Unknown, message)
        } else if may_be_made {
            let message = "an earlier attempt made the rotation, and its answer was lost";
            (ErrorKind::Connection, Outcome::Applied, message)
        } else {
            let message =
                "the token was rotated, and the answer has no secret: another caller may have done it at the same time";
            (ErrorKind::Conflict, Outcome::Applied, message)
        };
        let mut failure = about(self.target, kind, message);
        failure.error.outcome = outcome;
        failure.error.previous_secret_expires_at = token.previous_client_secret_expires_at;
        failure.class = if may_be_made { FailureClass::Passing } else { FailureClass::Final };
        Err(failure)
    }
}

/// Makes a failure that concerns a token.
pub fn about(target: Target<'_>, kind: ErrorKind, message: impl Into<String>) -> Box<Failure> {
    let mut failure = Failure::new(kind, message);
    failure.error.token_id = Some(target.id().to_owned());
    failure
}
