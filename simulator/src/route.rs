//! Which operation a method and a path mean.
//!
//! The twelve routes are `/client/v4/{accounts|zones}/{id}/access/service_tokens`, one level deeper with a token id, and for
//! accounts another level with `refresh` or `rotate`. Ids are percent-decoded. An account or zone id that is not 32
//! hexadecimal digits makes no route, as in the real API, which looks at it before the credential.

use hyper::Method;
use percent_encoding::percent_decode_str;

use crate::api_error::ApiError;
use crate::{Operation, Scope, ScopeKind};

/// What a request asks for. `token_id` is empty for list and create.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub operation: Operation,
    pub scope: Scope,
    pub token_id: String,
}

impl Route {
    pub fn find(method: &Method, path: &str) -> Result<Self, ApiError> {
        let no_route = || ApiError::no_route(path);
        let mut segments = path.strip_prefix("/client/v4/").ok_or_else(no_route)?.split('/');
        let kind = match segments.next() {
            Some("accounts") => ScopeKind::Account,
            Some("zones") => ScopeKind::Zone,
            _ => return Err(no_route()),
        };
        let scope_id = segments.next().filter(|id| is_identifier(id)).ok_or_else(no_route)?;
        if (segments.next(), segments.next()) != (Some("access"), Some("service_tokens")) {
            return Err(no_route());
        }
        let token_id = segments.next();
        let action = segments.next();
        if token_id == Some("") || segments.next().is_some() {
            return Err(no_route());
        }
        let operation = match (token_id, action, method.as_str()) {
            (None, _, "GET") => Operation::List,
            (None, _, "POST") => Operation::Create,
            (Some(_), None, "GET") => Operation::Get,
            (Some(_), None, "PUT") => Operation::Update,
            (Some(_), None, "DELETE") => Operation::Delete,
            (Some(_), Some("refresh"), "POST") if kind == ScopeKind::Account => Operation::Refresh,
            (Some(_), Some("rotate"), "POST") if kind == ScopeKind::Account => Operation::Rotate,
            (_, None, _) => return Err(ApiError::method_not_allowed()),
            (_, Some("refresh" | "rotate"), _) if kind == ScopeKind::Account => {
                return Err(ApiError::method_not_allowed());
            }
            _ => return Err(no_route()),
        };
        let token_id = percent_decode_str(token_id.unwrap_or_default()).decode_utf8_lossy().into_owned();
        Ok(Self { operation, scope: kind.with_id(scope_id), token_id })
    }
}

fn is_identifier(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}
