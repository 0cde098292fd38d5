//! What a rotation tells while it runs.

use crate::rotation::proof::ProofError;
use crate::types::ServiceToken;

/// A step that has been done. A creation and an issuance tell those that apply to them.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[allow(clippy::large_enum_variant, reason = "there are few, and a box would be in the way of whoever matches them")]
pub enum Step {
    /// The token was read.
    Looked {
        /// As it is.
        token: ServiceToken,
    },
    /// An unfinished change of the state folder is gone on with.
    GoesOn {
        /// When it was begun, RFC 3339, by the clock of the machine that began it.
        begun_at: String,
        /// Whether its secret is in the journal. If not, it has not been made, or is lost.
        has_secret: bool,
    },
    /// The secret of an unfinished rotation is lost, and is rotated over: no old secret passes any longer, or the caller accepts that it
    /// ends.
    LostSecretGivenUp,
    /// A create whose answer never came has made this token, which nobody has used. It gets a new secret.
    Found {
        /// Its id.
        id: String,
    },
    /// Every destination can take the pair, and the proof can be made.
    Checked,
    /// The state folder says what is about to happen.
    Intended,
    /// The new secret has come and is in the journal.
    Journaled {
        /// The token that has it.
        token: ServiceToken,
        /// Until when the old secret passes, where there is one.
        previous_secret_ends: Option<String>,
    },
    /// The pair does not pass yet, and is tried again.
    NotYetProven {
        /// Why.
        error: ProofError,
    },
    /// The pair passes.
    Proven,
    /// A destination holds the pair.
    Delivered {
        /// Its name.
        destination: String,
    },
    /// A destination does not hold the pair.
    NotDelivered {
        /// Its name.
        destination: String,
        /// Why.
        error: String,
    },
    /// The old secret was ended.
    OverlapEnded,
    /// The token has its name.
    Named,
    /// It is complete, and the secret is no longer in the state folder.
    Finished,
}

/// What is called with each step.
pub type Observer<'a> = dyn FnMut(Step) + Send + 'a;
