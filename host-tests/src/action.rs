//! The functions of the contract as values, for the tests that run through all of them.

use cloudflare_access_simulator::{Operation, Scope, ScopeKind};

use crate::Instance;
use crate::lifecycle::{Ensured, ExpiryReport, OverlappingToken, RefreshReport, Selector};
use crate::requests::{due_within, everything, first_page, named, unchanged};
use crate::types::{
    CreateParams, Deletion, Error, IssuedToken, PreviousSecret, RequestOptions, ServiceToken, TokenPage, UpdateParams,
    UpdatedToken,
};

/// A function of the contract; `update` twice, since raising the version is another matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names of the contract")]
pub enum Action {
    ListPage,
    ListAll,
    Get,
    Create,
    Update,
    /// `update` with the secret version 2.
    Raise,
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

/// What a call returned.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the types of the contract")]
pub enum Done {
    Page(TokenPage),
    Tokens(Vec<ServiceToken>),
    Token(ServiceToken),
    Issued(IssuedToken),
    Updated(UpdatedToken),
    Deleted(Deletion),
    Report(ExpiryReport),
    Refreshed(RefreshReport),
    Overlapping(OverlappingToken),
    Ensured(Ensured),
}

/// The name that every action gives or looks for.
pub const NEW_NAME: &str = "made by the test";
/// The key of [`Action::Issue`] and [`Action::FinishIssue`].
pub const ISSUE_KEY: &str = "key-1";
/// The window and the overlap of every action that takes one.
pub const SECONDS: u32 = 3600;

impl Action {
    /// Those of the interface `service-tokens`. Each but `list-all` makes one request when all goes well.
    pub const SERVICE_TOKENS: [Self; 9] = [
        Self::ListPage,
        Self::ListAll,
        Self::Get,
        Self::Create,
        Self::Update,
        Self::Raise,
        Self::Delete,
        Self::Refresh,
        Self::Rotate,
    ];

    /// Those of the interface `lifecycle`.
    pub const LIFECYCLE: [Self; 12] = [
        Self::Expiring,
        Self::RefreshExpiring,
        Self::RotateWithOverlap,
        Self::EndOverlap,
        Self::ExtendOverlap,
        Self::Find,
        Self::Ensure,
        Self::Issue,
        Self::FinishIssue,
        Self::ResolveCreate,
        Self::Disable,
        Self::Enable,
    ];

    /// All of both interfaces.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::SERVICE_TOKENS.into_iter().chain(Self::LIFECYCLE)
    }

    /// The name of the function in the contract.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ListPage => "list-page",
            Self::ListAll => "list-all",
            Self::Get => "get",
            Self::Create => "create",
            Self::Update | Self::Raise => "update",
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

    /// The first request it makes; the only one where it is of `service-tokens`.
    #[must_use]
    pub fn operation(self) -> Operation {
        match self {
            Self::ListPage
            | Self::ListAll
            | Self::Expiring
            | Self::RefreshExpiring
            | Self::Find
            | Self::Ensure
            | Self::Issue
            | Self::FinishIssue
            | Self::ResolveCreate => Operation::List,
            Self::Get | Self::RotateWithOverlap | Self::ExtendOverlap => Operation::Get,
            Self::Create => Operation::Create,
            Self::Update | Self::Raise | Self::EndOverlap | Self::Disable | Self::Enable => Operation::Update,
            Self::Delete => Operation::Delete,
            Self::Refresh => Operation::Refresh,
            Self::Rotate => Operation::Rotate,
        }
    }

    /// Whether the API has it there.
    #[must_use]
    pub fn exists_in(self, kind: ScopeKind) -> bool {
        kind == ScopeKind::Account
            || !matches!(self, Self::Refresh | Self::Rotate | Self::RefreshExpiring | Self::Issue | Self::FinishIssue)
    }

    /// Whether it changes anything.
    #[must_use]
    pub fn changes(self) -> bool {
        !matches!(self, Self::ListPage | Self::ListAll | Self::Get | Self::Expiring | Self::Find | Self::ResolveCreate)
    }

    /// Whether it takes the id of a token.
    #[must_use]
    pub fn takes_an_id(self) -> bool {
        matches!(
            self,
            Self::Get
                | Self::Update
                | Self::Raise
                | Self::Delete
                | Self::Refresh
                | Self::Rotate
                | Self::RotateWithOverlap
                | Self::EndOverlap
                | Self::ExtendOverlap
                | Self::Disable
                | Self::Enable
        )
    }

