//! Why a rotation is not complete, and what state it is in.

use crate::error::Error;
use crate::rotation::destination::DestinationError;
use crate::rotation::pair::Pair;
use crate::rotation::proof::ProofError;
use crate::rotation::record::Change;
use crate::rotation::state_folder::StateError;

/// Why a [`Rotation`](super::Rotation), a [`Creation`](super::Creation) or an
/// [`Issuance`](super::Issuance) is not complete. Each case says what state it leaves.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(
    clippy::large_enum_variant,
    reason = "there is one for a run, and a box would be in the way of whoever matches it"
)]
pub enum RotationError {
    /// The state folder cannot be used. What was done before is as the steps say; a secret that had come is in the journal.
    #[error(transparent)]
    State(#[from] StateError),
    /// The state folder has an unfinished change of another kind, which must be gone on with or abandoned first. Nothing was sent.
    #[error("another change of this token is not finished; go on with it first, or abandon it")]
    OtherUnfinished {
        /// Its kind.
        change: Change,
        /// The key of an issuance.
        key: Option<String>,
    },
    /// The token could not be read. Nothing was changed, and what was unfinished still is.
    #[error("the token cannot be looked at: {0}")]
    Look(#[source] Error),
    /// There is no destination, so the secret would be lost. Nothing was sent.
    #[error("there is no destination for the new secret; nothing was sent")]
    NoDestination,
    /// A destination cannot take the pair. Nothing was changed.
    #[error("{error}")]
    Destination {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        error: DestinationError,
    },
    /// The pair could not be proven in any case. Nothing was changed.
    #[error("the new pair could not be proven: {0}")]
    ProofSetUp(#[source] ProofError),
    /// The change was certainly not made: the API refused it, or it could not be sent. Nothing is unfinished.
    #[error("{0}")]
    NotApplied(#[source] Error),
    /// It is not known whether the change was made. The intent is kept, and the same call finds out.
    #[error("{0}")]
    Unclear(#[source] Error),
    /// The token has a new secret that did not come to the journal. It is lost, unless somebody else made it. The intent is kept. The
    /// same call goes on once the old secret has ended; before that only where the lock-out is accepted.
    #[error(
        "the token has a new secret, which is lost unless somebody else made it, {}",
        until.as_deref().map_or_else(
            || "and until when the old one passes is not known".to_owned(),
            |until| format!("and the old one passes until {until}"),
        )
    )]
    SecretLost {
        /// Until when the old secret passes, RFC 3339.
        until: Option<String>,
        /// The failed call, where it was of this run.
        #[source]
        source: Option<Error>,
    },
    /// The secret came and could not be written to the journal: **keep this pair, which is nowhere else**.
    #[error("the new secret could not be kept in the state folder: {source}")]
    NotJournaled {
        /// The new pair.
        pair: Pair,
        /// Why.
        source: StateError,
    },
    /// The pair does not pass. It is in the journal, nothing was delivered, and no overlap was ended.
    #[error("the new pair is not proven, and nothing was delivered: {0}")]
    NotProven(#[source] ProofError),
    /// Some destinations do not hold the pair. It is in the journal, and no overlap was ended.
    #[error("{} of the destinations {} not hold the new secret", failures.len(), if failures.len() == 1 { "does" } else { "do" })]
    NotDelivered {
        /// The names of these destinations, and why.
        failures: Vec<(String, DestinationError)>,
    },
    /// Somebody has rotated the token since its secret came to the journal, so another secret is the current one. Nothing was delivered
    /// or ended by this run.
    #[error(
        "the token has been rotated again since: its secret is version {shown}, and the one that is kept here is version {kept}"
    )]
    Superseded {
        /// The version that the token shows.
        shown: u32,
        /// The version of the secret in the journal.
        kept: u32,
    },
    /// There are several tokens that an earlier create may have made. Nothing was changed by this run.
    #[error("{} tokens of this name have been made since the create was begun: {}", ids.len(), ids.join(", "))]
    SeveralMade {
        /// Their ids.
        ids: Vec<String>,
    },
    /// Every destination holds the pair, and the old secret could not be ended. The same call ends it.
    #[error("every destination holds the new secret, and the old one could not be ended: {0}")]
    OverlapNotEnded(#[source] Error),
    /// Every destination holds the pair, and the token could not be given its name. The same call does it.
    #[error("every destination holds the secret, and the token could not be given its name: {0}")]
    NotNamed(#[source] Error),
}
