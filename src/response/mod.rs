//! The bytes of an answer become a result, or an error that tells what is known.
//!
//! [`accept`] takes an answer apart: its envelope, and within it the result, which `token` turns into a token of the
//! contract. What is no good answer becomes an `attempt_error`, classified with the help of the `catalogue`, and in the
//! end a `failure`. Text of the server gets into an error through `server_text` alone.

pub mod api_errors;
pub mod attempt_error;
pub mod catalogue;
#[cfg(test)]
mod decoder_fuzz;
pub mod envelope;
pub mod failure;
pub mod head;
pub mod json;
pub mod retry_after;
pub mod server_text;
pub mod token;

pub use attempt_error::AttemptError;
pub use envelope::{Foreign, PageInfo};
pub use failure::{Failure, FailureClass, Result};
pub use head::{AnswerHead, ErrorHead};
pub use json::Json;
pub use server_text::{Cleaned, Redactor, ServerText};
pub use token::{Budget, ResultValue, Unusable, with_id};

use crate::exchange::{Answer, Headers};
use crate::request::{Method, Request};

/// A longer body that is no UTF-8 is not the API's: its replacement could take several times the memory.
const REPLACED_LIMIT: usize = 1024 * 1024;

/// How many client secrets are looked for in a body that could not be read. The API's answers to one request show one.
const SECRETS_LIMIT: usize = 100;

/// A good answer: a 2xx status, and `success: true`.
pub struct Success<H> {
    pub head: AnswerHead<H>,
    pub result: ResultValue,
    pub info: PageInfo,
}

/// Takes an answer apart. An empty body is a good answer to a DELETE.
pub fn accept<H: Headers>(
    answer: Answer<H>,
    request: &Request<'_>,
    budget: &Budget,
    redactor: impl FnOnce() -> Redactor,
) -> Result<Success<H>, Box<AttemptError>> {
    let Answer { status, headers, body } = answer;
    let head = AnswerHead { status, headers };
    let (body, is_text) = text(body);
    if head.is_good() && request.method == Method::Delete && body.trim_ascii().is_empty() {
        return Ok(Success { head, result: ResultValue::Nothing, info: PageInfo::default() });
    }
    let envelope = if is_text { envelope::read(&body, budget.left()) } else { Err(Foreign::NotJson) };
    let envelope = match envelope {
        Ok(envelope) => envelope,
        Err(foreign) => {
            return Err(AttemptError::foreign(&head, foreign, &body, &with_secrets_of(redactor(), &body)));
        }
    };
    if envelope.success == Some(true) && head.is_good() {
        return Ok(Success { head, info: envelope.page_info(), result: envelope.result });
    }
    let redactor = redactor().and(envelope.result.client_secret());
    let errors = match envelope.success {
        // Success with an error status: trust the status.
        Some(true) => Vec::new(),
        Some(false) => api_errors::listed(envelope.errors, &redactor),
        None => match api_errors::listed(envelope.errors, &redactor) {
            errors if errors.is_empty() => api_errors::flat(&body, &redactor),
            errors => errors,
        },
    };
    if envelope.success.is_none() && errors.is_empty() {
        return Err(AttemptError::foreign(&head, Foreign::OtherJson, &body, &with_secrets_of(redactor, &body)));
    }
    Err(AttemptError::refused(&head, errors, &redactor))
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

/// Adds the client secrets that a body shows which could not be read: an error may repeat another part of the answer.
fn with_secrets_of(redactor: Redactor, body: &str) -> Redactor {
    let secret =
        |after: &str| Some(after.trim_start_matches([' ', ':']).strip_prefix('"')?.split('"').next()?.to_owned());
    let secrets = body.split("\"client_secret\"").skip(1).take(SECRETS_LIMIT).filter_map(secret);
    secrets.fold(redactor, |redactor, secret| redactor.and(Some(&secret)))
}
