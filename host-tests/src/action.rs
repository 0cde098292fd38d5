//! The functions of the contract as values, for the tests that run through all of them.

use cloudflare_access_simulator::{Operation, Scope, ScopeKind};

use crate::Instance;
use crate::requests::{everything, first_page, named, unchanged};
use crate::types::{
    Error, IssuedToken, PreviousSecret, RequestOptions, ServiceToken, TokenPage, UpdateParams, UpdatedToken,
};

/// A function of the contract; `update` twice, since raising the version is another matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names of the contract")]
pub enum Action {
    List,
    ListAll,
    Get,
    Create,
    Update,
    /// `update` with the secret version 2.
    Raise,
    Delete,
    Refresh,
    Rotate,
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
}

/// The name that [`Action::Create`] gives.
pub const NEW_NAME: &str = "made by the test";

impl Action {
    /// All nine.
    pub const ALL: [Self; 9] = [
        Self::List,
        Self::ListAll,
        Self::Get,
        Self::Create,
        Self::Update,
        Self::Raise,
        Self::Delete,
        Self::Refresh,
        Self::Rotate,
    ];

    /// The request it makes.
    #[must_use]
    pub fn operation(self) -> Operation {
        match self {
            Self::List | Self::ListAll => Operation::List,
            Self::Get => Operation::Get,
            Self::Create => Operation::Create,
            Self::Update | Self::Raise => Operation::Update,
            Self::Delete => Operation::Delete,
            Self::Refresh => Operation::Refresh,
            Self::Rotate => Operation::Rotate,
        }
    }

    /// Whether the API has it there.
    #[must_use]
    pub fn exists_in(self, kind: ScopeKind) -> bool {
        kind == ScopeKind::Account || !matches!(self, Self::Refresh | Self::Rotate)
    }

    /// Whether it changes anything.
    #[must_use]
    pub fn changes(self) -> bool {
        self.operation().changes()
    }

    /// Whether it makes a secret, which only one answer carries.
    #[must_use]
    pub fn makes_a_secret(self) -> bool {
        matches!(self, Self::Create | Self::Raise | Self::Rotate)
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
        let options = Some(options);
        let scope = crate::scope(home);
        match self {
            Self::List => plugin.list(&scope, &first_page(), options).await.map(Done::Page),
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
            Self::Delete => plugin.delete(&scope, id, options).await.map(Done::Token),
            Self::Refresh => plugin.refresh(home.id(), id, options).await.map(Done::Token),
            Self::Rotate => plugin.rotate(home.id(), id, &PreviousSecret::ExpiresNow, options).await.map(Done::Issued),
        }
    }
}

impl Done {
    /// The client id and the secret that came with it.
    #[must_use]
    pub fn pair(&self) -> Option<(&str, &str)> {
        let (token, secret) = match self {
            Self::Issued(issued) => (&issued.token, Some(&issued.client_secret)),
            Self::Updated(updated) => (&updated.token, updated.client_secret.as_ref()),
            Self::Page(_) | Self::Tokens(_) | Self::Token(_) => return None,
        };
        Some((token.client_id.as_deref()?, secret?))
    }
}
