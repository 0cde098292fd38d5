//! The operations by name, and what is true of each.

use crate::error::Outcome;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    List,
    ListAll,
    Get,
    Create,
    Update,
    Delete,
    Refresh,
    Rotate,
}

impl Operation {
    /// As in the contract.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::ListAll => "list-all",
            Self::Get => "get",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Refresh => "refresh",
            Self::Rotate => "rotate",
        }
    }

    /// What is known when a call ended without the component's own word on it.
    pub(crate) fn outcome_if(self, request_may_have_left: bool) -> Outcome {
        match self {
            Self::List | Self::ListAll | Self::Get => Outcome::NotApplied,
            _ if request_may_have_left => Outcome::Unknown,
            _ => Outcome::NotApplied,
        }
    }
}
