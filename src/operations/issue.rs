//! `issue` and `finish-issue`: a token is made under a working name and gets its name once the caller has stored its secret.
//!
//! The API has no idempotency key, but names are free text. The working name answers the question of every lost answer: did it happen? So the
//! call looks first. Found: the token gets a new secret, since nobody may have the one before. Not found: it is made. Every failure that can
//! pass leads back to the look, until the time of the call ends.

use crate::bindings::exports::cloudflare::access::types::{
    CreateParams, ErrorKind, IssuedToken, Outcome, PreviousSecret, ServiceToken,
};
use crate::exchange::call::Call;
use crate::exchange::host::Host;
use crate::operations::ensure::{ids, reported};
use crate::operations::list_all::every;
use crate::operations::steps;
use crate::request::arguments;
use crate::request::ids::Collection;
use crate::request::invalid::Invalid;
use crate::request::requests::{Fields, Query};
use crate::response::failure::{Failure, FailureClass};

const BEFORE_KEY: &str = " [issue:";
const AFTER_KEY: &str = "]";
const KEY_LIMIT: usize = 64;

/// Makes a token under its working name, or finds the one that an earlier call made, and returns it with a secret.
pub async fn issue(
    call: &Call<'_, impl Host>,
    account: &str,
    params: &CreateParams,
    key: &str,
) -> Result<IssuedToken, Box<Failure>> {
    let collection = call.account(account)?;
    arguments::create_params(params)?;
    let mut work = Work {
        collection: &collection,
        working_name: &working_name(&params.name, key)?,
        outcome: Outcome::NotApplied,
        token_id: None,
    };
    let mut failures = 0_u32;
    loop {
        let failure = match work.attempt(call, params).await {
            Ok(issued) => return Ok(issued),
            Err(failure) => failure,
        };
        failures = failures.saturating_add(1);
        if failure.class == FailureClass::Final || !call.pause(failures, failure.asked_wait).await {
            return Err(work.unfinished(failure));
        }
    }
}

/// Gives the token that is being issued under a key its name.
pub async fn finish(call: &Call<'_, impl Host>, account: &str, key: &str) -> Result<ServiceToken, Box<Failure>> {
    let collection = call.account(account)?;
    let ending = ending(key)?;
    let name = |token: &ServiceToken| Some(token.name.as_deref()?.strip_suffix(&ending)?.to_owned());
    let mut tokens = every(call, &collection, Query::default()).await?.value;
    tokens.retain(|token| name(token).is_some());
    match tokens.as_slice() {
        [] => {
            let message = "no token is being issued under this key: it may be finished already";
            Err(call.failure(ErrorKind::NotFound, message.to_owned()))
        }
        [token] => {
            let name = name(token);
            let fields = Fields { name: name.as_deref(), ..Fields::default() };
            Ok(steps::update(call, &collection, reported(call, token)?.target(), &fields).await?.token)
        }
        several => {
            let message = format!(
                "{} tokens are being issued under this key: {}; call `issue` with it again, which leaves one, and store its secret",
                several.len(),
                ids(call, several)
            );
            Err(call.failure(ErrorKind::Conflict, message))
        }
    }
}

/// Returns how working names under a key end.
fn ending(key: &str) -> Result<String, Invalid> {
    if is_key(key) {
        Ok([BEFORE_KEY, key, AFTER_KEY].concat())
    } else {
        let rule = format_args!("a key has 1 to {KEY_LIMIT} of A-Z a-z 0-9 . _ -");
        Err(Invalid::argument("key", key, rule))
    }
}

fn is_key(key: &str) -> bool {
    let may_stand_in_a_key = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=KEY_LIMIT).contains(&key.len()) && key.bytes().all(may_stand_in_a_key)
}

/// Returns the name of a token until it is finished.
fn working_name(name: &str, key: &str) -> Result<String, Invalid> {
    let inner = name.strip_suffix(AFTER_KEY).and_then(|name| name.rsplit_once(BEFORE_KEY));
    if inner.is_some_and(|(_, key)| is_key(key)) {
        return Err(Invalid::argument("name", name, "it ends as the working names of `issue` do"));
    }
    let working_name = [name, &ending(key)?].concat();
    let length = working_name.chars().count();
    if length > arguments::NAME_LIMIT {
        let limit = arguments::NAME_LIMIT;
        let rule =
            format_args!("with its key it becomes a working name of {length} characters, and {limit} is the most");
        return Err(Invalid::argument("name", name, rule));
    }
    Ok(working_name)
}

