//! What went wrong, as one message on standard error and as an exit code. The codes are in `exit.rs`.
//!
//! The message has up to four parts: the error, what is known about its effect, what to do, and the ray id for Cloudflare's support.

use std::fmt::Display;
use std::process::ExitCode;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use cloudflare_access_host::{BuildError, CallProgress, Error, ErrorKind, Outcome, TransportPhase};
use serde_json::{Value, json};

use crate::arguments::Output;
use crate::command_line::this_command_with;
use crate::exit::Exit;
use crate::lost_create::NewToken;
use crate::lost_secret::SecretChange;
use crate::message::tell;

/// Why a command did not do what it was told.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    pub message: String,
    pub advice: Option<String>,
    /// What a failed call says besides.
    call: Option<Error>,
    /// Whether something has changed, where no call says so.
    outcome: Outcome,
}

impl Failure {
    /// A failure that ends the command like this.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), advice: None, call: None, outcome: Outcome::NotApplied }
    }

    /// This program's own fault, or that of the machine it runs on.
    pub fn defect(message: impl Into<String>) -> Self {
        Self::new(Exit::Defect, message)
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    pub fn configuration(error: &impl Display) -> Self {
        Self::new(Exit::Configuration, error.to_string())
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Exit::NotFound, message)
    }

    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, message)
    }

    pub fn not_confirmed(message: impl Into<String>) -> Self {
        Self::new(Exit::NotConfirmed, message)
    }

    pub fn not_renewed(message: impl Into<String>) -> Self {
        Self::new(Exit::NotRenewed, message)
    }

    pub fn interrupted(message: impl Into<String>) -> Self {
        Self::new(Exit::Interrupted, message)
    }

    /// The change was made all the same: what failed came after it.
    pub fn applied(mut self) -> Self {
        self.outcome = Outcome::Applied;
        self
    }

    /// Whether it is certain that nothing has changed.
    pub fn has_changed_nothing(&self) -> bool {
        self.outcome == Outcome::NotApplied
    }

    /// Adds advice after what there is.
    pub fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(match self.advice {
            Some(before) => format!("{before}\n{}", advice.into()),
            None => advice.into(),
        });
        self
    }
}

impl Failure {
    /// A failed call, with the advice that fits what was attempted.
    pub fn of_call(error: &Error, advice: Option<String>) -> Self {
        let advice: Vec<String> = advice.into_iter().chain(wait(error.retry_after)).chain(address(error)).collect();
        // A command stands on a line of its own.
        let separator = if advice.iter().any(|part| part.contains('\n')) { "\n" } else { " " };
        Self {
            exit: exit(error),
            message: without_function(&error.message).to_owned(),
            advice: (!advice.is_empty()).then(|| advice.join(separator)),
            call: Some(error.clone()),
            outcome: error.outcome,
        }
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::Engine(_) | BuildError::Component(_) => Self::defect(error.to_string()),
            _ => Self::configuration(&error),
        }
    }
}

/// What was attempted, for advice that fits. The commands in it can be pasted.
#[derive(Debug, Clone)]
pub enum Attempt {
    /// Something that changes nothing.
    Read,
    /// A token that may be made.
    NewToken(NewToken),
    /// A token that is issued under a key.
    Issue {
        /// The command that goes on under the same key.
        command: String,
    },
    /// The name that ends an issue.
    FinishIssue {
        /// The command that finishes what is left.
        command: String,
    },
    /// A change that does no harm when it is made again.
    Update {
        /// The command that shows the token.
        look: String,
    },
    /// A secret that may be made.
    NewSecret(SecretChange),
    /// The end of a token.
    Delete {
        /// The command that shows the token.
        look: String,
    },
    /// A longer life of one token.
    Refresh {
        /// The command that shows the token.
        look: String,
    },
    /// A longer life of all tokens that are due.
    RefreshExpiring {
        /// The command that renews what is still due.
        again: String,
    },
}

impl Attempt {
    /// A failed call of this attempt.
    pub fn failed(&self, error: &Error) -> Failure {
        let advice = match error.outcome {
            Outcome::NotApplied => self.if_not_applied(error),
            Outcome::Unknown => Some(self.if_unknown()),
            Outcome::Applied => Some(self.if_applied(error.token_id.as_deref())),
        };
        Failure::of_call(error, advice)
    }

    /// The true thing to say when the command is stopped in the middle, by what it has sent.
    pub fn interrupted(&self, sent: &CallProgress) -> Failure {
        if !matches!(self, Self::Read) && sent.change_may_have_left() {
            let failure = Failure::interrupted("interrupted while the change was under way").advice(self.if_unknown());
            return Failure { outcome: Outcome::Unknown, ..failure };
        }
        let failure = Failure::interrupted(if sent.may_have_left() {
            "interrupted; nothing was changed"
        } else {
            "interrupted; nothing was sent"
        });
        match self {
            // Whatever was sent: there is a key that it can be gone on with.
            Self::Issue { .. } | Self::FinishIssue { .. } => failure.advice(self.if_unknown()),
            _ => failure,
        }
    }

    /// What the message does not say where nothing has happened.
    fn if_not_applied(&self, error: &Error) -> Option<String> {
        match self {
            Self::Issue { .. } | Self::FinishIssue { .. } if can_pass(error.kind) => Some(self.if_unknown()),
            // A conflict that the component found, not the API.
            Self::NewSecret(change) if error.kind == ErrorKind::Conflict && error.api_errors.is_empty() => {
                Some(change.over_a_running_overlap())
            }
            _ => None,
        }
    }

