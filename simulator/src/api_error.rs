//! The errors of the API: status, code, text and the deeper causes, as a client finds them on the wire.
//!
//! Codes and statuses are Cloudflare's. Where its texts have a free part, the part here is the simulator's own.

use hyper::StatusCode;
use serde::Serialize;

/// A request that the API refuses.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    /// The status of the answer.
    pub status: StatusCode,
    /// What goes into `errors`.
    pub errors: Vec<ErrorEntry>,
}

/// One entry of `errors` or `error_chain`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ErrorEntry {
    pub code: u32,
    pub message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub error_chain: Vec<ErrorEntry>,
}

impl ApiError {
    /// An error with one entry.
    pub fn new(status: StatusCode, code: u32, message: impl Into<String>) -> Self {
        Self { status, errors: vec![ErrorEntry::new(code, message)] }
    }

    /// What it says.
    pub fn text(&self) -> String {
        self.errors.iter().map(|entry| entry.message.as_str()).collect::<Vec<_>>().join("; ")
    }

    /// No token has this id. A client id in place of an id gives this too.
    pub fn token_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, 12135, "access.api.error.not_found")
    }

    /// The token cannot be deleted while something refers to it.
    pub fn token_in_use() -> Self {
        let text = "access.api.error.service_token_in_use: cannot delete service token because it is used by a policy, group, or app SCIM \
                    configuration.";
        Self::new(StatusCode::BAD_REQUEST, 12139, text)
    }

    /// A value breaks a rule, or a quota is reached.
    pub fn invalid_request(detail: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, 12130, format!("access.api.error.invalid_request: {detail}"))
    }

    /// The account has no Access. The status is a guess: only the code is known.
    pub fn not_enabled() -> Self {
        let text = "access.api.error.not_enabled: Access is not enabled. Visit the Access dashboard at https://one.dash.cloudflare.com/ and \
                    click the 'Enable Access' button.";
        Self::new(StatusCode::FORBIDDEN, 9999, text)
    }

    /// The credential is wrong, or lacks the permission: the API does not tell the two apart.
    pub fn authentication() -> Self {
        Self::new(StatusCode::FORBIDDEN, 10000, "Authentication error")
    }

    /// An API token where only the global key is accepted.
    pub fn api_token_not_supported(method: &str) -> Self {
        let text = format!("{method} method with API Tokens is not supported by this API");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, 10000, text)
    }

    /// No credential, or half of a pair.
    pub fn missing_headers() -> Self {
        Self::new(StatusCode::BAD_REQUEST, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")
    }

    /// A credential that cannot be one. `code` is 6111 for `Authorization`, 6103 for `X-Auth-Key`.
    pub fn malformed_header(code: u32, header: &str) -> Self {
        let mut entry = ErrorEntry::new(6003, "Invalid request headers");
        entry.error_chain.push(ErrorEntry::new(code, format!("Invalid format for {header} header")));
        Self { status: StatusCode::BAD_REQUEST, errors: vec![entry] }
    }

    /// No such path, or no such account or zone.
    pub fn no_route(path: &str) -> Self {
        let text = format!("Could not route to {path}, perhaps your object identifier is invalid?");
        let errors = vec![ErrorEntry::new(7003, text), ErrorEntry::new(7000, "No route for that URI")];
        Self { status: StatusCode::NOT_FOUND, errors }
    }

    /// The path exists, but not with this method.
    pub fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, 10001, "Method not allowed")
    }

    /// Too many requests.
    pub fn rate_limited(quota: u32, window_seconds: u64) -> Self {
        let text = format!(
            "More than {quota} requests per {window_seconds} seconds reached. Please wait and consider throttling your request speed"
        );
        Self::new(StatusCode::TOO_MANY_REQUESTS, 971, text)
    }
}

impl ErrorEntry {
    /// An entry without deeper causes.
    pub fn new(code: u32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), error_chain: Vec::new() }
    }
}
