//! The failure of a call or of a part of it.
//!
//! Texts of a server and arguments of a caller stand in a failure as they came. `response::Redactor` alone makes an
//! error of the contract from it, so that whatever reaches the caller has passed there.

use std::fmt::Display;
use std::time::Duration;

use crate::contract::types::{Error, ErrorKind, Outcome};

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

/// A call, or a request of it, that failed.
#[cfg_attr(test, derive(Debug))]
pub struct Failure {
    /// The error so far. Its message tells what happened, and leaves out what the API listed.
    pub error: Error,
    pub class: FailureClass,
    /// How long the API asks to wait before another request of any kind.
    pub asked_wait: Option<Duration>,
    /// The value of the argument or setting that the message names.
    pub value: Option<String>,
    /// What the message ends with: a rule, what came of the request, and what to do.
    pub advice: String,
    /// What the error must not show, besides the secrets of the call.
    pub secrets: Vec<String>,
}

impl Failure {
    /// Makes a final failure that no answer is to blame for, and that no change came of.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Box<Self> {
        let error = Error {
            kind,
            outcome: Outcome::NotApplied,
            message: message.into(),
            status: None,
            api_errors: Vec::new(),
            ray_id: None,
            retry_after_ms: None,
            attempts: 0,
            token_id: None,
            previous_secret_expires_at: None,
        };
        let (advice, secrets) = (String::new(), Vec::new());
        Box::new(Self { error, class: FailureClass::Final, asked_wait: None, value: None, advice, secrets })
    }

    /// An argument breaks a rule.
    pub fn argument(name: &str, value: &str, rule: impl Display) -> Box<Self> {
        Self::new(ErrorKind::InvalidArgument, name).with_value(value, rule)
    }

    /// A numeric argument breaks a rule.
    pub fn number(name: &str, value: u32, rule: impl Display) -> Box<Self> {
        Self::new(ErrorKind::InvalidArgument, format!("{name} is {value}: {rule}"))
    }

    /// The credential, the base URL, a header or a variable of the environment breaks a rule.
    pub fn configuration(message: impl Into<String>) -> Box<Self> {
        Self::new(ErrorKind::InvalidConfiguration, message)
    }

    /// Adds the value that the message names, and the rule that it breaks.
    pub fn with_value(mut self: Box<Self>, value: &str, rule: impl Display) -> Box<Self> {
        (self.value, self.advice) = (Some(value.to_owned()), format!(": {rule}"));
        self
    }

    /// Adds something, unless it is empty, to the end of the message.
    pub fn add(&mut self, text: &str) {
        self.advice.extend(if text.is_empty() { ["", ""] } else { ["; ", text] });
    }
}
