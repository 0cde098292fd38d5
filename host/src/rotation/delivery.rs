//! Where a new secret goes and how it is proven before; and the part of a rotation that every change with a secret has in common.

use std::time::{Duration, Instant};

use crate::client::options::CallOptions;
use crate::client::scope::Scope;
use crate::client::tokens::Tokens;
use crate::error::Error;
use crate::rotation::destination::Destination;
use crate::rotation::error::RotationError;
use crate::rotation::pair::Pair;
use crate::rotation::proof::Proof;
use crate::rotation::record::{Change, LastRotation, Subject, Unfinished, now};
use crate::rotation::state_folder::{Entry, Phase, StateFolder};
use crate::rotation::step::{Observer, Step};
use crate::secret::SecretString;
use crate::types::ServiceToken;

/// How long a pair that does not pass yet is tried again, unless the caller says otherwise.
const PROVE_WITHIN: Duration = Duration::from_mins(1);
/// The wait before the second try of a proof; it doubles from try to try.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The longest of these waits.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// The least time that a call can be given.
const LEAST: Duration = Duration::from_millis(1);

/// The destinations of a new secret, and its proof.
#[derive(Debug)]
pub struct Delivery {
    destinations: Vec<Box<dyn Destination>>,
    proof: Option<Box<dyn Proof>>,
    prove_within: Duration,
    note: Option<String>,
}

impl Delivery {
    /// Delivers to this destination.
    #[must_use]
    pub fn to(destination: impl Destination + 'static) -> Self {
        Self::to_all(vec![Box::new(destination)])
    }

    /// Delivers to all of these, in this order. What becomes of one does not keep the pair from the next. Without any, nothing is begun.
    #[must_use]
    pub fn to_all(destinations: Vec<Box<dyn Destination>>) -> Self {
        Self { destinations, proof: None, prove_within: PROVE_WITHIN, note: None }
    }

    /// Delivers to this one, too.
    #[must_use]
    pub fn and(mut self, destination: impl Destination + 'static) -> Self {
        self.destinations.push(Box::new(destination));
        self
    }

    /// Proves a pair before it is delivered.
    #[must_use]
    pub fn proven_by(mut self, proof: impl Proof + 'static) -> Self {
        self.proof = Some(Box::new(proof));
        self
    }

    /// Sets how long a pair that does not pass yet is tried again: a minute by default. Access takes a moment to learn of a new secret.
    #[must_use]
    pub fn prove_within(mut self, time: Duration) -> Self {
        self.prove_within = time;
        self
    }

    /// Keeps a text with the change in the state folder, such as how to make the destinations again. It holds no secret. Without
    /// one, a change that is gone on with keeps the note that it has.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    pub(super) fn note_text(&self) -> Option<String> {
        self.note.clone()
    }

    /// Delivers a secret that a call has returned. It goes to the journal before anything else is done with it.
    ///
    /// # Errors
    ///
    /// [`RotationError`]. Unless it is `NotJournaled`, the secret is in the journal, and [`go_on`](Self::go_on) goes on.
    pub async fn hand_over(
        &self,
        state: &StateFolder,
        subject: Subject,
        token: &ServiceToken,
        client_secret: &SecretString,
        observe: &mut Observer<'_>,
    ) -> Result<(), RotationError> {
        let not_journaled = |source| RotationError::NotJournaled { pair: pair(token, client_secret), source };
        let entry = state.lock(&subject).map_err(not_journaled)?;
        let mut work = Work { entry, delivery: self, observe };
        let mut unfinished = Unfinished::begin(Change::HandOver, self.note.clone());
        unfinished.name.clone_from(&token.name);
        work.entry.record.unfinished = Some(unfinished);
        work.journal(token, client_secret, token.previous_client_secret_expires_at.clone())?;
        work.prove_and_deliver().await?;
        work.finish()
    }

    /// Goes on with a secret that [`hand_over`](Self::hand_over) has left in the journal. Returns false where there is none.
    ///
    /// # Errors
    ///
    /// As those of [`hand_over`](Self::hand_over).
    pub async fn go_on(
        &self,
        state: &StateFolder,
        subject: &Subject,
        observe: &mut Observer<'_>,
    ) -> Result<bool, RotationError> {
        let mut work = Work { entry: state.lock(subject)?, delivery: self, observe };
        if work.unfinished(Change::HandOver)?.is_none_or(|unfinished| unfinished.journal.is_none()) {
            return Ok(false);
        }
        work.tell_that_it_goes_on();
        work.prove_and_deliver().await?;
        work.finish()?;
        Ok(true)
    }
}

