//! A change that makes a secret, with the state folder: its steps as they are shown, and what a failure leaves.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cloudflare_access_host::rotation::{self, RotationError, StateError, StateFolder, Step, Subject, Unfinished};
use cloudflare_access_host::{DestinationError, ExposeSecret, SecretString, ServiceToken};

use jiff::Timestamp;

use crate::arguments::{Connection, Output};
use crate::destination::{Delivery, rescue};
use crate::exit::Exit;
use crate::failure::{Attempt, Failure};
use crate::lost_create::after_a_look;
use crate::message::tell;
use crate::output;
use crate::rotation::folder;
use crate::rotation::note::Note;
use crate::rotation::shown::{LastSeen, Print, Shown};
use crate::signals::stopped;

/// The change of one token.
pub struct Work {
    pub state: StateFolder,
    pub subject: Subject,
    connection: Connection,
    /// Whether steps are shown that every run has.
    shows_all: bool,
    is_json: bool,
    seen: LastSeen,
    /// Until when the old secret passes, as the last step has told.
    until: Arc<Mutex<Option<String>>>,
    /// Whether an earlier run began it.
    is_begun_before: Arc<AtomicBool>,
}

impl Work {
    /// Opens the state folder, before anything is sent.
    pub fn open(connection: &Connection) -> Result<StateFolder, Failure> {
        folder::warn_if_it_does_not_last(connection)?;
        folder::open(connection)
    }

    /// The same for a command that keeps nothing there.
    pub fn open_quietly(connection: &Connection) -> Result<StateFolder, Failure> {
        folder::open(connection)
    }

    pub fn new(state: StateFolder, subject: Subject, connection: &Connection, output: Output) -> Self {
        Self {
            state,
            subject,
            connection: connection.clone(),
            shows_all: false,
            is_json: output == Output::Json,
            seen: LastSeen::default(),
            until: Arc::default(),
            is_begun_before: Arc::default(),
        }
    }

    /// Shows every step.
    pub fn showing_all_steps(mut self) -> Self {
        self.shows_all = true;
        self
    }

    pub fn unfinished(&self) -> Result<Option<Unfinished>, Failure> {
        self.state.unfinished_of(&self.subject).map_err(|error| Failure::configuration(&error))
    }

    /// Refuses a change that could end the old secret of a rotation that is not finished: its new one may not be delivered, or be lost.
    pub fn refuse_unfinished(&self) -> Result<(), Failure> {
        match self.unfinished()? {
            Some(_) => Err(self.other_unfinished("another change of this token is not finished; nothing was changed")),
            None => Ok(()),
        }
    }

    /// The destinations of the library. `print` is that of a secret that goes to the output.
    pub fn delivery(&self, delivery: Delivery, print: Print) -> rotation::Delivery {
        let destinations = match delivery {
            Delivery::To(destinations) => destinations,
            Delivery::Output => vec![Box::new(Shown { token: self.seen.clone(), print }) as _],
        };
        let delivery = rotation::Delivery::to_all(destinations);
        match Note::of_this_command() {
            Some(note) => delivery.note(note),
            None => delivery,
        }
    }

    /// Notes the token that is printed with the secret, where no step shows it.
    pub fn see(&self, token: &ServiceToken) {
        self.seen.see(token);
    }

    /// What is called with each step.
    pub fn observer(&self) -> impl FnMut(Step) + Send + use<> {
        let (seen, until) = (self.seen.clone(), Arc::clone(&self.until));
        let (shows_all, is_json) = (self.shows_all, self.is_json);
        let is_begun_before = Arc::clone(&self.is_begun_before);
        move |step| {
            match &step {
                Step::Looked { token } => seen.see(token),
                Step::GoesOn { .. } => is_begun_before.store(true, Ordering::Relaxed),
                Step::Journaled { token, previous_secret_ends } => {
                    seen.see(token);
                    until.lock().unwrap_or_else(PoisonError::into_inner).clone_from(previous_secret_ends);
                }
                _ => {}
            }
            if !is_json && let Some(line) = line(&step, shows_all) {
                tell(line);
            }
        }
    }

