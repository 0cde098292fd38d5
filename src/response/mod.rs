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
    let body = text(body);
    if head.is_good() && request.method == Method::Delete && body.trim_ascii().is_empty() {
        return Ok(Success { head, result: ResultValue::Nothing, info: PageInfo::default() });
    }
    let envelope = match envelope::read(&body, budget.left()) {
        Ok(envelope) => envelope,
        Err(foreign) => return Err(AttemptError::foreign(&head, foreign, &body, &redactor())),
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
        return Err(AttemptError::foreign(&head, Foreign::OtherJson, &body, &redactor));
    }
    Err(AttemptError::refused(&head, errors, &redactor))
}

/// Returns a body as text. Bytes that are no UTF-8 are replaced, so that a broken name or note costs no secret.
fn text(body: Vec<u8>) -> String {
    String::from_utf8(body).unwrap_or_else(|error| match error.as_bytes() {
        body if body.len() <= REPLACED_LIMIT => String::from_utf8_lossy(body).into_owned(),
        _ => String::from("\u{fffd}"),
    })
}
