//! A token of an account that is issued under a key of the state folder, delivered, and then given its name.

use std::time::Duration;

use crate::client::scope::Account;
use crate::client::tokens::Tokens;
use crate::error::{ErrorKind, Outcome};
use crate::rotation::delivery::{Calls, Delivery, Work};
use crate::rotation::error::RotationError;
use crate::rotation::record::{Change, Subject, Unfinished};
use crate::rotation::state_folder::StateFolder;
use crate::rotation::step::{Observer, Step};
use crate::types::{CreateParams, IssueKey, ServiceToken};

/// One whole issuance of a token: [`issue`](Tokens::issue) under a key that the state folder keeps, the delivery, and
/// [`finish_issue`](Tokens::finish_issue). [`run`](Self::run) makes it, or goes on with one that was stopped.
#[derive(Debug)]
pub struct Issuance {
    tokens: Tokens<Account>,
    params: CreateParams,
    key: IssueKey,
    client_id: Option<String>,
    delivery: Delivery,
    timeout: Option<Duration>,
}

impl Issuance {
    /// Describes the issuance of a token under a key. Where the state folder has an unfinished one under the same name, its key counts.
    #[must_use]
    pub fn new(tokens: Tokens<Account>, params: CreateParams, key: IssueKey, delivery: Delivery) -> Self {
        Self { tokens, params, key, client_id: None, delivery, timeout: None }
    }

    /// Sets the client id of the token that an earlier issuance under the key has made, so that a destination may hold its pair.
    #[must_use]
    pub fn client_id(mut self, client_id: Option<String>) -> Self {
        self.client_id = client_id;
        self
    }

    /// Sets the time of all calls of the API together. By default each has that of the handle.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Returns what the state folder calls the token.
    #[must_use]
    pub fn subject(&self) -> Subject {
        Subject::NewToken { scope: self.tokens.scope(), name: self.params.name.clone() }
    }

    /// Makes the token, or goes on with an unfinished issuance of the state folder under the same name, and tells each step. Returns
    /// the token.
    ///
    /// # Errors
    ///
    /// [`RotationError`], each of whose cases says what state it leaves.
    pub async fn run(&self, state: &StateFolder, observe: &mut Observer<'_>) -> Result<ServiceToken, RotationError> {
        let mut work = Work { entry: state.lock(&self.subject())?, delivery: &self.delivery, observe };
        let mut calls = Calls::new(self.tokens.clone(), self.timeout);
        let unfinished = work.unfinished(Change::Issuance)?.cloned();
        if unfinished.is_some() {
            work.tell_that_it_goes_on();
        }
        let kept = unfinished.as_ref().and_then(|unfinished| unfinished.key.clone());
        let key = kept.and_then(|key| IssueKey::new(key).ok()).unwrap_or_else(|| self.key.clone());
        let id = match unfinished {
            Some(Unfinished { journal: Some(_), token_id: Some(id), .. }) => {
                work.entry.reached("look");
                let mut token = calls.look(&id).await?;
                token.name = Some(self.params.name.clone());
                work.tell(Step::Looked { token });
                id
            }
            unfinished => self.issue(&mut work, &mut calls, &key, unfinished.is_some()).await?,
        };
        work.prove_and_deliver().await?;
        let token = self.name(&mut work, &mut calls, &key, &id).await?;
        work.finish()?;
        Ok(token)
    }

    async fn issue(
        &self,
        work: &mut Work<'_>,
        calls: &mut Calls<Account>,
        key: &IssueKey,
        is_repeat: bool,
    ) -> Result<String, RotationError> {
        work.check(self.client_id.as_deref()).await?;
        if !is_repeat {
            let mut intent = Unfinished::begin(Change::Issuance, work.delivery.note_text());
            intent.name = Some(self.params.name.clone());
            intent.key = Some(key.to_string());
            work.intend(intent)?;
        }
        work.entry.reached("change");
        let params = self.params.clone();
        let issued = calls.call(async |account| account.issue(params, key).await).await;
        work.entry.reached("answer");
        match issued {
            Ok(mut issued) => {
                // The name that it is about to get.
                issued.token.name = Some(self.params.name.clone());
                work.journal(&issued.token, &issued.client_secret, None)?;
                Ok(issued.token.id)
            }
            // Under its key it is gone on with, whatever has happened. Only what can never work is not worth it.
            Err(error) if error.outcome == Outcome::NotApplied && !error.is_retryable() && !is_repeat => {
                work.take_back()?;
                Err(RotationError::NotApplied(error))
            }
            Err(error) => Err(RotationError::Unclear(error)),
        }
    }

    /// Gives the token its name. One that an earlier call has named, whose answer was lost, is not found under the key.
    async fn name(
        &self,
        work: &mut Work<'_>,
        calls: &mut Calls<Account>,
        key: &IssueKey,
        id: &str,
    ) -> Result<ServiceToken, RotationError> {
        work.entry.reached("name");
        let named = calls.call(async |account| account.finish_issue(key).await).await;
        let token = match named {
            Err(error) if error.kind == ErrorKind::NotFound => {
                let token = calls.call(async |account| account.get(id).await).await.map_err(RotationError::NotNamed)?;
                if token.name.as_deref() != Some(&self.params.name) {
                    return Err(RotationError::NotNamed(error));
                }
                token
            }
            named => named.map_err(RotationError::NotNamed)?,
        };
        work.tell(Step::Named);
        Ok(token)
    }
}
