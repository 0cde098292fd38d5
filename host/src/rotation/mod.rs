//! One whole rotation: a new secret that reaches its place before the old one ends.
//!
//! [`Rotation`] gives a token a new secret, [`Creation`] and [`Issuance`] make a
//! token. All three keep what they are about to do in a [`StateFolder`] before they do it, and the secret
//! as soon as it is there; then they prove it and deliver it, as a [`Delivery`] says. They can be stopped at any
//! point, by a loss of power too: the same call goes on.
//!
//! The rule: until the old secret ends, some delivered secret passes. Nothing ends it before its successor is delivered, unless the
//! caller accepts the lock-out by name. A secret that is lost is said to be lost.

mod create;
mod delivery;
mod destination;
mod error;
mod issue;
mod pair;
mod proof;
mod record;
mod rotate;
mod state_folder;
mod step;

pub use create::Creation;
pub use delivery::Delivery;
pub use destination::{Destination, DestinationError, DestinationFuture};
pub use error::RotationError;
pub use issue::Issuance;
pub use pair::Pair;
pub use proof::{Proof, ProofError, ProofFuture};
pub use record::{Change, LastRotation, NextStep, Subject, Unfinished};
pub use rotate::Rotation;
pub use state_folder::{Hook, POINTS, StateError, StateFolder};
pub use step::{Observer, Step};
