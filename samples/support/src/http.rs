//! Helpers for HTTP: authenticate a caller, send a response, and make a request without a body.

use serde_json::Value;
use subtle::ConstantTimeEq;

use crate::bindings::wasi::http::outgoing_handler;
use crate::bindings::wasi::http::types::{
    ErrorCode, Fields, IncomingRequest, OutgoingBody, OutgoingRequest, OutgoingResponse, ResponseOutparam, Scheme,
};

/// An answer: its status, and JSON or nothing.
pub struct Answer {
    pub status: u16,
    pub body: Option<Value>,
}

impl Answer {
    /// An answer with JSON.
    #[must_use]
    pub fn json(status: u16, body: Value) -> Self {
        Self { status, body: Some(body) }
    }

    /// An answer without a body.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self { status, body: None }
    }

    /// Sends the answer.
    pub fn send(self, to: ResponseOutparam) {
        let headers = Fields::new();
        if self.body.is_some() {
            let _ = headers.append("content-type", b"application/json");
        }
        if self.status == 401 {
            let _ = headers.append("www-authenticate", b"Bearer");
        }
        let response = OutgoingResponse::new(headers);
        let _ = response.set_status_code(self.status);
        let outgoing = response.body();
        ResponseOutparam::set(to, Ok(response));
        // Whoever asked may be gone; there is nobody else to tell.
        let Ok(outgoing) = outgoing else { return };
        if let (Some(body), Ok(stream)) = (self.body, outgoing.write()) {
            for chunk in body.to_string().as_bytes().chunks(4096) {
                let _ = stream.blocking_write_and_flush(chunk);
            }
        }
        let _ = OutgoingBody::finish(outgoing, None);
    }
}

/// Whether a request has exactly one `Authorization` header, and it is `Bearer` with this secret. The comparison takes the same time
/// wherever the two differ.
#[must_use]
pub fn is_authorized(request: &IncomingRequest, secret: &str) -> bool {
    let given = request.headers().get("authorization");
    let [given] = given.as_slice() else { return false };
    given.ct_eq(format!("Bearer {secret}").as_bytes()).into()
}

/// Sends a GET request with these headers to an `http` or `https` URL and returns the status of the answer.
///
/// # Errors
/// The URL or a header is not valid, the host forbids the request, or there is no answer.
pub fn get(url: &str, headers: &[(&str, &str)]) -> Result<u16, ErrorCode> {
    let invalid = |what: &str| ErrorCode::InternalError(Some(format!("{what} is not valid")));
    let (scheme, rest) = match url.split_once("://") {
        Some(("https", rest)) => (Scheme::Https, rest),
        Some(("http", rest)) => (Scheme::Http, rest),
        _ => return Err(invalid("the URL")),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let fields = Fields::new();
    for (name, value) in headers {
        fields.append(name, value.as_bytes()).map_err(|_| invalid(name))?;
    }
    let request = OutgoingRequest::new(fields);
    request.set_scheme(Some(&scheme)).map_err(|()| invalid("the URL"))?;
    request.set_authority(Some(authority)).map_err(|()| invalid("the URL"))?;
    request.set_path_with_query(Some(if path.is_empty() { "/" } else { path })).map_err(|()| invalid("the URL"))?;
    let body = request.body();
    let answer = outgoing_handler::handle(request, None)?;
    if let Ok(body) = body {
        OutgoingBody::finish(body, None)?;
    }
    answer.subscribe().block();
    match answer.get() {
        Some(Ok(Ok(response))) => Ok(response.status()),
        Some(Ok(Err(error))) => Err(error),
        _ => Err(ErrorCode::InternalError(None)),
    }
}