    /// Delivers a secret that has come, by way of the state folder.
    pub async fn hand_over(
        &self,
        delivery: &rotation::Delivery,
        token: &ServiceToken,
        secret: &SecretString,
    ) -> Result<(), Failure> {
        let mut observe = self.observer();
        let handed = delivery.hand_over(&self.state, self.subject.clone(), token, secret, &mut observe);
        tokio::select! {
            biased;
            handed = handed => handed.map_err(|error| self.failure(error)),
            _ = stopped() => Err(self.interrupted(Failure::interrupted("interrupted").applied())),
        }
    }

    /// Delivers a secret that an earlier run has left in the state folder. Returns whether there was one.
    pub async fn go_on(&self, delivery: &rotation::Delivery) -> Result<bool, Failure> {
        let mut observe = self.observer();
        let gone_on = delivery.go_on(&self.state, &self.subject, &mut observe);
        tokio::select! {
            biased;
            gone_on = gone_on => gone_on.map_err(|error| self.failure(error)),
            _ = stopped() => Err(self.interrupted(Failure::interrupted("interrupted"))),
        }
    }

    /// Says where the secret is, after a signal. An intent of which nothing was sent is taken back.
    pub fn interrupted(&self, failure: Failure) -> Failure {
        match self.unfinished() {
            Ok(Some(unfinished))
                if unfinished.next_step() == rotation::NextStep::Look
                    && failure.has_changed_nothing()
                    && !self.is_begun_before.load(Ordering::Relaxed) =>
            {
                match self.state.abandon(&self.subject) {
                    Ok(_) => failure,
                    Err(error) => failure.advice(error.to_string()),
                }
            }
            Ok(Some(unfinished)) if unfinished.next_step() == rotation::NextStep::Deliver => Failure::interrupted(
                "interrupted; the new secret is in the state folder, and not every destination has it",
            )
            .applied()
            .advice(self.go_on_with_resume()),
            _ => failure,
        }
    }

    /// A failure that needs no look at the API. `attempt` is what was attempted.
    pub fn failure_of(&self, error: RotationError, attempt: &Attempt) -> Failure {
        match error {
            RotationError::NotApplied(error) | RotationError::Unclear(error) => attempt.failed(&error),
            error => self.failure(error),
        }
    }

    fn failure(&self, error: RotationError) -> Failure {
        let message = error.to_string();
        match error {
            RotationError::State(StateError::Busy(_)) | RotationError::SecretLost { .. } => Failure::refused(message),
            RotationError::State(_) => self.maybe_applied(Failure::configuration(&message)),
            RotationError::NoDestination => Failure::usage(message),
            RotationError::OtherUnfinished { .. } => self.other_unfinished(&message),
            RotationError::Look(error) => Attempt::Read.failed(&error),
            RotationError::Destination { error, .. } => {
                advised(Failure::defect(format!("{error}; nothing was changed")), &[&error])
            }
            RotationError::ProofSetUp(_) => Failure::new(Exit::NotProven, format!("{message}; nothing was changed")),
            RotationError::NotJournaled { pair, .. } => {
                let pair = serde_json::json!({
                    "client_id": pair.client_id,
                    "client_secret": pair.client_secret.expose_secret(),
                });
                rescue(Failure::defect(message), &format!("{pair}\n").into())
            }
            RotationError::NotProven(_) => {
                let failure = Failure::new(Exit::NotProven, message).applied();
                failure.advice(format!("The new secret is kept in the state folder. {}{}", self.old_passes(), self.more_time()))
            }
            RotationError::NotDelivered { failures } => {
                let lines = failures.iter().fold(String::new(), |lines, (name, error)| lines + "\n- " + name + ": " + &error.to_string());
                let errors: Vec<_> = failures.iter().map(|(_, error)| error).collect();
                let failure = Failure::new(Exit::NotDelivered, format!("{message}:{lines}")).applied();
                advised(failure, &errors)
                    .advice(format!("The new secret is kept in the state folder. {}{}", self.old_passes(), self.more_time()))
            }
            RotationError::Superseded { .. } => Failure::refused(message).applied().advice(format!(
                "Find out who has rotated it. Once its current secret is where it belongs, forget the one that is kept here:\n  {}",
                self.resume(&["--abandon"])
            )),
            RotationError::SeveralMade { ids } => {
                let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
                let again = self.resume(&["--abandon"]);
                Failure::refused(message)
                    .advice(format!("{}\nThen forget the create:\n  {again}", after_a_look(&ids, "", &self.connection)))
            }
            RotationError::OverlapNotEnded(error) | RotationError::NotNamed(error) => {
                let mut failure = Failure::of_call(&error, None).applied().advice(self.go_on_with_resume());
                (failure.exit, failure.message) = (Exit::MayHaveChanged, message);
                failure
            }
            error => Failure::defect(error.to_string()),
        }
    }

