//! `issue`: a create that happens exactly once.
//!
//! The API has no idempotency key, but names are free text and a rename costs one request. So a token is made under a working name
//! that nobody else uses, and that name answers the question of every lost answer: did it happen? The call is a small machine, and
//! every failure that can pass leaves it in a state from which it goes on:
//!
//! - `Create`: no token is known. Unknown outcome: `Look`.
//! - `Look`: there may be one. Found: `Rotate`, since nobody has its secret. Not found: `Create`.
//! - `Rotate`: there is one without a secret. Doing it twice is harmless here: nobody has the secret that ends.
//! - `Rename`: there is one and its secret is here.
//! - `Sweep`: all is done, but a create that seemed lost may have arrived late: nothing may be left under the working name.

use crate::arguments::{Collection, TokenId, quoted};
use crate::bindings::exports::cloudflare::access::lifecycle::{IssueError, IssueProgress};
use crate::bindings::exports::cloudflare::access::types::{
    CreateParams, Error, ErrorKind, IssuedToken, Outcome, PreviousSecret, RequestOptions, ServiceToken, UpdateParams,
};
use crate::call::Call;
use crate::error::Invalid;
use crate::host::{Duration, Host};
use crate::lifecycle::find;
use crate::operations::check_creation;
use crate::text::{hexadecimal, joined, split_after};
use crate::{request, steps};

/// How much of the caller's name the working name shows, so that a person who finds it knows what it is.
const NAME_SHOWN: usize = 250;
/// What stands around the random number of a working name.
const BEFORE_NUMBER: &str = " (being issued, ";
const AFTER_NUMBER: &str = ")";

pub fn issue(
    host: &impl Host,
    account_id: &str,
    params: &CreateParams,
    progress: Option<&IssueProgress>,
    options: Option<RequestOptions>,
) -> Result<IssuedToken, IssueError> {
    let begun = |invalid| not_begun(invalid, progress);
    let collection = Collection::of_account(account_id).map_err(begun)?;
    check_creation(params).map_err(begun)?;
    let mut call = Call::begin(host, collection, options).map_err(begun)?;
    call.recover();
    let mut work = match progress {
        None => Work::new(working_name(host, &params.name)),
        Some(progress) => Work::resumed(progress, &params.name).map_err(begun)?,
    };
    match work.finish(&call, params) {
        Ok(issued) => Ok(issued),
        Err(error) => Err(work.unfinished(error)),
    }
}

/// The error of a call that sent nothing: what there is, is what the progress says.
fn not_begun(invalid: Invalid, progress: Option<&IssueProgress>) -> IssueError {
    let mut error = Error::from(invalid);
    if let Some(progress) = progress {
        say_what_there_is(&mut error, progress.token_id.as_ref());
    }
    IssueError { error, progress: progress.cloned() }
}

/// The outcome of the whole: a token that is known exists, and one that is not may.
fn say_what_there_is(error: &mut Error, token_id: Option<&String>) {
    error.outcome = if token_id.is_some() { Outcome::Applied } else { Outcome::Unknown };
    error.token_id = token_id.cloned();
}

/// A name that no other token has.
fn working_name(host: &impl Host, name: &str) -> String {
    let number = || hexadecimal(host.random(), 16);
    joined(&[&beginning(name), &number(), &number(), AFTER_NUMBER])
}

/// What the working names for a name begin with.
fn beginning(name: &str) -> String {
    let (shown, _) = split_after(name, NAME_SHOWN);
    joined(&[shown, BEFORE_NUMBER])
}

