//! A rotation of a token that is there.
//!
//! Look at the token; check the destinations; write the intent; rotate with an overlap; write the secret to the journal; prove it;
//! deliver it; where asked, end the overlap; forget the secret.

use std::time::Duration;

use jiff::Timestamp;

use crate::client::scope::Scope;
use crate::client::tokens::Tokens;
use crate::error::{Error, ErrorKind, Outcome};
use crate::rotation::delivery::{Calls, Delivery, Work};
use crate::rotation::error::RotationError;
use crate::rotation::record::{Before, Change, Subject, Unfinished, in_time};
use crate::rotation::state_folder::StateFolder;
use crate::rotation::step::{Observer, Step};
use crate::types::{RunningOverlap, ServiceToken};

/// One whole rotation of a token. [`run`](Self::run) makes it, or goes on with one that was stopped.
///
/// ```no_run
/// # async fn example(access: cloudflare_access_host::AccessTokens, vault: impl cloudflare_access_host::Destination + 'static)
/// # -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// use cloudflare_access_host::rotation::{Delivery, Rotation, StateFolder};
///
/// let state = StateFolder::open("/var/lib/my-service/rotations")?;
/// let account = access.account("023e105f4ecef8ad9ca31a8372d0c353");
/// let day = Duration::from_hours(24);
/// Rotation::new(account, "f174e90a-fafe-4643-bbbc-4a0ed4fc8415", day, Delivery::to(vault))
///     .run(&state, &mut |step| println!("{step:?}"))
///     .await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Rotation<S> {
    tokens: Tokens<S>,
    id: String,
    overlap: Duration,
    delivery: Delivery,
    ends_overlap: bool,
    running: RunningOverlap,
    accepts_lockout: bool,
    timeout: Option<Duration>,
}

impl<S: Clone + Into<Scope> + Send + Sync> Rotation<S> {
    /// Describes a rotation of the token with this id that lets the old secret pass for `overlap`, at least a second.
    #[must_use]
    pub fn new(tokens: Tokens<S>, id: impl Into<String>, overlap: Duration, delivery: Delivery) -> Self {
        Self {
            tokens,
            id: id.into(),
            overlap,
            delivery,
            ends_overlap: false,
            running: RunningOverlap::Refuse,
            accepts_lockout: false,
            timeout: None,
        }
    }

    /// Sets whether the old secret is ended once every destination holds the new one. No by default.
    #[must_use]
    pub fn end_overlap(mut self, ends_overlap: bool) -> Self {
        self.ends_overlap = ends_overlap;
        self
    }

    /// Sets what happens where an overlap is running that no unfinished rotation began. It is refused by default.
    #[must_use]
    pub fn running_overlap(mut self, running: RunningOverlap) -> Self {
        self.running = running;
        self
    }

    /// Accepts that machines are locked out: a rotation whose secret is lost is made again while the old secret still passes, which
    /// ends it at once. No by default.
    #[must_use]
    pub fn accept_lockout(mut self, accepts: bool) -> Self {
        self.accepts_lockout = accepts;
        self
    }

    /// Sets the time of all calls of the API together. By default each has that of the handle.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Makes the rotation, or goes on with an unfinished one of the state folder, and tells each step. Returns the token.
    ///
    /// Dropping the future stops it at the point where it is, as the end of the process does: the same call goes on.
    ///
    /// # Errors
    ///
    /// [`RotationError`], each of whose cases says what state it leaves.
    pub async fn run(&self, state: &StateFolder, observe: &mut Observer<'_>) -> Result<ServiceToken, RotationError> {
        let mut work = Work { entry: state.lock(&self.subject())?, delivery: &self.delivery, observe };
        let mut calls = Calls::new(self.tokens.clone(), self.timeout);
        let is_unfinished = work.unfinished(Change::Rotation)?.is_some();
        work.entry.reached("look");
        let token = calls.look(&self.id).await?;
        work.tell(Step::Looked { token: token.clone() });
        if is_unfinished {
            work.tell_that_it_goes_on();
        }
        let token = match self.situation(work.entry.record.unfinished.as_ref(), &mut calls, &token).await? {
            Situation::Begin(running) => {
                if is_unfinished {
                    work.tell(Step::LostSecretGivenUp);
                }
                work.check(token.client_id.as_deref()).await?;
                self.rotate(&mut work, &mut calls, &token, running, false).await?
            }
            Situation::NotRotated => {
                work.check(token.client_id.as_deref()).await?;
                let running = self.over_an_overlap_of_before(work.entry.record.unfinished.as_ref());
                self.rotate(&mut work, &mut calls, &token, running, true).await?
            }
            Situation::HasSecret => token,
        };
        work.prove_and_deliver().await?;
        if self.ends_overlap {
            self.end(&mut work, &mut calls).await?;
        }
        work.finish()?;
        Ok(token)
    }

    /// Returns what the state folder calls the token.
    #[must_use]
    pub fn subject(&self) -> Subject {
        Subject::Token { scope: self.tokens.scope(), id: self.id.clone() }
    }

