//! Who may do what: the credentials that are accepted, and the check of a request's headers against them.
//!
//! With several credentials in one request `Authorization` decides; which one wins in the real API is not documented. A
//! credential that lacks the permission gets the same 10000 as a wrong one.

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderValue};

use crate::api_error::ApiError;
use crate::{Operation, ScopeKind};

/// What a credential was given the right to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permission {
    Read,
    Write,
}

/// An accepted credential. It has no `Debug`, so nothing can print it.
#[derive(Clone)]
pub(crate) enum Credential {
    ApiToken { token: String, permission: Permission },
    ApiKey { email: String, key: String },
}

/// Checks that the headers of a request allow the operation.
pub(crate) fn authorize(
    accepted: &[Credential],
    zones_refuse_api_tokens: bool,
    headers: &HeaderMap,
    operation: Operation,
    kind: ScopeKind,
) -> Result<(), ApiError> {
    let credential = identify(accepted, headers)?;
    let Credential::ApiToken { permission, .. } = credential else {
        return Ok(());
    };
    if zones_refuse_api_tokens && kind == ScopeKind::Zone {
        return Err(ApiError::api_token_not_supported(operation.method()));
    }
    if operation.changes() && *permission == Permission::Read {
        return Err(ApiError::authentication());
    }
    Ok(())
}

fn identify<'a>(accepted: &'a [Credential], headers: &HeaderMap) -> Result<&'a Credential, ApiError> {
    if let Some(authorization) = headers.get(AUTHORIZATION) {
        let malformed = || ApiError::malformed_header(6111, "Authorization");
        let given = bearer_token(authorization).ok_or_else(malformed)?;
        let known = |one: &&Credential| matches!(one, Credential::ApiToken { token, .. } if token == given);
        return accepted.iter().find(known).ok_or_else(ApiError::authentication);
    }
    let (Some(key), Some(email)) = (headers.get("x-auth-key"), headers.get("x-auth-email")) else {
        return Err(ApiError::missing_headers());
    };
    let malformed = || ApiError::malformed_header(6103, "X-Auth-Key");
    let given_key = key.to_str().ok().filter(|key| is_token_text(key)).ok_or_else(malformed)?;
    let known = |one: &&Credential| match one {
        Credential::ApiKey { email: known_email, key } => key == given_key && email == known_email.as_str(),
        Credential::ApiToken { .. } => false,
    };
    accepted.iter().find(known).ok_or_else(ApiError::authentication)
}

fn bearer_token(authorization: &HeaderValue) -> Option<&str> {
    let (scheme, token) = authorization.to_str().ok()?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && is_token_text(token)).then_some(token)
}

fn is_token_text(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~+/=".contains(&byte))
}