/// What a call has found out so far.
struct Work<'a> {
    collection: &'a Collection,
    working_name: &'a str,
    /// Whether this call has made a token or a secret that nobody has.
    outcome: Outcome,
    /// The token under the working name, once it is known.
    token_id: Option<String>,
}

impl Work<'_> {
    /// Looks for the token, and gives it a secret or makes it.
    async fn attempt<H: Host>(
        &mut self,
        call: &Call<'_, H>,
        params: &CreateParams,
    ) -> Result<IssuedToken, Box<Failure>> {
        let tokens = self.tokens(call).await?;
        let Some((token, others)) = tokens.split_first() else { return self.create(call, params).await };
        self.token_id = call.unchanged(&token.id);
        if self.outcome == Outcome::Unknown {
            self.outcome = Outcome::Applied;
        }
        delete(call, self.collection, others).await?;
        let fields = Fields::from(&PreviousSecret::ExpiresNow);
        let rotated = steps::rotate(call, self.collection, reported(call, token)?.target(), &fields).await;
        rotated.inspect_err(|failure| self.note(failure))
    }

    /// Makes the token. A create whose answer was lost may have arrived in the meantime, so what else has the working name is deleted then.
    async fn create<H: Host>(
        &mut self,
        call: &Call<'_, H>,
        params: &CreateParams,
    ) -> Result<IssuedToken, Box<Failure>> {
        let fields = Fields { name: Some(self.working_name), ..params.into() };
        match steps::create(call, self.collection, &fields).await {
            Ok(issued) => {
                if self.outcome == Outcome::Unknown {
                    // The token and its secret are here, whatever becomes of this; `finish-issue` reports what is left.
                    self.delete_others(call, &issued.token.id).await.unwrap_or_default();
                }
                Ok(issued)
            }
            Err(mut failure) => {
                self.note(&failure);
                if failure.error.outcome == Outcome::Applied {
                    // The token is there, and the next attempt finds it.
                    failure.class = FailureClass::Passing;
                }
                Err(failure)
            }
        }
    }

    async fn delete_others<H: Host>(&self, call: &Call<'_, H>, keep: &str) -> Result<(), Box<Failure>> {
        let mut others = self.tokens(call).await?;
        others.retain(|token| token.id != keep);
        delete(call, self.collection, &others).await
    }

    /// Returns the tokens under the working name. All tokens are asked for: how the API compares names is not documented.
    async fn tokens<H: Host>(&self, call: &Call<'_, H>) -> Result<Vec<ServiceToken>, Box<Failure>> {
        let mut tokens = every(call, self.collection, Query::default()).await?.value;
        tokens.retain(|token| token.name.as_deref() == Some(self.working_name));
        Ok(tokens)
    }

    /// Remembers what a failed request may have made.
    fn note(&mut self, failure: &Failure) {
        self.outcome = match (self.outcome, failure.error.outcome) {
            (Outcome::Applied, _) | (_, Outcome::Applied) => Outcome::Applied,
            (Outcome::Unknown, _) | (_, Outcome::Unknown) => Outcome::Unknown,
            (Outcome::NotApplied, Outcome::NotApplied) => Outcome::NotApplied,
        };
        if failure.error.outcome == Outcome::Applied {
            self.token_id.clone_from(&failure.error.token_id);
        }
    }

    /// Returns the failure of a call that did not finish: what there is, and how to go on.
    fn unfinished(self, mut failure: Box<Failure>) -> Box<Failure> {
        failure.error.outcome = self.outcome;
        if let Some(id) = &self.token_id {
            failure.add(&format!("token {id} is under the working name"));
        }
        if self.outcome != Outcome::NotApplied || failure.class != FailureClass::Final {
            failure.add("to go on, call `issue` again with the same key");
        }
        failure.error.token_id = self.token_id.or(failure.error.token_id);
        failure
    }
}

/// Deletes tokens that a create with a lost answer has left.
async fn delete<H: Host>(
    call: &Call<'_, H>,
    collection: &Collection,
    tokens: &[ServiceToken],
) -> Result<(), Box<Failure>> {
    for token in tokens {
        match steps::delete(call, collection, reported(call, token)?.target()).await {
            Err(failure) if !steps::is_gone(&failure) => return Err(failure),
            _ => {}
        }
    }
    Ok(())
}
