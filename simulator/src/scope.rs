//! Whose tokens a request is about: those of an account, or those of a zone.
//!
//! The two do not see each other's tokens. Only accounts have `refresh` and `rotate`.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumIter};

/// An account or a zone, with its identifier (32 hexadecimal digits).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// The account with this identifier.
    Account(String),
    /// The zone with this identifier.
    Zone(String),
}

/// An account or a zone, whichever it is.
#[derive(Clone, Copy, Debug, Display, EnumIter, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum ScopeKind {
    /// Paths under `/accounts/`.
    Account,
    /// Paths under `/zones/`.
    Zone,
}

impl Scope {
    /// Which of the two it is.
    #[must_use]
    pub fn kind(&self) -> ScopeKind {
        match self {
            Self::Account(_) => ScopeKind::Account,
            Self::Zone(_) => ScopeKind::Zone,
        }
    }

    /// The identifier, 32 hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Account(id) | Self::Zone(id) => id,
        }
    }
}

impl ScopeKind {
    /// The scope of this kind with this identifier.
    #[must_use]
    pub fn with_id(self, id: impl Into<String>) -> Scope {
        match self {
            Self::Account => Scope::Account(id.into()),
            Self::Zone => Scope::Zone(id.into()),
        }
    }
}
