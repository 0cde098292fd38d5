//! An edge service: `POST /rotate` gives the token of its configuration a new secret and puts the pair into a key-value store.
//!
//! The caller sends `Authorization: Bearer` with the secret of the configuration. The old secret always passes for a while, so that a
//! machine that has not read the store yet is not locked out. The answer is 204 and never has the secret in it.
//!
//! | status | body | what happened |
//! |---|---|---|
//! | 204 | | the token was rotated, and the pair is in the store |
//! | 401 | | the caller is not known; nothing was looked at |
//! | 404, 405 | `error` | there is nothing but `POST /rotate` |
//! | 409 | `outcome`, `message` | the overlap of a rotation is running; see [`rotation`] |
//! | 500 | `error` | the configuration is not complete; the variable is named |
//! | 502 | `outcome`, `message` | the rotation failed; `outcome` says whether the token was changed |
//! | 503 | `outcome`, `message` | the store does not answer; nothing was changed |

mod configuration;
mod rotation;

use serde_json::json;
use support::bindings::exports::wasi::http::incoming_handler::{Guest, IncomingRequest, ResponseOutparam};
use support::bindings::wasi::http::types::Method;
use support::http::{Answer, is_authorized};

use crate::configuration::Configuration;

/// Rotates although an overlap is running. It locks out machines that use the secret before the current one, so it is asked for by name.
const END_RUNNING_OVERLAP: &str = "end-running-overlap";

struct RotateService;

impl Guest for RotateService {
    fn handle(request: IncomingRequest, response: ResponseOutparam) {
        answer(&request).send(response);
    }
}

fn answer(request: &IncomingRequest) -> Answer {
    let target = request.path_with_query().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    if path != "/rotate" || !["", END_RUNNING_OVERLAP].contains(&query) {
        return Answer::json(404, json!({"error": "there is POST /rotate and POST /rotate?end-running-overlap"}));
    }
    if !matches!(request.method(), Method::Post) {
        return Answer::json(405, json!({"error": "POST /rotate"}));
    }
    let configuration = match Configuration::read() {
        Ok(configuration) => configuration,
        Err(error) => return Answer::json(500, json!({"error": error})),
    };
    if !is_authorized(request, &configuration.caller_secret) {
        return Answer::empty(401);
    }
    rotation::rotate(&configuration, query == END_RUNNING_OVERLAP)
}

support::bindings::export!(RotateService with_types_in support::bindings);
