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
    CreateParams, Error, ErrorKind, IssuedToken, Outcome, PreviousSecret, RequestOptions,
};
use crate::call::Call;
use crate::error::{Invalid, is_presentable_id};
use crate::host::{Duration, Host};
use crate::lifecycle::find;
use crate::operations::check_creation;
use crate::request::Body;
use crate::steps;
use crate::text::{hexadecimal, joined, split_after};

/// How much of the caller's name the working name shows, so that a person who finds it knows what it is.
const NAME_SHOWN: usize = 250;
/// What stands around the random number of a working name.
const BEFORE_NUMBER: &str = " (being issued, ";
const AFTER_NUMBER: &str = ")";

pub fn issue(
    host: &impl Host,
    account_id: &str,
    params: &CreateParams,
    progress: Option<IssueProgress>,
    options: Option<RequestOptions>,
) -> Result<IssuedToken, Box<IssueError>> {
    match begin(host, account_id, params, progress.as_ref(), options) {
        Ok((call, mut work)) => work.finish(&call, params).map_err(|error| work.unfinished(&call, *error).into()),
        // Nothing was sent, so what there is, is what the progress says.
        Err(invalid) => {
            let mut error = *Box::<Error>::from(invalid);
            if let Some(progress) = &progress {
                say_what_there_is(&mut error, progress.token_id.as_ref());
            }
            Err(IssueError { error, progress }.into())
        }
    }
}

fn begin<'a, H: Host>(
    host: &'a H,
    account_id: &str,
    params: &CreateParams,
    progress: Option<&IssueProgress>,
    options: Option<RequestOptions>,
) -> Result<(Call<'a, H>, Work), Invalid> {
    let collection = Collection::of_account(account_id)?;
    check_creation(params)?;
    let mut call = Call::begin(host, collection, options)?;
    call.recover();
    let work = match progress {
        None => Work::new(working_name(host, &params.name)),
        Some(progress) => Work::resumed(progress, &params.name)?,
    };
    Ok((call, work))
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
    /// The token with its secret, once that is here.
    issued: Option<IssuedToken>,
    /// Whether a create may have happened that nobody saw the answer of.
    may_have_strays: bool,
    /// What is done next.
    step: Step,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Create,
    Look,
    Rotate,
    Rename,
    Sweep,
    Done,
}

impl Work {
    fn new(working_name: String) -> Self {
        Self { working_name, id: None, issued: None, may_have_strays: false, step: Step::Create }
    }

    fn resumed(progress: &IssueProgress, name: &str) -> Result<Self, Invalid> {
        if !is_working_name(&progress.working_name, name) {
            let rule = ": no `issue` of this name began it; hand the progress back unchanged, with the same `params`";
            let what = ["progress.working-name is ", &quoted(&progress.working_name), rule];
            return Err(Invalid::argument(&what));
        }
        if let Some(id) = progress.token_id.as_ref().filter(|id| !is_presentable_id(id, &[])) {
            let rule = ": that is no id of a token; hand the progress back unchanged";
            return Err(Invalid::argument(&["progress.token-id is ", &quoted(id), rule]));
        }
        Ok(Self {
            working_name: progress.working_name.clone(),
            id: progress.token_id.clone(),
            issued: None,
            may_have_strays: true,
            step: Step::Look,
        })
    }

    /// Goes from step to step. A failure that can pass is tried again, from wherever it left the work, until the time ends.
    fn finish<H: Host>(&mut self, call: &Call<'_, H>, params: &CreateParams) -> Result<IssuedToken, Box<Error>> {
        let mut failures = 0_u32;
        loop {
            if self.step == Step::Done
                && let Some(issued) = self.issued.take()
            {
                return Ok(issued);
            }
            if let Err(error) = self.take(call, params) {
                failures = failures.saturating_add(1);
                let asked = error.retry_after_ms.map(Duration::from_millis);
                if !can_pass(&error) || !call.pause(failures, asked) {
                    return Err(error);
                }
            }
        }
    }

