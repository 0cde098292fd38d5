//! The check that a new pair passes before it is delivered.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use super::pair::Pair;

/// A check that a pair passes, such as a request to an application behind Access.
///
/// A rotation calls [`check`](Self::check) before anything is sent to the API, and [`prove`](Self::prove) again and again while Access
/// may not have learnt of the secret yet.
pub trait Proof: fmt::Debug + Send + Sync {
    /// Checks that a pair could be proven. The application must refuse a request without one, for instance.
    ///
    /// # Errors
    ///
    /// Why nothing can be proven. Nothing has been sent to the API then.
    fn check(&self) -> ProofFuture<'_>;

    /// Tries the pair once.
    ///
    /// # Errors
    ///
    /// Why the pair is not proven. Where [`ProofError::may_pass`] says so, it is tried again.
    fn prove<'a>(&'a self, pair: &'a Pair) -> ProofFuture<'a>;
}

/// The future of a [`Proof`].
pub type ProofFuture<'a> = Pin<Box<dyn Future<Output = Result<(), ProofError>> + Send + 'a>>;

/// Why a pair is not proven.
#[derive(Debug, Clone)]
pub struct ProofError {
    message: String,
    may_pass: bool,
}

impl ProofError {
    /// Makes an error that stays, such as an application that is not protected. The message holds no secret.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), may_pass: false }
    }

    /// Makes an error that may pass by itself: a refusal by an edge that has not learnt of the secret yet, or no answer.
    pub fn passing(message: impl Into<String>) -> Self {
        Self { message: message.into(), may_pass: true }
    }

    /// Returns whether another try can succeed.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        self.may_pass
    }
}

impl fmt::Display for ProofError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for ProofError {}
