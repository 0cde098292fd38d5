//! Whose tokens are meant: those of an account or of a zone.

/// Whose tokens are meant, where that is known only when the program runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The account with this identifier.
    Account(String),
    /// The zone with this identifier.
    Zone(String),
}

/// An account: all operations exist here.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Account(pub(crate) String);

/// A zone: there is no refresh and no rotate here, and neither `refresh_expiring` nor `issue`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Zone(pub(crate) String);

impl From<Account> for Scope {
    fn from(account: Account) -> Self {
        Self::Account(account.0)
    }
}

impl From<Zone> for Scope {
    fn from(zone: Zone) -> Self {
        Self::Zone(zone.0)
    }
}

impl Scope {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Account(_) => "account",
            Self::Zone(_) => "zone",
        }
    }
}
