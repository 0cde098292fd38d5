//! Rotation with a time in which both secrets pass: begin it, end it, extend it.
//!
//! A token has two secrets at most, so a rotation while an overlap is running ends the older one, and a rotation whose answer was lost must not
//! simply be made again. After a lost answer the token is looked at: what it shows decides.

use crate::bindings::exports::cloudflare::access::lifecycle::OverlappingToken;
use crate::bindings::exports::cloudflare::access::types::{
    ErrorKind, IssuedToken, Outcome, Scope, ServiceToken, UpdatedToken,
};
use crate::exchange::call::Call;
use crate::exchange::host::Host;
use crate::operations::clock;
use crate::operations::steps::{self, Dated};
use crate::request::arguments;
use crate::request::ids::{Collection, Target, TokenId};
use crate::request::requests::Fields;
use crate::response::failure::{Failure, FailureClass};
use crate::timestamp::Timestamp;

/// A time that has passed by every clock. The API ends an old secret whose time has passed, and asking twice does no harm.
const LONG_AGO: &str = "2000-01-01T00:00:00Z";

/// Rotates the secret of a token and lets the old one pass for this many seconds.
pub async fn rotate(
    call: &Call<'_, impl Host>,
    scope: &Scope,
    id: &str,
    overlap_seconds: u32,
    end_running_overlap: bool,
) -> Result<OverlappingToken, Box<Failure>> {
    let (collection, id) = (call.collection(scope)?, TokenId::new(id)?);
    arguments::overlap_seconds(overlap_seconds)?;
    let Dated { value: token, server_time } = steps::get(call, &collection, id.target()).await?;
    let (now, _) = clock::now(call, server_time);
    if !end_running_overlap {
        refuse_running_overlap(call, &token, id.target(), now)?;
    }
    let end = now.after(overlap_seconds);
    let rotation = Rotation { collection: &collection, target: id.target(), now, end, end_text: text(call, end)? };
    match token.client_secret_version.and_then(|version| version.checked_add(1)) {
        Some(version) => rotation.to_version(call, version).await,
        None => rotation.once(call, &token).await,
    }
}

/// Ends the old secret of a rotation now.
pub async fn end(call: &Call<'_, impl Host>, scope: &Scope, id: &str) -> Result<ServiceToken, Box<Failure>> {
    let (collection, id) = (call.collection(scope)?, TokenId::new(id)?);
    move_end(call, &collection, id.target(), LONG_AGO).await
}

/// Lets the old secret of a rotation pass for this many seconds from now.
pub async fn extend(
    call: &Call<'_, impl Host>,
    scope: &Scope,
    id: &str,
    overlap_seconds: u32,
) -> Result<ServiceToken, Box<Failure>> {
    let (collection, id) = (call.collection(scope)?, TokenId::new(id)?);
    arguments::overlap_seconds(overlap_seconds)?;
    let Dated { value: token, server_time } = steps::get(call, &collection, id.target()).await?;
    let (now, _) = clock::now(call, server_time);
    if let Some(end) = overlap_end(&token).filter(|end| *end <= now) {
        let message = format!("the old secret ended at {}, and what has ended does not come back", text(call, end)?);
        return Err(conflict(call, message, id.target()));
    }
    move_end(call, &collection, id.target(), &text(call, now.after(overlap_seconds))?).await
}

async fn move_end<H: Host>(
    call: &Call<'_, H>,
    collection: &Collection,
    target: Target<'_>,
    end: &str,
) -> Result<ServiceToken, Box<Failure>> {
    let fields = Fields { previous_client_secret_expires_at: Some(end), ..Fields::default() };
    Ok(steps::update(call, collection, target, &fields).await?.token)
}

/// Refuses a rotation that would end a secret which machines may still use.
fn refuse_running_overlap(
    call: &Call<'_, impl Host>,
    token: &ServiceToken,
    target: Target<'_>,
    now: Timestamp,
) -> Result<(), Box<Failure>> {
    let Some(shown) = token.previous_client_secret_expires_at.as_deref().filter(|shown| !shown.is_empty()) else {
        return Ok(());
    };
    let end = Timestamp::from_rfc3339(shown);
    if end.is_some_and(|end| end <= now) {
        return Ok(());
    }
    let message = format!(
        "an overlap is running until {}: a rotation ends the old secret, which machines may still use; call `end-overlap` once none \
         does, or pass `end-running-overlap`",
        call.clean(shown)
    );
    let mut failure = conflict(call, message, target);
    failure.error.previous_secret_expires_at = end.and_then(Timestamp::to_rfc3339);
    Err(failure)
}

