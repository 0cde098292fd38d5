//! Whether a token has been rotated lately, for a command that cron runs every day.

use std::time::Duration;

use cloudflare_access_host::Scope;
use cloudflare_access_host::ServiceToken;
use cloudflare_access_host::rotation::{LastRotation, StateFolder};
use jiff::{SignedDuration, Timestamp};

use crate::failure::Failure;
use crate::words::relative;

const STATE_FOLDER: &str = "the state folder";

/// When the current secret was made, and who says so.
#[derive(Debug, PartialEq, Eq)]
struct Made {
    at: Timestamp,
    by: &'static str,
}

/// Returns why the token is not rotated now, where its secret is younger than this. `now` is the time of the API.
pub fn too_young(
    state: &StateFolder,
    scope: &Scope,
    token: &ServiceToken,
    limit: Duration,
    now: Timestamp,
) -> Result<Option<String>, Failure> {
    let last = state.last_rotation(scope, &token.id).map_err(|error| Failure::configuration(&error))?;
    let Some(made) = made(last.as_ref(), token) else {
        return Err(Failure::refused(
            "neither the state folder nor the token tells when it was last rotated; rotate it without --if-older-than",
        ));
    };
    let limit = SignedDuration::try_from(limit).unwrap_or(SignedDuration::MAX);
    // Each time is compared with the clock that it was taken from.
    let now = if made.by == STATE_FOLDER { Timestamp::now() } else { now };
    let is_old = now.duration_since(made.at) >= limit;
    let at = made.at.to_string();
    Ok((!is_old).then(|| format!("not rotated: its secret is from {at} ({}), by {}", relative(&at, now), made.by)))
}

/// The state folder knows it exactly, as long as nobody else has rotated the token. The first secret is as old as the token; a later one
/// is at limit as old as the last change.
fn made(last: Option<&LastRotation>, token: &ServiceToken) -> Option<Made> {
    let time = |text: &Option<String>| text.as_deref()?.parse().ok();
    if let Some(last) = last
        && last.secret_version == token.client_secret_version
        && let Ok(at) = last.finished_at.parse()
    {
        return Some(Made { at, by: STATE_FOLDER });
    }
    if token.client_secret_version == Some(1)
        && let Some(at) = time(&token.created_at)
    {
        return Some(Made { at, by: "the time at which the token was made" });
    }
    let at = time(&token.updated_at).or_else(|| time(&token.created_at))?;
    Some(Made { at, by: "the time at which the token was last changed, since the state folder knows of no rotation" })
}