    fn other_unfinished(&self, message: &str) -> Failure {
        let abandon = self.resume(&["--abandon"]);
        Failure::refused(message).advice(format!(
            "{}\nForget it, and the secret that may be kept with it:\n  {abandon}",
            self.go_on_with_resume()
        ))
    }

    fn maybe_applied(&self, failure: Failure) -> Failure {
        match self.unfinished() {
            Ok(Some(_)) => failure.applied().advice(self.go_on_with_resume()),
            _ => failure,
        }
    }

    /// Until when the old secret passes, where it still does.
    fn until(&self) -> Option<String> {
        let until = self.until.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let end: Timestamp = until.parse().ok()?;
        (end > Timestamp::now()).then_some(until)
    }

    fn old_passes(&self) -> String {
        match self.until() {
            Some(until) => format!("The old one passes until {until}. {}", self.go_on_with_resume()),
            None => self.go_on_with_resume(),
        }
    }

    fn go_on_with_resume(&self) -> String {
        format!("Go on with it:\n  {}", self.resume(&[]))
    }

    /// The way to more time, where an old secret is running out.
    fn more_time(&self) -> String {
        match self.until() {
            Some(_) => format!("\nIf that needs time, let the old secret pass for longer:\n  {}", self.extend()),
            None => String::new(),
        }
    }

    fn extend(&self) -> String {
        self.connection.command(&["extend-overlap", name_of(&self.subject), "--overlap", "7d"])
    }

    /// The command line that goes on.
    pub fn resume(&self, options: &[&str]) -> String {
        let words: Vec<&str> = ["resume", name_of(&self.subject)].iter().chain(options).copied().collect();
        self.connection.command(&words)
    }
}

/// How commands name a token.
pub fn name_of(subject: &Subject) -> &str {
    match subject {
        Subject::Token { id, .. } => id,
        Subject::NewToken { name, .. } => name,
    }
}

/// Prints a token with its secret below.
pub fn print_with_secret(output: Output) -> Print {
    Box::new(move |token, secret| output::print_changed(token, Some(secret), output))
}

fn advised(failure: Failure, errors: &[&DestinationError]) -> Failure {
    let mut advice: Vec<&str> = errors.iter().filter_map(|error| error.advice()).collect();
    advice.dedup();
    advice.into_iter().fold(failure, Failure::advice)
}

/// A step as it is shown. `shows_all`: whether a step that every run has is shown, too.
pub fn line(step: &Step, shows_all: bool) -> Option<String> {
    Some(match step {
        Step::GoesOn { begun_at, has_secret: true } => {
            format!("Going on with what was begun at {begun_at}; its secret is in the state folder.")
        }
        Step::GoesOn { begun_at, has_secret: false } => {
            format!("Going on with what was begun at {begun_at}; no secret had come.")
        }
        Step::LostSecretGivenUp => "The secret of that rotation is lost. Rotating again.".to_owned(),
        Step::Found { id } => format!("It had made the token {id}, whose secret is lost. Getting a new one."),
        Step::Delivered { destination } if destination == "standard output" => return None,
        Step::Delivered { destination } => format!("Delivered the new secret to {destination}."),
        Step::NotDelivered { destination, .. } => format!("Not delivered to {destination}."),
        _ if !shows_all => return None,
        Step::Looked { token } => match token.client_secret_version {
            Some(version) => format!("Read the token: its secret is version {version}."),
            None => "Read the token.".to_owned(),
        },
        Step::Checked => "The destinations can take a new secret.".to_owned(),
        Step::Intended => "The state folder knows what is about to happen.".to_owned(),
        Step::Journaled { previous_secret_ends: Some(until), .. } => {
            format!("The token has a new secret, kept in the state folder. The old one passes until {until}.")
        }
        Step::Journaled { previous_secret_ends: None, .. } => {
            "The token has a new secret, kept in the state folder.".to_owned()
        }
        Step::NotYetProven { error } => format!("Not yet: {error}."),
        Step::Proven => "The new pair passes.".to_owned(),
        Step::OverlapEnded => "Ended the old secret.".to_owned(),
        Step::Finished => "Done: the state folder no longer has the secret.".to_owned(),
        _ => return None,
    })
}
