//! An edge service that calls an application behind Access with the pair that `rotate-service` keeps in the key-value store.
//!
//! It reads the store for every request, so a rotation reaches it at once. A secret that the application does not take yet, or any more,
//! is no failure: the one before it is tried, and then whatever the store has since.

use support::bindings::exports::wasi::http::incoming_handler::{Guest, IncomingRequest, ResponseOutparam};
use support::configuration::variable;
use support::http::{Answer, get};
use support::pair_store::{PairStore, StoredPair};

struct PairReader;

impl Guest for PairReader {
    fn handle(_: IncomingRequest, response: ResponseOutparam) {
        // Details are no business of whoever asks.
        let status = call_the_application().unwrap_or(503);
        Answer::empty(status).send(response);
    }
}

/// Calls the application and returns the status of its answer.
fn call_the_application() -> Result<u16, String> {
    let (application, token_id) = (variable("APPLICATION_URL")?, variable("ROTATE_TOKEN_ID")?);
    let store = PairStore::open(&variable("ROTATE_STORE")?)?;
    let mut status = 503;
    // Twice: the pair may be replaced after it was read.
    for _ in 0..2 {
        let pair = store.read(&token_id)?.ok_or("there is no pair yet")?;
        for secret in secrets(&pair) {
            let headers = [("cf-access-client-id", pair.client_id.as_str()), ("cf-access-client-secret", secret)];
            status = get(&application, &headers).map_err(|error| error.to_string())?;
            // What Access answers to a pair that does not pass: a refusal, or a redirect to its log-in page.
            if ![302, 401, 403].contains(&status) {
                return Ok(status);
            }
        }
    }
    Ok(status)
}

/// The secrets of a pair, the newest first.
fn secrets(pair: &StoredPair) -> impl Iterator<Item = &str> {
    let previous = pair.previous.as_ref().map(|previous| previous.client_secret.as_str());
    std::iter::once(pair.client_secret.as_str()).chain(previous)
}

support::bindings::export!(PairReader with_types_in support::bindings);
