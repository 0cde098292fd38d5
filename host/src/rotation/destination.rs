//! The places that a new secret is delivered to.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use super::pair::Pair;

/// A place that the pair of a service token is delivered to, such as a file, a vault, or a setting of a CI system.
///
/// A rotation calls [`check`](Self::check) before anything is sent to the API, and [`deliver`](Self::deliver) when there is a new
/// secret. It delivers again after a failure and after the process was stopped, so a second delivery of the same pair must leave the
/// place as the first one does.
pub trait Destination: fmt::Debug + Send + Sync {
    /// Returns what messages and the journal call the place, such as `file /etc/ci.secret`. No two destinations of a rotation share a
    /// name. It holds no secret.
    fn name(&self) -> String;

    /// Checks that a pair could be delivered. Changes nothing. `client_id` is that of the token, or `None` where the token is still to
    /// be made: a place that holds the pair of another token is refused.
    ///
    /// # Errors
    ///
    /// What is wrong with the place, and what to do. Nothing has been sent to the API then.
    fn check<'a>(&'a self, client_id: Option<&'a str>) -> DestinationFuture<'a>;

    /// Delivers a pair.
    ///
    /// # Errors
    ///
    /// Why the place does not hold the pair, or may not. Whoever called keeps the pair.
    fn deliver<'a>(&'a self, pair: &'a Pair) -> DestinationFuture<'a>;
}

/// The future of a [`Destination`], boxed so that destinations of several types can stand in one list.
pub type DestinationFuture<'a> = Pin<Box<dyn Future<Output = Result<(), DestinationError>> + Send + 'a>>;

/// Why a place cannot take a pair, or did not, as a message that names the place.
#[derive(Debug)]
pub struct DestinationError {
    message: String,
    advice: Option<String>,
}

impl DestinationError {
    /// Makes an error of a message that holds no secret.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), advice: None }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn with_advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// Returns what to do next, where the destination knows it.
    #[must_use]
    pub fn advice(&self) -> Option<&str> {
        self.advice.as_deref()
    }
}

impl fmt::Display for DestinationError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for DestinationError {}
