//! The error of the contract, and what the guest knows about it besides.

use std::time::Duration;

use crate::contract::types::{Error, ErrorKind, Outcome};
use crate::request::{Function, Invalid};

/// The result of a part of a call.
pub type Result<T, E = Box<Failure>> = std::result::Result<T, E>;

/// What a failure says about trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureClass {
    /// Proven: nothing reached the API.
    NotSent,
    /// The API refused for too many requests, before doing anything.
    RateLimited,
    /// May be gone next time, and the request may have been processed.
    Passing,
    /// Will be the same next time.
    Final,
}

/// A call, or a request of it, that failed. The message does not yet begin with the name of the function, and the
/// requests are not counted.
#[cfg_attr(test, derive(Debug))]
pub struct Failure {
    pub error: Error,
    pub class: FailureClass,
    /// How long the API asks to wait before another request of any kind.
    pub asked_wait: Option<Duration>,
}

impl Failure {
    /// Makes a final failure that no answer is to blame for, and that no change came of.
    pub fn new(kind: ErrorKind, message: String) -> Box<Self> {
        let error = Error {
            kind,
            outcome: Outcome::NotApplied,
            message,
            status: None,
            api_errors: Vec::new(),
            ray_id: None,
            retry_after_ms: None,
            attempts: 0,
            token_id: None,
            previous_secret_expires_at: None,
        };
        Box::new(Self { error, class: FailureClass::Final, asked_wait: None })
    }

    /// Adds something to the end of the message.
    pub fn add(&mut self, text: &str) {
        self.error.message.extend(["; ", text]);
    }

    /// Returns the error of the contract, whose message begins with the function that was called.
    pub fn named(self, function: Function) -> Error {
        let message = format!("{}: {}", function.name(), self.error.message);
        Error { message, ..self.error }
    }
}

impl From<Invalid> for Box<Failure> {
    fn from(invalid: Invalid) -> Self {
        Failure::new(invalid.kind, invalid.message)
    }
}
