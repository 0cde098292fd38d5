//! One rotation: open the store, rotate with an overlap, store the pair.
//!
//! While an overlap is running the token has two secrets that machines may use, and a rotation would end one. It is refused (409), and
//! the answer says whether the store has the newest secret. It has not if a call was cut off between the answer of the API and the
//! store: then the pair in the store passes until the end of the overlap, and a new secret can only be had by ending the overlap.

use serde_json::json;
use support::bindings::cloudflare::access::lifecycle::{OverlappingToken, rotate_with_overlap};
use support::bindings::cloudflare::access::service_tokens::get;
use support::bindings::cloudflare::access::types::{Error, ErrorKind, Outcome, Scope};
use support::http::Answer;
use support::pair_store::{PairStore, PreviousSecret, StoredPair};

use crate::configuration::Configuration;

/// Rotates the token and stores the pair.
pub fn rotate(configuration: &Configuration, end_running_overlap: bool) -> Answer {
    let Configuration { account_id, token_id, overlap_seconds, store, .. } = configuration;
    // A store that does not answer would lose the secret: it is opened and read before there is one.
    let opened = PairStore::open(store).and_then(|store| Ok((store.read(token_id)?, store)));
    let (before, store) = match opened {
        Ok(opened) => opened,
        Err(reason) => return failed(503, Outcome::NotApplied, &format!("nothing was changed: {reason}"), None),
    };
    let scope = Scope::Account(account_id.clone());
    match rotate_with_overlap(&scope, token_id, *overlap_seconds, end_running_overlap, None) {
        Ok(rotated) => keep(&store, token_id, before, rotated),
        Err(error) if matches!(error.kind, ErrorKind::Conflict) => refused(&store, &scope, token_id, &error),
        Err(error) => failed(502, error.outcome, &error.message, error.previous_secret_expires_at.as_deref()),
    }
}

/// Stores the new pair, and the secret that it replaces.
fn keep(store: &PairStore, token_id: &str, before: Option<StoredPair>, rotated: OverlappingToken) -> Answer {
    let OverlappingToken { issued, previous_secret_expires_at: passes_until } = rotated;
    let pair = StoredPair {
        client_id: issued.token.client_id.unwrap_or_default(),
        client_secret: issued.client_secret,
        client_secret_version: issued.token.client_secret_version,
        previous: before
            .map(|pair| PreviousSecret { client_secret: pair.client_secret, passes_until: passes_until.clone() }),
    };
    match store.write(token_id, &pair) {
        Ok(()) => Answer::empty(204),
        Err(reason) => {
            let message = format!(
                "the token was rotated and its new secret is lost, because the store did not take it ({reason}); the \
                 secret before it passes until {passes_until}"
            );
            failed(502, Outcome::Applied, &message, Some(&passes_until))
        }
    }
}

/// Says of a running overlap whether it is that of the pair in the store.
fn refused(store: &PairStore, scope: &Scope, token_id: &str, error: &Error) -> Answer {
    let newest = get(scope, token_id, None).ok().and_then(|token| token.client_secret_version);
    let stored = store.read(token_id).ok().flatten().and_then(|pair| pair.client_secret_version);
    let until = error.previous_secret_expires_at.as_deref();
    let what = if matches!(error.outcome, Outcome::Applied) {
        "another call rotated the token at the same time"
    } else {
        "an overlap is running"
    };
    let then = if newest.is_some() && newest == stored {
        "the store has the newest secret: rotate again when the overlap has ended"
    } else {
        "the store does not have the newest secret: another call is about to store it, or was cut off before it could, \
         or it was made elsewhere. If the store does not change, `POST /rotate?end-running-overlap` makes a new one and \
         locks out whoever uses the secret in the store, until they have read the new one"
    };
    failed(
        409,
        error.outcome,
        &format!("{what}; the secret before the newest passes until {}; {then}", until.unwrap_or("an unknown time")),
        until,
    )
}

fn failed(status: u16, outcome: Outcome, message: &str, previous_secret_expires_at: Option<&str>) -> Answer {
    let outcome = match outcome {
        Outcome::NotApplied => "not-applied",
        Outcome::Unknown => "unknown",
        Outcome::Applied => "applied",
    };
    let until = previous_secret_expires_at;
    Answer::json(status, json!({"outcome": outcome, "message": message, "previous_secret_expires_at": until}))
}
