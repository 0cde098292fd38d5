//! Whose tokens are meant: those of an account or of a zone.

use std::env::VarError;

/// An account or a zone, for programs that know only when they run which one it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// The account with this identifier.
    Account(String),
    /// The zone with this identifier.
    Zone(String),
}

/// An account, whose tokens have all operations.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Account(pub(crate) String);

/// A zone, whose tokens have no refresh and no rotate, and neither `refresh_expiring` nor `issue`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Zone(pub(crate) String);

const ACCOUNT_VARIABLE: &str = "CLOUDFLARE_ACCOUNT_ID";

/// An error for an environment that names no account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAccount {
    /// The variable is not set, or empty.
    #[error("no account: set {ACCOUNT_VARIABLE} to the account id, 32 hexadecimal digits that the dashboard shows")]
    Missing,
    /// The variable is not Unicode.
    #[error("{ACCOUNT_VARIABLE} is not valid Unicode")]
    NotUnicode,
}

impl Account {
    /// Returns the account that `CLOUDFLARE_ACCOUNT_ID` in the environment of the process names. An empty variable counts as absent.
    /// The id is checked when it is used.
    ///
    /// # Errors
    ///
    /// [`InvalidAccount`] when there is none.
    pub fn from_environment() -> Result<Self, InvalidAccount> {
        Self::of_variable(std::env::var(ACCOUNT_VARIABLE))
    }

    fn of_variable(value: Result<String, VarError>) -> Result<Self, InvalidAccount> {
        match value {
            Ok(id) if !id.is_empty() => Ok(Self(id)),
            Ok(_) | Err(VarError::NotPresent) => Err(InvalidAccount::Missing),
            Err(VarError::NotUnicode(_)) => Err(InvalidAccount::NotUnicode),
        }
    }

    /// Returns the account id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0
    }
}

impl From<String> for Account {
    fn from(id: String) -> Self {
        Self(id)
    }
}

impl From<&str> for Account {
    fn from(id: &str) -> Self {
        Self(id.to_owned())
    }
}

impl From<&String> for Account {
    fn from(id: &String) -> Self {
        Self(id.clone())
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_names_the_account_and_counts_as_absent_where_it_is_empty() {
        assert_eq!(Account::of_variable(Ok("acc1".into())).as_ref().map(Account::id), Ok("acc1"));
        for absent in [Ok(String::new()), Err(VarError::NotPresent)] {
            assert_eq!(Account::of_variable(absent), Err(InvalidAccount::Missing));
        }
        let error = Account::of_variable(Err(VarError::NotUnicode("acc".into()))).unwrap_err();
        assert_eq!(error, InvalidAccount::NotUnicode);
        assert!(error.to_string().contains("CLOUDFLARE_ACCOUNT_ID"));
    }
}