/// Whether it is a working name for this name: a progress that was altered must not reach a token of somebody else.
fn is_working_name(working_name: &str, name: &str) -> bool {
    let number = working_name.strip_prefix(beginning(name).as_str()).and_then(|rest| rest.strip_suffix(AFTER_NUMBER));
    number.is_some_and(|number| number.len() == 32 && number.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

/// The state of a call.
struct Work {
    working_name: String,
    /// The token, once it is known.
    id: Option<String>,
    /// Whether a create may have happened that nobody saw the answer of.
    may_have_strays: bool,
    step: Step,
}

enum Step {
    Create,
    Look,
    Rotate(TokenId),
    Rename(Box<IssuedToken>),
    Sweep(Box<IssuedToken>),
    Done(Box<IssuedToken>),
}

impl Work {
    fn new(working_name: String) -> Self {
        Self { working_name, id: None, may_have_strays: false, step: Step::Create }
    }

    fn resumed(progress: &IssueProgress, name: &str) -> Result<Self, Invalid> {
        if !is_working_name(&progress.working_name, name) {
            let rule = ": no `issue` of this name began it; hand the progress back unchanged, with the same `params`";
            let what = joined(&["progress.working-name is ", &quoted(&progress.working_name), rule]);
            return Err(Invalid::Argument(what));
        }
        if let Some(id) = &progress.token_id {
            TokenId::new(id.clone())?;
        }
        Ok(Self {
            working_name: progress.working_name.clone(),
            id: progress.token_id.clone(),
            may_have_strays: true,
            step: Step::Look,
        })
    }

    /// Goes from step to step. A failure that can pass is tried again, from wherever it left the work, until the time ends.
    fn finish<H: Host>(&mut self, call: &Call<'_, H>, params: &CreateParams) -> Result<IssuedToken, Error> {
        let mut failures = 0_u32;
        loop {
            let step = std::mem::replace(&mut self.step, Step::Look);
            match self.take(step, call, params) {
                Ok(Step::Done(issued)) => return Ok(*issued),
                Ok(next) => self.step = next,
                Err((next, error)) => {
                    self.step = next;
                    failures = failures.saturating_add(1);
                    let asked = error.retry_after_ms.map(Duration::from_millis);
                    if !can_pass(&error) || !call.pause(failures, asked) {
                        return Err(*error);
                    }
                }
            }
        }
    }

    /// Takes one step. A failure comes with the step to take next.
    fn take<H: Host>(
        &mut self,
        step: Step,
        call: &Call<'_, H>,
        params: &CreateParams,
    ) -> Result<Step, (Step, Box<Error>)> {
        match step {
            Step::Create => {
                let params = CreateParams { name: self.working_name.clone(), ..params.clone() };
                match steps::create(call, &params) {
                    Ok(issued) => {
                        self.id = Some(issued.token.id.clone());
                        Ok(Step::Rename(Box::new(issued)))
                    }
                    Err(error) if error.outcome == Outcome::NotApplied => Err((Step::Create, Box::new(error))),
                    Err(error) => {
                        self.may_have_strays = true;
                        Err((Step::Look, Box::new(error)))
                    }
                }
            }
            Step::Look => self.look(call, &params.name).map_err(|error| (Step::Look, Box::new(error))),
            Step::Rotate(id) => match steps::rotate(call, &id, &PreviousSecret::ExpiresNow) {
                Ok(issued) if issued.token.name.as_ref() == Some(&params.name) => Ok(self.named(Box::new(issued))),
                Ok(issued) => Ok(Step::Rename(Box::new(issued))),
                Err(error) => Err((Step::Rotate(id), Box::new(error))),
            },
            Step::Rename(issued) => match rename(call, &issued, &params.name) {
                Ok(token) => Ok(self.named(Box::new(IssuedToken { token, client_secret: issued.client_secret }))),
                Err(error) => Err((Step::Rename(issued), Box::new(error))),
            },
            Step::Sweep(issued) => match self.remove_strays(call, &issued.token.id) {
                Ok(()) => Ok(Step::Done(issued)),
                Err(error) => Err((Step::Sweep(issued), Box::new(error))),
            },
            Step::Done(issued) => Ok(Step::Done(issued)),
        }
    }

    /// What follows once the token has its name.
    fn named(&self, issued: Box<IssuedToken>) -> Step {
        if self.may_have_strays { Step::Sweep(issued) } else { Step::Done(issued) }
    }

    /// Finds out which token there is, and leaves only that one.
    fn look<H: Host>(&mut self, call: &Call<'_, H>, name: &str) -> Result<Step, Error> {
        if !self.still_exists(call, name)? {
            let found = find::within(call, &self.working_name)?;
            self.id = found.into_iter().next().map(|token| token.id);
        }
        let Some(id) = self.id.clone() else { return Ok(Step::Create) };
        self.remove_strays(call, &id)?;
        Ok(Step::Rotate(TokenId::new(id)?))
    }

    /// Whether the token that is known is still there. One with another name is none of this call's: it is left alone.
    fn still_exists<H: Host>(&self, call: &Call<'_, H>, name: &str) -> Result<bool, Error> {
        let Some(id) = &self.id else { return Ok(false) };
        match steps::get(call, &TokenId::new(id.clone())?) {
            Ok(token) if token.name.as_ref().is_none_or(|shown| shown == name || *shown == self.working_name) => {
                Ok(true)
            }
            Ok(token) => {
                let shown = token.name.as_deref().map(quoted).unwrap_or_default();
                let what =
                    joined(&["the token of the progress, ", id, ", is now named ", &shown, "; it is left as it is"]);
                Err(call.error_of_its_own("issue", ErrorKind::Conflict, &what))
            }
            Err(error) if steps::is_gone(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Deletes every token under the working name but this one.
    fn remove_strays<H: Host>(&self, call: &Call<'_, H>, keep: &str) -> Result<(), Error> {
        for stray in find::within(call, &self.working_name)? {
            if stray.id != keep {
                let id = TokenId::new(stray.id)?;
                match steps::delete(call, &id) {
                    Err(error) if !steps::is_gone(&error) => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// The error of a call that did not finish: what there is, and how to go on.
    fn unfinished(self, mut error: Error) -> IssueError {
        if self.id.is_none() && !self.may_have_strays {
            error.outcome = Outcome::NotApplied;
            return IssueError { error, progress: None };
        }
        let what_there_is = match &self.id {
            Some(id) => joined(&["token ", id, " exists and is not finished"]),
            None => "whether there is a token is not known".to_owned(),
        };
        let remedy = ": call `issue` again with this progress";
        error.message = joined(&["issue: ", &error.message, "; ", &what_there_is, remedy]);
        say_what_there_is(&mut error, self.id.as_ref());
        IssueError { error, progress: Some(IssueProgress { working_name: self.working_name, token_id: self.id }) }
    }
}

fn rename<H: Host>(call: &Call<'_, H>, issued: &IssuedToken, name: &str) -> Result<ServiceToken, Error> {
    let id = TokenId::new(issued.token.id.clone())?;
    let params = UpdateParams { name: Some(name.to_owned()), ..request::unchanged() };
    Ok(steps::update(call, &id, &params)?.token)
}

/// Whether it may go better another time.
fn can_pass(error: &Error) -> bool {
    matches!(
        error.kind,
        ErrorKind::Connection
            | ErrorKind::Timeout
            | ErrorKind::Unavailable
            | ErrorKind::RateLimited
            | ErrorKind::InvalidResponse
    )
}