    /// What may be done to a running overlap by a rotation that is sent again. One that was not there at the intent could be that of an
    /// earlier request which has arrived only now.
    fn over_an_overlap_of_before(&self, unfinished: Option<&Unfinished>) -> RunningOverlap {
        let before = unfinished.and_then(|unfinished| unfinished.before.as_ref());
        let was_running = before.is_some_and(|before| before.previous_secret_ends.is_some());
        if self.accepts_lockout {
            RunningOverlap::End
        } else if was_running {
            self.running
        } else {
            RunningOverlap::Refuse
        }
    }

    /// Decides by the state folder and the token what is to be done.
    async fn situation(
        &self,
        unfinished: Option<&Unfinished>,
        calls: &mut Calls<S>,
        token: &ServiceToken,
    ) -> Result<Situation, RotationError> {
        let Some(unfinished) = unfinished else {
            let running = if self.accepts_lockout { RunningOverlap::End } else { self.running };
            return Ok(Situation::Begin(running));
        };
        if unfinished.journal.is_some() {
            return refuse_superseded(unfinished, token).map(|()| Situation::HasSecret);
        }
        let has_new_secret = unfinished.before.as_ref().is_none_or(|before| before.has_new_secret(&token.into()));
        if !has_new_secret {
            return Ok(Situation::NotRotated);
        }
        if self.accepts_lockout {
            return Ok(Situation::Begin(RunningOverlap::End));
        }
        // What the token does not show is what was asked for.
        let shown = token.previous_client_secret_expires_at.clone();
        let until = shown.or_else(|| unfinished.previous_secret_ends.clone());
        let end: Option<Timestamp> = until.as_deref().and_then(|until| until.parse().ok());
        match end {
            Some(end) if end <= calls.time().await? => Ok(Situation::Begin(RunningOverlap::Refuse)),
            _ => Err(RotationError::SecretLost { until, source: None }),
        }
    }

    async fn rotate(
        &self,
        work: &mut Work<'_>,
        calls: &mut Calls<S>,
        token: &ServiceToken,
        running: RunningOverlap,
        is_repeat: bool,
    ) -> Result<ServiceToken, RotationError> {
        let mut intent = Unfinished::begin(Change::Rotation, work.delivery.note_text());
        intent.token_id = Some(self.id.clone());
        intent.name.clone_from(&token.name);
        intent.before = Some(Before::from(token));
        intent.previous_secret_ends = Some(in_time(self.overlap));
        work.intend(intent)?;
        work.entry.reached("change");
        let (id, overlap) = (self.id.as_str(), self.overlap);
        let rotated = calls.call(async |tokens| tokens.rotate_with_overlap(id, overlap, running).await).await;
        work.entry.reached("answer");
        match rotated {
            Ok(rotated) => {
                let ends = rotated.previous_secret_expires_at;
                let mut token = rotated.issued.token;
                token.previous_client_secret_expires_at.get_or_insert_with(|| ends.clone());
                work.journal(&token, &rotated.issued.client_secret, Some(ends))?;
                Ok(token)
            }
            Err(error) => Err(not_rotated(work, error, is_repeat, token)),
        }
    }

    /// Ends the old secret, after a look: where somebody has rotated since, the old secret would be the one that was just delivered.
    async fn end(&self, work: &mut Work<'_>, calls: &mut Calls<S>) -> Result<(), RotationError> {
        work.entry.reached("end-overlap");
        let token =
            calls.call(async |tokens| tokens.get(&self.id).await).await.map_err(RotationError::OverlapNotEnded)?;
        if let Some(unfinished) = &work.entry.record.unfinished {
            refuse_superseded(unfinished, &token)?;
        }
        let ended = calls.call(async |tokens| tokens.end_overlap(&self.id).await).await;
        ended.map_err(RotationError::OverlapNotEnded)?;
        work.tell(Step::OverlapEnded);
        Ok(())
    }
}

/// What is true after a rotation that failed. `is_repeat`: whether an earlier request may have made it since `token` was read.
fn not_rotated(work: &mut Work<'_>, error: Error, is_repeat: bool, token: &ServiceToken) -> RotationError {
    let until = error.previous_secret_expires_at.clone();
    let time = |text: Option<&str>| text.and_then(|text| text.parse::<Timestamp>().ok());
    let is_over_a_new_overlap = error.kind == ErrorKind::Conflict
        && until.is_some()
        && time(until.as_deref()) != time(token.previous_client_secret_expires_at.as_deref());
    match error.outcome {
        Outcome::NotApplied if is_repeat && is_over_a_new_overlap => {
            RotationError::SecretLost { until, source: Some(error) }
        }
        Outcome::NotApplied => match work.take_back() {
            Ok(()) => RotationError::NotApplied(error),
            Err(failed) => failed,
        },
        Outcome::Unknown => RotationError::Unclear(error),
        Outcome::Applied => RotationError::SecretLost { until, source: Some(error) },
    }
}

/// What is to be done about a token.
enum Situation {
    /// A rotation is begun.
    Begin(RunningOverlap),
    /// One was begun, and the token shows that it did not happen.
    NotRotated,
    /// The secret is in the journal.
    HasSecret,
}

/// An error where the secret of the journal is no longer the current one.
fn refuse_superseded(unfinished: &Unfinished, token: &ServiceToken) -> Result<(), RotationError> {
    match (unfinished.secret_version(), token.client_secret_version) {
        (Some(kept), Some(shown)) if kept != shown => Err(RotationError::Superseded { shown, kept }),
        _ => Ok(()),
    }
}