    fn if_unknown(&self) -> String {
        match self {
            Self::Read => "Nothing was changed.".to_owned(),
            Self::NewToken(token) => token.without_a_look(),
            Self::Issue { command } => format!("Go on under the same key:\n  {command}"),
            Self::FinishIssue { command } => {
                format!("The secret is stored, and the token may not have its name yet. Finish it:\n  {command}")
            }
            Self::NewSecret(change) => change.without_a_look(Outcome::Unknown),
            Self::Update { look } => {
                format!("The change may have been made. Making it again does no harm. Look at the token:\n  {look}")
            }
            Self::Delete { look } => {
                format!("The token may be gone. Deleting it again does no harm. Look whether it is there:\n  {look}")
            }
            Self::RefreshExpiring { again } => format!(
                "Some tokens may live longer now. Running it again does no harm; it renews what is still due:\n  {again}"
            ),
            Self::Refresh { look } => {
                format!("The token may live longer now. Refreshing it again does no harm. Look at the token:\n  {look}")
            }
        }
    }

    fn if_applied(&self, id: Option<&str>) -> String {
        match (self, id) {
            (Self::NewToken(token), Some(id)) => token.if_lost(id),
            (Self::NewSecret(change), _) => change.without_a_look(Outcome::Applied),
            (Self::Issue { .. } | Self::FinishIssue { .. }, _) => self.if_unknown(),
            _ => format!("The change was made, but the answer could not be read. {}", self.if_unknown()),
        }
    }
}

/// What the API asks for, as advice.
pub fn wait(retry_after: Option<Duration>) -> Option<String> {
    retry_after.map(|wait| format!("Wait {} seconds before the next request.", wait.as_secs().max(1)))
}

/// What to do where the address of the API is not a public one.
fn address(error: &Error) -> Option<String> {
    let is_refused = error.transport.as_ref().is_some_and(|transport| transport.phase == TransportPhase::Policy);
    is_refused.then(|| {
        let again = this_command_with(&["--allow-private-addresses"]);
        format!("If the API is behind a gateway on a private address, allow those:\n  {again}")
    })
}

/// Whether the same call may succeed later, with nothing changed by a person.
fn can_pass(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::RateLimited
            | ErrorKind::Unavailable
            | ErrorKind::Connection
            | ErrorKind::Timeout
            | ErrorKind::InvalidResponse
            | ErrorKind::Component
    )
}

fn exit(error: &Error) -> Exit {
    if error.outcome != Outcome::NotApplied {
        return Exit::MayHaveChanged;
    }
    match error.kind {
        ErrorKind::InvalidArgument => Exit::Usage,
        ErrorKind::InvalidConfiguration | ErrorKind::DeniedByHost => Exit::Configuration,
        ErrorKind::Unauthenticated | ErrorKind::Forbidden => Exit::Credential,
        ErrorKind::NotFound => Exit::NotFound,
        ErrorKind::Conflict | ErrorKind::InUse | ErrorKind::Rejected => Exit::Refused,
        ErrorKind::RateLimited => Exit::RateLimited,
        ErrorKind::Unavailable | ErrorKind::Connection | ErrorKind::Timeout | ErrorKind::InvalidResponse => {
            Exit::NoAnswer
        }
        _ => Exit::Defect,
    }
}

/// A message without the function of the contract that it begins with, in small letters and hyphens: the commands have their own
/// names.
fn without_function(message: &str) -> &str {
    let is_of_a_function = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
    match message.split_once(": ") {
        Some((function, rest)) if function.bytes().all(is_of_a_function) => rest,
        _ => message,
    }
}

/// Writes the failure to standard error, as JSON where the output is.
pub fn report(failure: &Failure, output: Output) -> ExitCode {
    if output == Output::Json {
        tell(json(failure));
    } else {
        tell_a_person(failure);
    }
    ExitCode::from(failure.exit.code())
}

fn tell_a_person(failure: &Failure) {
    let bold_red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    let dimmed = Style::new().dimmed();
    tell(format_args!("{bold_red}error{bold_red:#}: {}", failure.message));
    if let Some(advice) = &failure.advice {
        tell(advice);
    }
    if let Some(ray_id) = failure.call.as_ref().and_then(|call| call.ray_id.as_ref()) {
        tell(format_args!("{dimmed}Cloudflare's name for the request (cf-ray): {ray_id}{dimmed:#}"));
    }
}

/// One line, whose keys are always there.
fn json(failure: &Failure) -> Value {
    let call = failure.call.as_ref();
    let api_errors = call.map(|call| call.api_errors.as_slice()).unwrap_or_default().iter();
    let api_errors = api_errors.map(|error| {
        json!({
            "code": error.code,
            "message": error.message,
            "documentation_url": error.documentation_url,
            "pointer": error.pointer,
        })
    });
    let commands = failure.advice.as_deref().unwrap_or_default().lines().filter_map(|line| line.strip_prefix("  "));
    json!({ "error": {
        "exit": failure.exit.name(),
        "code": failure.exit.code(),
        "kind": call.map(|call| call.kind.as_str()),
        "outcome": failure.outcome.as_str(),
        "message": failure.message,
        "advice": failure.advice,
        "commands": commands.collect::<Vec<_>>(),
        "status": call.and_then(|call| call.status),
        "api_errors": api_errors.collect::<Vec<_>>(),
        "ray_id": call.and_then(|call| call.ray_id.as_deref()),
        "retry_after_seconds": call.and_then(|call| call.retry_after).map(|wait| wait.as_secs()),
        "token_id": call.and_then(|call| call.token_id.as_deref()),
    }})
}