    /// Takes one step. After a failure the next one is the same, unless it may have been done all the same.
    fn take<H: Host>(&mut self, call: &Call<'_, H>, params: &CreateParams) -> Result<(), Box<Error>> {
        self.step = match self.step {
            Step::Create => {
                let working = Body { name: Some(&self.working_name), ..params.into() };
                let issued = steps::create(call, working).inspect_err(|error| {
                    if error.outcome != Outcome::NotApplied {
                        self.may_have_strays = true;
                        self.step = Step::Look;
                    }
                })?;
                self.id = Some(issued.token.id.clone());
                self.issued = Some(issued);
                Step::Rename
            }
            Step::Look => {
                if !self.still_exists(call, &params.name)? {
                    let found = find::within(call, &self.working_name)?;
                    self.id = found.into_iter().next().map(|token| token.id);
                }
                self.remove_strays(call)?;
                if self.id.is_some() { Step::Rotate } else { Step::Create }
            }
            Step::Rotate => {
                let issued = steps::rotate(call, &self.token_id(call)?, &PreviousSecret::ExpiresNow)?;
                let is_named = issued.token.name.as_ref() == Some(&params.name);
                self.issued = Some(issued);
                if is_named { self.after_name() } else { Step::Rename }
            }
            Step::Rename => {
                let name = Body { name: Some(&params.name), ..Body::default() };
                let token = steps::update(call, &self.token_id(call)?, name)?.token;
                if let Some(issued) = &mut self.issued {
                    issued.token = token;
                }
                self.after_name()
            }
            Step::Sweep => {
                self.remove_strays(call)?;
                Step::Done
            }
            // Nothing is done without a token.
            Step::Done => Step::Look,
        };
        Ok(())
    }

    /// What follows once the token has its name.
    fn after_name(&self) -> Step {
        if self.may_have_strays { Step::Sweep } else { Step::Done }
    }

    /// The token that is known; the steps that need it come after it is.
    fn token_id<H: Host>(&self, call: &Call<'_, H>) -> Result<TokenId, Box<Error>> {
        call.id_of_answer("issue", self.id.as_deref().unwrap_or_default())
    }

    /// Whether the token that is known is still there. One with another name is none of this call's: it is left alone.
    fn still_exists<H: Host>(&self, call: &Call<'_, H>, name: &str) -> Result<bool, Box<Error>> {
        if self.id.is_none() {
            return Ok(false);
        }
        let id = self.token_id(call)?;
        match steps::get(call, &id) {
            Ok(token) if token.name.as_ref().is_none_or(|shown| shown == name || *shown == self.working_name) => {
                Ok(true)
            }
            Ok(token) => {
                let shown = token.name.as_deref().map(|name| quoted(&call.clean(name))).unwrap_or_default();
                let before = ["the token of the progress, ", id.text(), ", is now named "];
                let what = joined(&[&joined(&before), &shown, "; it is left as it is"]);
                Err(call.error_of_its_own("issue", ErrorKind::Conflict, &what))
            }
            Err(error) if steps::is_gone(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Deletes every token under the working name but the one that is known. Where none is, there is none to delete.
    fn remove_strays<H: Host>(&self, call: &Call<'_, H>) -> Result<(), Box<Error>> {
        let Some(keep) = &self.id else { return Ok(()) };
        for stray in find::within(call, &self.working_name)? {
            if stray.id != *keep {
                let id = call.id_of_answer("issue", &stray.id)?;
                match steps::delete(call, &id) {
                    Err(error) if !steps::is_gone(&error) => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// The error of a call that did not finish: what there is, and how to go on.
    fn unfinished<H: Host>(self, call: &Call<'_, H>, mut error: Error) -> IssueError {
        if self.id.is_none() && !self.may_have_strays {
            error.outcome = Outcome::NotApplied;
            return IssueError { error, progress: None };
        }
        say_what_there_is(&mut error, self.id.as_ref());
        // What the server calls an id may be a secret, which must not leave in the progress either.
        let token_id = self.id.filter(|id| call.may_show_id(id));
        let what_there_is = match (&token_id, error.outcome) {
            (Some(id), _) => joined(&["token ", id, " exists and is not finished"]),
            (None, Outcome::Applied) => "a token exists and is not finished".to_owned(),
            (None, _) => "whether there is a token is not known".to_owned(),
        };
        let remedy = ": call `issue` again with this progress";
        error.message = joined(&["issue: ", &error.message, "; ", &what_there_is, remedy]);
        error.token_id.clone_from(&token_id);
        IssueError { error, progress: Some(IssueProgress { working_name: self.working_name, token_id }) }
    }
}

/// Whether it may go better another time. An answer that our own checks refused stays as it is.
fn can_pass(error: &Error) -> bool {
    let is_refused_by_us = error.kind == ErrorKind::InvalidResponse && error.status.is_none();
    !is_refused_by_us
        && matches!(
            error.kind,
            ErrorKind::Connection
                | ErrorKind::Timeout
                | ErrorKind::Unavailable
                | ErrorKind::RateLimited
                | ErrorKind::InvalidResponse
        )
}