fn conflict(call: &Call<'_, impl Host>, message: String, target: Target<'_>) -> Box<Failure> {
    let mut failure = call.failure(ErrorKind::Conflict, message);
    failure.error.token_id = call.unchanged(target.id());
    failure
}

/// Returns until when the secret before the current one passes, where a token shows it.
fn overlap_end(token: &ServiceToken) -> Option<Timestamp> {
    token.previous_client_secret_expires_at.as_deref().and_then(Timestamp::from_rfc3339)
}

/// Returns a time as text.
fn text(call: &Call<'_, impl Host>, time: Timestamp) -> Result<String, Box<Failure>> {
    let message = "the clock shows a time outside of the years 0 to 9999";
    time.to_rfc3339().ok_or_else(|| call.failure(ErrorKind::InvalidResponse, message.to_owned()))
}

/// A rotation that is to be made.
struct Rotation<'a> {
    collection: &'a Collection,
    target: Target<'a>,
    now: Timestamp,
    /// Until when the old secret is to pass.
    end: Timestamp,
    end_text: String,
}

impl Rotation<'_> {
    /// Rotates by an update to the next version. After a lost answer the token is looked at; if it shows no rotation, the update is sent again.
    async fn to_version<H: Host>(&self, call: &Call<'_, H>, version: u32) -> Result<OverlappingToken, Box<Failure>> {
        let fields = Fields {
            client_secret_version: Some(version),
            previous_client_secret_expires_at: Some(&self.end_text),
            ..Fields::default()
        };
        let mut lost = 0_u32;
        loop {
            let failure = match steps::update(call, self.collection, self.target, &fields).await {
                Ok(updated) => return self.judge(call, updated, version, lost > 0),
                Err(failure) => failure,
            };
            match failure.error.outcome {
                Outcome::NotApplied if lost == 0 => return Err(failure),
                Outcome::Applied => return Err(self.applied(failure, Some(self.end))),
                Outcome::NotApplied | Outcome::Unknown => lost = lost.saturating_add(1),
            }
            let token = match steps::get(call, self.collection, self.target).await {
                Ok(token) => token.value,
                Err(look) => return Err(self.not_looked_at(failure, &look, lost)),
            };
            match token.client_secret_version {
                Some(shown) if shown > version => return Err(self.applied(failure, None)),
                Some(shown) if shown == version => {
                    return Err(self.applied(failure, overlap_end(&token).or(Some(self.end))));
                }
                _ => {}
            }
            let may_repeat = failure.class == FailureClass::Passing && lost <= call.settings().retries;
            if !may_repeat || !call.pause(lost, failure.asked_wait).await {
                return Err(self.unknown(failure, lost));
            }
        }
    }

    /// Returns what the answer to an update shows. `is_repeat`: whether an earlier update may have arrived.
    fn judge(
        &self,
        call: &Call<'_, impl Host>,
        UpdatedToken { token, client_secret }: UpdatedToken,
        version: u32,
        is_repeat: bool,
    ) -> Result<OverlappingToken, Box<Failure>> {
        let shown = token.client_secret_version;
        if let Some(client_secret) = client_secret {
            let is_one_rotation = shown.is_none_or(|shown| shown <= version);
            let end = if is_one_rotation { self.end } else { self.now };
            return self.overlapping(call, IssuedToken { token, client_secret }, end, is_one_rotation);
        }
        let (kind, outcome, what) = match shown {
            Some(shown) if shown == version && is_repeat => (
                ErrorKind::Connection,
                Outcome::Applied,
                "an earlier attempt made the rotation, and its answer was lost",
            ),
            Some(shown) if shown == version => (
                ErrorKind::Conflict,
                Outcome::Applied,
                "the token was rotated, and the answer has no secret: another caller may have rotated it at the same time",
            ),
            _ => (
                ErrorKind::InvalidResponse,
                Outcome::Unknown,
                "the answer has no secret and does not show the version that was asked for",
            ),
        };
        let mut failure = call.failure(kind, what.to_owned());
        failure.error.token_id = call.unchanged(self.target.id());
        Err(if outcome == Outcome::Applied {
            self.applied(failure, overlap_end(&token).or(Some(self.end)))
        } else {
            self.unknown(failure, 1)
        })
    }

    /// Rotates by the operation `rotate`, which makes a new secret each time, so it is sent once. After a lost answer the token is looked at.
    async fn once<H: Host>(&self, call: &Call<'_, H>, before: &ServiceToken) -> Result<OverlappingToken, Box<Failure>> {
        if !self.collection.is_account() {
            let message =
                "the API does not show the `client-secret-version` of this token, and a zone has no other rotation";
            let mut failure = call.failure(ErrorKind::Rejected, message.to_owned());
            failure.error.token_id = call.unchanged(self.target.id());
            return Err(failure);
        }
        let fields = Fields { previous_client_secret_expires_at: Some(&self.end_text), ..Fields::default() };
        let failure = match steps::rotate(call, self.collection, self.target, &fields).await {
            Ok(issued) => return self.overlapping(call, issued, self.end, true),
            Err(failure) => failure,
        };
        match failure.error.outcome {
            Outcome::NotApplied => Err(failure),
            Outcome::Applied => Err(self.applied(failure, Some(self.end))),
            Outcome::Unknown => match steps::get(call, self.collection, self.target).await {
                Err(look) => Err(self.not_looked_at(failure, &look, 1)),
                // An overlap that was not there before, or ends otherwise than before, is that of a rotation.
                Ok(Dated { value: after, .. }) => match overlap_end(&after) {
                    Some(end) if end > self.now && Some(end) != overlap_end(before) => {
                        Err(self.applied(failure, Some(end)))
                    }
                    _ => Err(self.unknown(failure, 1)),
                },
            },
        }
    }

    /// Returns the result: with the end that the answer shows, if that is the end of the secret which passed before this call.
    fn overlapping(
        &self,
        call: &Call<'_, impl Host>,
        issued: IssuedToken,
        end: Timestamp,
        is_shown: bool,
    ) -> Result<OverlappingToken, Box<Failure>> {
        let shown = issued.token.previous_client_secret_expires_at.clone().filter(|_| is_shown);
        let previous_secret_expires_at = match shown {
            Some(shown) => shown,
            None => text(call, end)?,
        };
        Ok(OverlappingToken { issued, previous_secret_expires_at })
    }

    /// The rotation happened and its secret is lost. `end`: until when the old secret passes; none if it has been rotated away.
    fn applied(&self, mut failure: Box<Failure>, end: Option<Timestamp>) -> Box<Failure> {
        failure.error.outcome = Outcome::Applied;
        let end = end.and_then(Timestamp::to_rfc3339);
        match &end {
            Some(end) => failure.add(&format!(
                "the rotation happened and its secret is lost; the old secret passes until {end}, and a further rotation ends it: \
                 extend the overlap, or replace the token, before then"
            )),
            None => failure.add("the token was rotated more than once since: the old secret has ended"),
        }
        failure.error.previous_secret_expires_at = end;
        failure
    }

    /// It is not known whether the rotation happened. Where one request may have made it, the old secret passes until the end of the overlap
    /// in either case.
    fn unknown(&self, mut failure: Box<Failure>, requests: u32) -> Box<Failure> {
        failure.error.outcome = Outcome::Unknown;
        failure.add("the token, looked at afterwards, showed no rotation, but a late one may follow: look again before anything else");
        failure.error.previous_secret_expires_at = (requests == 1).then(|| self.end_text.clone());
        failure
    }

    fn not_looked_at(&self, mut failure: Box<Failure>, look: &Failure, requests: u32) -> Box<Failure> {
        failure.error.outcome = Outcome::Unknown;
        failure.add(&format!("the token could not be looked at afterwards ({})", look.error.message));
        failure.add("look at it with `get` before anything else");
        failure.error.attempts = look.error.attempts;
        failure.error.previous_secret_expires_at = (requests == 1).then(|| self.end_text.clone());
        failure
    }
}
