//! An edge service: `POST /accounts/{account}/tokens/{id}/rotate` gives the token a new secret and answers with it.
//!
//! The query `previous-expires-at=<RFC 3339>` keeps the old secret for a while; without it, it ends at once. What went wrong
//! is answered with the status 502 and the outcome, so that the caller knows whether the token was rotated.

wit_bindgen::generate!({ path: ["../../wit", "wit"], world: "sample:rotate-service/rotate-service", generate_all });

use cloudflare::access::service_tokens::{PreviousSecret, rotate};
use cloudflare::access::types::Outcome;
use exports::wasi::http::incoming_handler::{Guest, IncomingRequest, ResponseOutparam};
use serde_json::{Value, json};
use wasi::http::types::{Fields, Method, OutgoingBody, OutgoingResponse};

struct RotateService;

impl Guest for RotateService {
    fn handle(request: IncomingRequest, response: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let (status, body) = answer(&request.method(), &target);
        send(response, status, &body);
    }
}

/// The status and the body of an answer.
fn answer(method: &Method, target: &str) -> (u16, Value) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let (Method::Post, ["accounts", account, "tokens", id, "rotate"]) = (method, parts.as_slice()) else {
        return (404, json!({"error": "POST /accounts/{account}/tokens/{id}/rotate"}));
    };
    let previous = match query.strip_prefix("previous-expires-at=") {
        Some(time) => PreviousSecret::ExpiresAt(time.to_owned()),
        None => PreviousSecret::ExpiresNow,
    };
    match rotate(account, id, &previous, None) {
        Ok(issued) => (200, json!({"client_id": issued.token.client_id, "client_secret": issued.client_secret})),
        Err(error) => {
            let outcome = match error.outcome {
                Outcome::NotApplied => "not-applied",
                Outcome::Unknown => "unknown",
                Outcome::Applied => "applied",
            };
            (502, json!({"outcome": outcome, "message": error.message}))
        }
    }
}

fn send(to: ResponseOutparam, status: u16, body: &Value) {
    let headers = Fields::new();
    let _ = headers.append("content-type", b"application/json");
    let response = OutgoingResponse::new(headers);
    let _ = response.set_status_code(status);
    let outgoing = response.body();
    ResponseOutparam::set(to, Ok(response));
    let Ok(outgoing) = outgoing else { return };
    if let Ok(stream) = outgoing.write() {
        for chunk in body.to_string().as_bytes().chunks(4096) {
            let _ = stream.blocking_write_and_flush(chunk);
        }
    }
    let _ = OutgoingBody::finish(outgoing, None);
}

export!(RotateService);
