//! The envelope around every answer of the API: `result`, `success`, `errors`, `messages`, and `result_info` of a list.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;

use crate::api_error::{ApiError, ErrorEntry};
use crate::list_query::ResultInfo;

/// An answer before it goes to hyper, its body still at hand for a fault to change.
pub(crate) type Answer = Response<Bytes>;

#[derive(Serialize)]
struct Envelope<'a, T> {
    result: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    result_info: Option<ResultInfo>,
    success: bool,
    errors: &'a [ErrorEntry],
    messages: [(); 0],
}

/// A yes with its result.
pub(crate) fn success(status: StatusCode, result: impl Serialize, result_info: Option<ResultInfo>) -> Answer {
    json(status, &Envelope { result, result_info, success: true, errors: &[], messages: [] })
}

/// A no.
pub(crate) fn failure(error: &ApiError) -> Answer {
    json(error.status, &Envelope { result: (), result_info: None, success: false, errors: &error.errors, messages: [] })
}

/// Any value as the body of an answer.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    json_bytes(status, serde_json::to_vec(value).unwrap_or_default())
}

/// Bytes that claim to be JSON.
pub(crate) fn json_bytes(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(body.into());
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"));
    answer
}

/// An answer as hyper takes it.
pub(crate) fn whole(answer: Answer) -> Response<Full<Bytes>> {
    answer.map(Full::new)
}
