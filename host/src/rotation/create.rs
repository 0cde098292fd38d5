//! A token that is made, and its secret delivered.
//!
//! After a create whose answer never came, the token is looked for: the one that was made since, under the name, and that nobody has
//! used, gets a new secret. So there is one token in the end.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::client::scope::Scope;
use crate::client::tokens::Tokens;
use crate::error::Outcome;
use crate::rotation::delivery::{Calls, Delivery, Work};
use crate::rotation::error::RotationError;
use crate::rotation::record::{Change, Subject, Unfinished};
use crate::rotation::state_folder::StateFolder;
use crate::rotation::step::{Observer, Step};
use crate::types::{CreateParams, IssuedToken, RunningOverlap, ServiceToken};

/// How much earlier than the intent the look begins, for what a clock may do in between.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);
/// How long the secret that was lost passes on, should another caller have made the token under the same name and have the secret.
const OVERLAP: Duration = Duration::from_hours(24);

/// One whole creation of a token. [`run`](Self::run) makes it, or goes on with one that was stopped. For accounts an
/// [`Issuance`](super::Issuance) does the same, and no other caller's token can be taken for its own.
#[derive(Debug)]
pub struct Creation<S> {
    tokens: Tokens<S>,
    params: CreateParams,
    delivery: Delivery,
    timeout: Option<Duration>,
}

impl<S: Clone + Into<Scope> + Send + Sync> Creation<S> {
    /// Describes the creation of a token.
    #[must_use]
    pub fn new(tokens: Tokens<S>, params: CreateParams, delivery: Delivery) -> Self {
        Self { tokens, params, delivery, timeout: None }
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

    /// Makes the token, or goes on with an unfinished creation of the state folder under the same name, and tells each step. Returns
    /// the token.
    ///
    /// # Errors
    ///
    /// [`RotationError`], each of whose cases says what state it leaves.
    pub async fn run(&self, state: &StateFolder, observe: &mut Observer<'_>) -> Result<ServiceToken, RotationError> {
        let mut work = Work { entry: state.lock(&self.subject())?, delivery: &self.delivery, observe };
        let mut calls = Calls::new(self.tokens.clone(), self.timeout);
        let unfinished = work.unfinished(Change::Creation)?.cloned();
        if unfinished.is_some() {
            work.tell_that_it_goes_on();
        }
        let token = match unfinished {
            Some(Unfinished { journal: Some(_), token_id: Some(id), .. }) => {
                work.entry.reached("look");
                let token = calls.look(&id).await?;
                work.tell(Step::Looked { token: token.clone() });
                token
            }
            Some(intent) => {
                work.entry.reached("look");
                match self.made_since(&mut calls, &intent).await? {
                    Some(token) => self.take_over(&mut work, &mut calls, &token).await?,
                    None => self.create(&mut work, &mut calls, Some(intent)).await?,
                }
            }
            None => self.create(&mut work, &mut calls, None).await?,
        };
        work.prove_and_deliver().await?;
        work.finish()?;
        Ok(token)
    }

    async fn create(
        &self,
        work: &mut Work<'_>,
        calls: &mut Calls<S>,
        intent: Option<Unfinished>,
    ) -> Result<ServiceToken, RotationError> {
        work.check(None).await?;
        // An earlier intent keeps its time: what it made may arrive only now.
        let is_repeat = intent.is_some();
        if !is_repeat {
            let mut intent = Unfinished::begin(Change::Creation, work.delivery.note_text());
            intent.name = Some(self.params.name.clone());
            work.intend(intent)?;
        }
        work.entry.reached("change");
        let params = self.params.clone();
        let created = calls.call(async |tokens| tokens.create(params).await).await;
        work.entry.reached("answer");
        match created {
            Ok(issued) => keep(work, issued),
            Err(error) if error.outcome == Outcome::NotApplied && !is_repeat => {
                work.take_back()?;
                Err(RotationError::NotApplied(error))
            }
            Err(error) if error.outcome == Outcome::NotApplied => Err(RotationError::NotApplied(error)),
            Err(error) => Err(RotationError::Unclear(error)),
        }
    }

    /// Finds what the create of an intent has made. The age of the intent is by this machine's clock, the time it is taken from the API's.
    async fn made_since(
        &self,
        calls: &mut Calls<S>,
        intent: &Unfinished,
    ) -> Result<Option<ServiceToken>, RotationError> {
        let age = intent.age().and_then(|age| SignedDuration::try_from(age).ok()).unwrap_or(SignedDuration::ZERO);
        let since = calls.time().await?.saturating_sub(age).and_then(|time| time.saturating_sub(TOLERANCE));
        let (name, since) = (self.params.name.as_str(), since.unwrap_or(Timestamp::MIN).to_string());
        let made = calls.call(async |tokens| tokens.resolve_create(name, &since).await).await;
        let mut made = made.map_err(RotationError::Look)?;
        // What has passed Access has a secret that somebody has.
        made.retain(|token| token.last_seen_at.is_none());
        match made.len() {
            0 | 1 => Ok(made.pop()),
            _ => Err(RotationError::SeveralMade { ids: made.into_iter().map(|token| token.id).collect() }),
        }
    }

    /// Gives the token that was found a secret that somebody has.
    async fn take_over(
        &self,
        work: &mut Work<'_>,
        calls: &mut Calls<S>,
        token: &ServiceToken,
    ) -> Result<ServiceToken, RotationError> {
        work.tell(Step::Found { id: token.id.clone() });
        work.check(token.client_id.as_deref()).await?;
        work.entry.reached("change");
        let (id, running) = (token.id.as_str(), RunningOverlap::End);
        let rotated = calls.call(async |tokens| tokens.rotate_with_overlap(id, OVERLAP, running).await).await;
        work.entry.reached("answer");
        match rotated {
            Ok(rotated) => keep(work, rotated.issued),
            Err(error) if error.outcome == Outcome::NotApplied => Err(RotationError::NotApplied(error)),
            Err(error) => Err(RotationError::Unclear(error)),
        }
    }
}

fn keep(work: &mut Work<'_>, issued: IssuedToken) -> Result<ServiceToken, RotationError> {
    work.journal(&issued.token, &issued.client_secret, None)?;
    Ok(issued.token)
}
