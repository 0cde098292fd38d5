//! What went wrong, as one message on standard error and as an exit code. The codes are documented in `arguments.rs`.
//!
//! The message has up to four parts: the error, what is known about its effect, what to do, and the ray id for Cloudflare's support.

use std::fmt::Display;
use std::process::ExitCode;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use cloudflare_access_host::{BuildError, Error, ErrorKind, Outcome};

use crate::lost_create::NewToken;
use crate::lost_secret::SecretChange;
use crate::message::tell;

const DEFECT: u8 = 1;
const USAGE: u8 = 2;
const CONFIGURATION: u8 = 3;
const CREDENTIAL: u8 = 4;
const NOT_FOUND: u8 = 5;
const REFUSED: u8 = 6;
const RATE_LIMITED: u8 = 7;
const NO_ANSWER: u8 = 8;
const MAY_HAVE_CHANGED: u8 = 9;
const NOT_CONFIRMED: u8 = 10;
const NOT_RENEWED: u8 = 11;
const INTERRUPTED: u8 = 130;

/// Why a command did not do what it was told.
#[derive(Debug)]
pub struct Failure {
    pub code: u8,
    pub message: String,
    pub advice: Option<String>,
    pub ray_id: Option<String>,
}

impl Failure {
    fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), advice: None, ray_id: None }
    }

    /// This program's own fault, or that of the machine it runs on.
    pub fn defect(message: impl Into<String>) -> Self {
        Self::new(DEFECT, message)
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(USAGE, message)
    }

    pub fn configuration(error: &impl Display) -> Self {
        Self::new(CONFIGURATION, error.to_string())
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(NOT_FOUND, message)
    }

    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(REFUSED, message)
    }

    pub fn not_confirmed(message: impl Into<String>) -> Self {
        Self::new(NOT_CONFIRMED, message)
    }

    pub fn not_renewed(message: impl Into<String>) -> Self {
        Self::new(NOT_RENEWED, message)
    }

    pub fn interrupted(message: impl Into<String>) -> Self {
        Self::new(INTERRUPTED, message)
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
        let advice: Vec<String> = advice.into_iter().chain(wait(error.retry_after)).collect();
        // A command stands on a line of its own.
        let separator = if advice.iter().any(|part| part.contains('\n')) { "\n" } else { " " };
        Self {
            code: code(error),
            message: error.message.clone(),
            advice: (!advice.is_empty()).then(|| advice.join(separator)),
            ray_id: error.ray_id.clone(),
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

    /// The true thing to say when the command is stopped in the middle.
    pub fn interrupted(&self) -> Failure {
        let advice = match self {
            Self::Read => return Failure::interrupted("interrupted; nothing was changed"),
            _ => self.if_unknown(),
        };
        Failure::interrupted("interrupted while the change was under way").advice(advice)
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

fn code(error: &Error) -> u8 {
    if error.outcome != Outcome::NotApplied {
        return MAY_HAVE_CHANGED;
    }
    match error.kind {
        ErrorKind::InvalidArgument => USAGE,
        ErrorKind::InvalidConfiguration | ErrorKind::DeniedByHost => CONFIGURATION,
        ErrorKind::Unauthenticated | ErrorKind::Forbidden => CREDENTIAL,
        ErrorKind::NotFound => NOT_FOUND,
        ErrorKind::Conflict | ErrorKind::InUse | ErrorKind::Rejected => REFUSED,
        ErrorKind::RateLimited => RATE_LIMITED,
        ErrorKind::Unavailable | ErrorKind::Connection | ErrorKind::Timeout | ErrorKind::InvalidResponse => NO_ANSWER,
        _ => DEFECT,
    }
}

/// Writes the failure to standard error.
pub fn report(failure: &Failure) -> ExitCode {
    let bold_red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    let dimmed = Style::new().dimmed();
    tell(format_args!("{bold_red}error{bold_red:#}: {}", failure.message));
    if let Some(advice) = &failure.advice {
        tell(advice);
    }
    if let Some(ray_id) = &failure.ray_id {
        tell(format_args!("{dimmed}Cloudflare's name for the request (cf-ray): {ray_id}{dimmed:#}"));
    }
    ExitCode::from(failure.code)
}
