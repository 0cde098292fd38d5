//! The seven operations on service tokens.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumIter};

use crate::ScopeKind;

/// What a request asks for.
#[derive(Clone, Copy, Debug, Display, EnumIter, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Operation {
    /// `GET …/service_tokens`
    List,
    /// `GET …/service_tokens/{id}`
    Get,
    /// `POST …/service_tokens`
    Create,
    /// `PUT …/service_tokens/{id}`
    Update,
    /// `DELETE …/service_tokens/{id}`
    Delete,
    /// `POST …/service_tokens/{id}/refresh`
    Refresh,
    /// `POST …/service_tokens/{id}/rotate`
    Rotate,
}

impl Operation {
    /// All seven.
    pub const ALL: [Self; 7] =
        [Self::List, Self::Get, Self::Create, Self::Update, Self::Delete, Self::Refresh, Self::Rotate];

    /// The method of its requests.
    #[must_use]
    pub fn method(self) -> &'static str {
        match self {
            Self::List | Self::Get => "GET",
            Self::Create | Self::Refresh | Self::Rotate => "POST",
            Self::Update => "PUT",
            Self::Delete => "DELETE",
        }
    }

    /// Whether it changes anything, and so needs the permission to write.
    #[must_use]
    pub fn changes(self) -> bool {
        !matches!(self, Self::List | Self::Get)
    }

    /// Whether the API has it for this kind of scope: all for accounts, all but `refresh` and `rotate` for zones.
    #[must_use]
    pub fn exists_for(self, kind: ScopeKind) -> bool {
        kind == ScopeKind::Account || !matches!(self, Self::Refresh | Self::Rotate)
    }
}
