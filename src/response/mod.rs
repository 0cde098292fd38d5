//! The bytes of an answer become a result, or a failure that tells what is known.
//!
//! [`accept`] takes an answer apart: its envelope, and within it the result, which `token` turns into a token of the
//! contract. What is no good answer is classified by `classify` with the help of the `catalogue`.

pub mod api_errors;
pub mod catalogue;
pub mod classify;
#[cfg(test)]
mod decoder_fuzz;
pub mod envelope;
pub mod json;
pub mod redactor;
pub mod retry_after;
pub mod token;

pub use envelope::Foreign;
pub use json::Json;
pub use redactor::Redactor;
pub use token::{ResultReading, TOKENS_LIMIT, Unusable, with_id};

use serde::Deserialize;

use redactor::SECRETS_LIMIT;

use crate::exchange::{Answer, Head};
use crate::failure::Result;
use crate::request::{Method, Request};

/// A longer body that is no UTF-8 is not the API's: its replacement could take several times the memory.
const REPLACED_LIMIT: usize = 1024 * 1024;

/// A good answer: a 2xx status, and `success: true`.
pub struct Success {
    pub head: Head,
    pub body: String,
    pub result: ResultReading,
}

/// Takes an answer apart, in which tokens may take this many bytes. An empty body is a good answer to a DELETE.
pub fn accept(Answer { head, body }: Answer, request: &Request<'_>, tokens_limit: usize) -> Result<Success> {
    let (body, is_text) = text(body);
    if head.is_good() && request.method == Method::Delete && body.trim_ascii().is_empty() {
        return Ok(Success { head, body, result: ResultReading::new(tokens_limit) });
    }
    let envelope = if is_text { envelope::read(&body, tokens_limit) } else { Err(Foreign::NotJson) };
    let mut failure = match envelope {
        Ok(envelope) if envelope.success == Some(true) && head.is_good() => {
            let result = envelope.result;
            return Ok(Success { head, body, result });
        }
        Ok(envelope) => {
            // Success with an error status: trust the status.
            let listed = envelope.errors.filter(|_| envelope.success != Some(true));
            let mut errors = api_errors::listed(listed);
            if envelope.success.is_none() && errors.is_empty() {
                errors = api_errors::flat(&body);
            }
            let mut failure = if envelope.success.is_none() && errors.is_empty() {
                classify::foreign(&head, Foreign::OtherJson, &body)
            } else {
                classify::refused(&head, errors)
            };
            failure.secrets = envelope.result.client_secrets;
            failure
        }
        Err(foreign) => classify::foreign(&head, foreign, &body),
    };
    failure.secrets.extend(client_secrets(&body));
    Err(failure)
}

/// Returns a body as text, and whether it is text. Bytes that are no UTF-8 are replaced, for the ray id that a page in
/// another encoding shows.
fn text(body: Vec<u8>) -> (String, bool) {
    match String::from_utf8(body) {
        Ok(body) => (body, true),
        Err(error) if error.as_bytes().len() <= REPLACED_LIMIT => {
            (String::from_utf8_lossy(error.as_bytes()).into_owned(), false)
        }
        Err(_) => (String::new(), false),
    }
}

/// Returns the client secrets that a body shows, whether it can be read or not. A text that is cut short counts, too.
pub fn client_secrets(body: &str) -> Vec<String> {
    let secret = |after: &str| {
        let json = after.trim_ascii_start().strip_prefix(':')?.trim_ascii_start();
        let text = String::deserialize(&mut serde_json::Deserializer::from_str(json)).ok();
        text.or_else(|| Some(json.strip_prefix('"')?.split('"').next()?.to_owned()))
    };
    body.split("\"client_secret\"").skip(1).take(SECRETS_LIMIT.saturating_add(1)).filter_map(secret).collect()
}
