//! Rotation with a time in which both secrets pass: begin it, end it, extend it.

use crate::arguments::TokenId;
use crate::bindings::exports::cloudflare::access::lifecycle::{Clock, OverlappingToken};
use crate::bindings::exports::cloudflare::access::types::{
    Error, ErrorKind, PreviousSecret, RequestOptions, Scope, ServiceToken,
};
use crate::call::Call;
use crate::error::Invalid;
use crate::host::Host;
use crate::lifecycle::clock;
use crate::operations::{member, member_of_account};
use crate::request::Body;
use crate::text::{decimal, joined};
use crate::{moment, steps};

/// A time that has passed by every clock. The API ends an old secret whose time has passed, and asking twice does no harm.
const LONG_AGO: &str = "2000-01-01T00:00:00Z";

pub fn rotate_with_overlap(
    host: &impl Host,
    account_id: &str,
    id: String,
    overlap_seconds: u64,
    options: Option<RequestOptions>,
) -> Result<OverlappingToken, Box<Error>> {
    let (collection, id) = member_of_account(account_id, id)?;
    check(host, overlap_seconds)?;
    let mut call = Call::begin(host, collection, options)?;
    call.ask_for_time();
    steps::get(&call, &id)?;
    let (end, clock) = end_of(&call, "rotate-with-overlap", overlap_seconds)?;
    let issued = steps::rotate(&call, &id, &PreviousSecret::ExpiresAt(end.clone()))?;
    let previous_secret_expires_at = issued.token.previous_client_secret_expires_at.clone().unwrap_or(end);
    Ok(OverlappingToken { issued, previous_secret_expires_at, clock })
}

pub fn end_overlap(
    host: &impl Host,
    scope: &Scope,
    id: String,
    options: Option<RequestOptions>,
) -> Result<ServiceToken, Box<Error>> {
    let (collection, id) = member(scope, id)?;
    moved(&Call::begin(host, collection, options)?, &id, LONG_AGO)
}

pub fn extend_overlap(
    host: &impl Host,
    scope: &Scope,
    id: String,
    overlap_seconds: u64,
    options: Option<RequestOptions>,
) -> Result<ServiceToken, Box<Error>> {
    let (collection, id) = member(scope, id)?;
    check(host, overlap_seconds)?;
    let mut call = Call::begin(host, collection, options)?;
    call.ask_for_time();
    let token = steps::get(&call, &id)?;
    let (end, _) = end_of(&call, "extend-overlap", overlap_seconds)?;
    let (now, _) = clock::now(&call);
    let ends = token.previous_client_secret_expires_at.as_deref().and_then(moment::parse);
    if let Some(ended) = ends.filter(|ends| *ends <= now) {
        // The time as we read it: the text of the server may be of any length.
        let ended = moment::text(ended).unwrap_or_default();
        let what = joined(&["the old secret ended at ", &ended, ", and what has ended does not come back"]);
        let mut error = call.error_of_its_own("extend-overlap", ErrorKind::Conflict, &what);
        error.token_id = Some(id.text().to_owned());
        return Err(error);
    }
    moved(&call, &id, &end)
}

/// Moves the end of the old secret.
fn moved<H: Host>(call: &Call<'_, H>, id: &TokenId, end: &str) -> Result<ServiceToken, Box<Error>> {
    let change = Body { previous_client_secret_expires_at: Some(end), ..Body::default() };
    Ok(steps::update(call, id, change)?.token)
}

fn check(host: &impl Host, overlap_seconds: u64) -> Result<(), Invalid> {
    if overlap_seconds == 0 {
        return Err(Invalid::argument(&[
            "overlap-seconds is 0: to end the old secret at once, call `service-tokens.rotate` with `expires-now`, or `end-overlap`",
        ]));
    }
    let too_far =
        || Invalid::argument(&["overlap-seconds is ", &decimal(overlap_seconds), ": that is after the year 9999"]);
    after(host.wall_clock(), overlap_seconds).map(drop).ok_or_else(too_far)
}

/// The moment so many seconds from now.
fn end_of<H: Host>(call: &Call<'_, H>, function: &str, overlap_seconds: u64) -> Result<(String, Clock), Box<Error>> {
    let (now, clock) = clock::now(call);
    let end = after(now, overlap_seconds).ok_or_else(|| {
        let now = moment::text(now).unwrap_or_default();
        let what = joined(&["the server's clock says ", &now, ", and the overlap would end after the year 9999"]);
        call.error_of_its_own(function, ErrorKind::InvalidResponse, &what)
    })?;
    Ok((end, clock))
}

/// A moment so many seconds after another; none after the year 9999.
fn after(moment: i64, seconds: u64) -> Option<String> {
    moment::text(moment.checked_add(i64::try_from(seconds).ok()?)?)
}
