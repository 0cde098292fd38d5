//! The operations by name, and what is true of each.

use crate::error::Outcome;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    ListPage,
    ListAll,
    Get,
    Create,
    Update,
    Delete,
    Refresh,
    Rotate,
    Expiring,
    RefreshExpiring,
    RotateWithOverlap,
    EndOverlap,
    ExtendOverlap,
    Find,
    Ensure,
    Issue,
    FinishIssue,
    ResolveCreate,
    Disable,
    Enable,
}

impl Operation {
    /// As in the contract.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ListPage => "list-page",
            Self::ListAll => "list-all",
            Self::Get => "get",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Refresh => "refresh",
            Self::Rotate => "rotate",
            Self::Expiring => "expiring",
            Self::RefreshExpiring => "refresh-expiring",
            Self::RotateWithOverlap => "rotate-with-overlap",
            Self::EndOverlap => "end-overlap",
            Self::ExtendOverlap => "extend-overlap",
            Self::Find => "find",
            Self::Ensure => "ensure",
            Self::Issue => "issue",
            Self::FinishIssue => "finish-issue",
            Self::ResolveCreate => "resolve-create",
            Self::Disable => "disable",
            Self::Enable => "enable",
        }
    }

    /// What this host knows where the component cannot: `change_may_have_left` says whether a server can have got a request
    /// of this call that changes something.
    pub(crate) fn outcome_if(self, change_may_have_left: bool) -> Outcome {
        match self {
            Self::ListPage | Self::ListAll | Self::Get | Self::Expiring | Self::Find | Self::ResolveCreate => {
                Outcome::NotApplied
            }
            _ if change_may_have_left => Outcome::Unknown,
            _ => Outcome::NotApplied,
        }
    }
}