    /// Whether it makes a secret, which only one answer carries.
    #[must_use]
    pub fn makes_a_secret(self) -> bool {
        matches!(self, Self::Create | Self::Raise | Self::Rotate | Self::RotateWithOverlap | Self::Ensure | Self::Issue)
    }

    /// Calls it.
    ///
    /// # Errors
    /// Those of the contract.
    pub async fn call(
        self,
        plugin: &mut Instance,
        home: &Scope,
        id: &str,
        options: &RequestOptions,
    ) -> Result<Done, Error> {
        self.call_with(plugin, home, id, Some(options)).await
    }

    /// Calls it with options or with none.
    ///
    /// # Errors
    /// Those of the contract.
    pub async fn call_with(
        self,
        plugin: &mut Instance,
        home: &Scope,
        id: &str,
        options: Option<&RequestOptions>,
    ) -> Result<Done, Error> {
        let (scope, account) = (crate::scope(home), home.id());
        match self {
            Self::ListPage => plugin.list_page(&scope, &first_page(), options).await.map(Done::Page),
            Self::ListAll => plugin.list_all(&scope, &everything(), options).await.map(Done::Tokens),
            Self::Get => plugin.get(&scope, id, options).await.map(Done::Token),
            Self::Create => plugin.create(&scope, &named(NEW_NAME), options).await.map(Done::Issued),
            Self::Update => {
                let renamed = UpdateParams { name: Some(NEW_NAME.to_owned()), ..unchanged() };
                plugin.update(&scope, id, &renamed, options).await.map(Done::Updated)
            }
            Self::Raise => {
                let raised = UpdateParams { client_secret_version: Some(2), ..unchanged() };
                plugin.update(&scope, id, &raised, options).await.map(Done::Updated)
            }
            Self::Delete => plugin.delete(&scope, id, options).await.map(Done::Deleted),
            Self::Refresh => plugin.refresh(account, id, options).await.map(Done::Token),
            Self::Rotate => plugin.rotate(account, id, &PreviousSecret::ExpiresNow, options).await.map(Done::Issued),
            Self::Expiring => plugin.expiring(&scope, SECONDS, options).await.map(Done::Report),
            Self::RefreshExpiring => {
                plugin.refresh_expiring(account, &due_within(SECONDS), options).await.map(Done::Refreshed)
            }
            Self::RotateWithOverlap => {
                plugin.rotate_with_overlap(&scope, id, SECONDS, false, options).await.map(Done::Overlapping)
            }
            Self::EndOverlap => plugin.end_overlap(&scope, id, options).await.map(Done::Token),
            Self::ExtendOverlap => plugin.extend_overlap(&scope, id, SECONDS, options).await.map(Done::Token),
            Self::Find => plugin.find(&scope, &Selector::Name(NEW_NAME.to_owned()), options).await.map(Done::Tokens),
            Self::Ensure => {
                let disabled = CreateParams { enabled: Some(false), ..named(NEW_NAME) };
                plugin.ensure(&scope, &disabled, options).await.map(Done::Ensured)
            }
            Self::Issue => plugin.issue(account, &named(NEW_NAME), ISSUE_KEY, options).await.map(Done::Issued),
            Self::FinishIssue => plugin.finish_issue(account, ISSUE_KEY, options).await.map(Done::Token),
            Self::ResolveCreate => {
                plugin.resolve_create(&scope, NEW_NAME, "2000-01-01T00:00:00Z", options).await.map(Done::Tokens)
            }
            Self::Disable => plugin.disable(&scope, id, options).await.map(Done::Token),
            Self::Enable => plugin.enable(&scope, id, options).await.map(Done::Token),
        }
    }
}

impl Done {
    /// The client id and the secret that came with it.
    #[must_use]
    pub fn pair(&self) -> Option<(&str, &str)> {
        let (token, secret) = match self {
            Self::Issued(issued) | Self::Ensured(Ensured::Created(issued)) => {
                (&issued.token, Some(&issued.client_secret))
            }
            Self::Overlapping(overlapping) => (&overlapping.issued.token, Some(&overlapping.issued.client_secret)),
            Self::Updated(updated) => (&updated.token, updated.client_secret.as_ref()),
            Self::Page(_)
            | Self::Tokens(_)
            | Self::Token(_)
            | Self::Deleted(_)
            | Self::Report(_)
            | Self::Refreshed(_)
            | Self::Ensured(_) => return None,
        };
        Some((token.client_id.as_deref()?, secret?))
    }
}