/// The pair of an answer.
fn pair(token: &ServiceToken, client_secret: &SecretString) -> Pair {
    Pair::new(token.client_id.clone().unwrap_or_default(), client_secret.clone())
}

/// A change at work: the file of its token, and where its secret goes.
pub(super) struct Work<'a> {
    pub entry: Entry,
    pub delivery: &'a Delivery,
    pub observe: &'a mut (dyn FnMut(Step) + Send),
}

impl Work<'_> {
    /// Returns what is unfinished. An error where that is a change of another kind.
    pub fn unfinished(&self, change: Change) -> Result<Option<&Unfinished>, RotationError> {
        match &self.entry.record.unfinished {
            Some(other) if other.change != change => {
                Err(RotationError::OtherUnfinished { change: other.change, key: other.key.clone() })
            }
            unfinished => Ok(unfinished.as_ref()),
        }
    }

    pub fn tell(&mut self, step: Step) {
        (self.observe)(step);
    }

    pub fn tell_that_it_goes_on(&mut self) {
        if let Some(unfinished) = &self.entry.record.unfinished {
            let (begun_at, has_secret) = (unfinished.begun_at.clone(), unfinished.journal.is_some());
            self.tell(Step::GoesOn { begun_at, has_secret });
        }
    }

    /// Checks that every destination that has not got it yet can take the pair, and that it can be proven.
    pub async fn check(&mut self, client_id: Option<&str>) -> Result<(), RotationError> {
        self.entry.reached("check");
        if self.delivery.destinations.is_empty() {
            return Err(RotationError::NoDestination);
        }
        for destination in &self.delivery.destinations {
            let name = destination.name();
            destination.check(client_id).await.map_err(|error| RotationError::Destination { name, error })?;
        }
        if let Some(proof) = &self.delivery.proof {
            proof.check().await.map_err(RotationError::ProofSetUp)?;
        }
        self.tell(Step::Checked);
        Ok(())
    }

    /// Writes down what is about to happen.
    pub fn intend(&mut self, mut unfinished: Unfinished) -> Result<(), RotationError> {
        let earlier = self.entry.record.unfinished.take().and_then(|earlier| earlier.note);
        unfinished.note = unfinished.note.or(earlier);
        self.entry.record.unfinished = Some(unfinished);
        self.entry.save(Phase::Intent)?;
        self.tell(Step::Intended);
        Ok(())
    }

    /// Takes the intent back: certainly nothing has happened.
    pub fn take_back(&mut self) -> Result<(), RotationError> {
        self.entry.record.unfinished = None;
        Ok(self.entry.save(Phase::Finish)?)
    }

    /// Keeps the secret that has come, before anything else is done with it.
    pub fn journal(
        &mut self,
        token: &ServiceToken,
        client_secret: &SecretString,
        previous_secret_ends: Option<String>,
    ) -> Result<(), RotationError> {
        if let Some(unfinished) = &mut self.entry.record.unfinished {
            unfinished.take(token, client_secret);
            unfinished.previous_secret_ends.clone_from(&previous_secret_ends);
        }
        let not_journaled = |source| RotationError::NotJournaled { pair: pair(token, client_secret), source };
        self.entry.save(Phase::Journal).map_err(not_journaled)?;
        self.tell(Step::Journaled { token: token.clone(), previous_secret_ends });
        Ok(())
    }

    /// Proves the pair of the journal and delivers it to every destination that does not hold it yet.
    pub async fn prove_and_deliver(&mut self) -> Result<(), RotationError> {
        let Some(pair) = self.entry.record.unfinished.as_ref().and_then(Unfinished::pair) else { return Ok(()) };
        self.prove(&pair).await?;
        self.deliver(&pair).await
    }

    async fn prove(&mut self, pair: &Pair) -> Result<(), RotationError> {
        let Some(proof) = &self.delivery.proof else { return Ok(()) };
        if self.entry.record.unfinished.as_ref().is_some_and(|unfinished| unfinished.proven) {
            return Ok(());
        }
        self.entry.reached("prove");
        let (begun, mut wait) = (Instant::now(), FIRST_WAIT);
        while let Err(error) = proof.prove(pair).await {
            if !error.may_pass() || begun.elapsed() + wait > self.delivery.prove_within {
                return Err(RotationError::NotProven(error));
            }
            self.tell(Step::NotYetProven { error });
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        if let Some(unfinished) = &mut self.entry.record.unfinished {
            unfinished.proven = true;
        }
        self.entry.save(Phase::Proof)?;
        self.tell(Step::Proven);
        Ok(())
    }

    async fn deliver(&mut self, pair: &Pair) -> Result<(), RotationError> {
        let mut failures = Vec::new();
        let delivery = self.delivery;
        for destination in &delivery.destinations {
            let name = destination.name();
            if self.entry.record.unfinished.as_ref().is_some_and(|unfinished| unfinished.delivered.contains(&name)) {
                continue;
            }
            self.entry.reached("deliver");
            if let Err(error) = destination.deliver(pair).await {
                self.tell(Step::NotDelivered { destination: name.clone(), error: error.to_string() });
                failures.push((name, error));
                continue;
            }
            if let Some(unfinished) = &mut self.entry.record.unfinished {
                unfinished.delivered.push(name.clone());
            }
            self.entry.save(Phase::Delivery)?;
            self.tell(Step::Delivered { destination: name });
        }
        if failures.is_empty() { Ok(()) } else { Err(RotationError::NotDelivered { failures }) }
    }

    /// Forgets the secret, and remembers when the rotation was finished.
    pub fn finish(&mut self) -> Result<(), RotationError> {
        let unfinished = self.entry.record.unfinished.take();
        if let Subject::Token { .. } = self.entry.record.subject {
            let secret_version = unfinished.and_then(|unfinished| unfinished.secret_version());
            self.entry.record.last = Some(LastRotation { finished_at: now(), secret_version });
        }
        self.entry.save(Phase::Finish)?;
        self.tell(Step::Finished);
        Ok(())
    }
}

/// Calls that share one time.
#[derive(Debug)]
pub(super) struct Calls<S> {
    tokens: Tokens<S>,
    left: Option<Duration>,
}

impl<S: Clone + Into<Scope>> Calls<S> {
    /// `time`: for all calls together. None: each has that of the handle.
    pub fn new(tokens: Tokens<S>, time: Option<Duration>) -> Self {
        Self { tokens, left: time }
    }

    pub async fn call<T>(&mut self, call: impl AsyncFnOnce(Tokens<S>) -> Result<T, Error>) -> Result<T, Error> {
        let Some(left) = self.left else { return call(self.tokens.clone()).await };
        let begun = Instant::now();
        let result = call(self.tokens.clone().with(&CallOptions::new().timeout(left.max(LEAST)))).await;
        self.left = Some(left.saturating_sub(begun.elapsed()));
        result
    }

    pub async fn look(&mut self, id: &str) -> Result<ServiceToken, RotationError> {
        self.call(async |tokens| tokens.get(id).await).await.map_err(RotationError::Look)
    }

    /// Returns the API's time, or this machine's where the two agree to the minute.
    pub async fn time(&mut self) -> Result<jiff::Timestamp, RotationError> {
        let report = self.call(async |tokens| tokens.expiring(Duration::from_secs(1)).await).await;
        let report = report.map_err(RotationError::Look)?;
        Ok(report.now.parse().unwrap_or_else(|_| jiff::Timestamp::now()))
    }
}
