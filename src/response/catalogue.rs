//! Which kind of error the API means by a status and its codes, with a hint where the words of the API need one.
//!
//! Codes come before the status, since the API sends the same code with different statuses; but a server that failed
//! (5xx) is not believed to have refused for a reason. Sources: the API's documented errors, recorded answers, and bug
//! reports about its clients.

use http::StatusCode;

use crate::contract::types::{ApiError, ErrorKind};

/// A kind, and what to do about it; empty where that is plain from the message.
pub type Meaning = (ErrorKind, &'static str);

const CLIENT_ID: &str = "check the id: it is the token's `id`, not its name and not its client id";

/// Returns what errors of the API mean.
pub fn meaning(status: u16, errors: &[ApiError]) -> Meaning {
    errors.iter().find_map(|error| by_code(status, error)).unwrap_or_else(|| (by_status(status), ""))
}

fn by_code(status: u16, error: &ApiError) -> Option<Meaning> {
    // The interface of DNS over HTTPS has no code for it.
    if error.message.contains("service_token_not_found") {
        return Some((ErrorKind::NotFound, CLIENT_ID));
    }
    Some(match error.code? {
        971 | 10100 => (ErrorKind::RateLimited, ""),
        _ if status >= 500 => return None,
        6003 => (
            ErrorKind::Unauthenticated,
            "check the credential: quotation marks around it, a prefix such as `Bearer`, stray characters, or a \
             placeholder that was never replaced",
        ),
        7000 | 7003 => (ErrorKind::NotFound, "check the account or zone id and the base URL"),
        9103 | 9106 | 9109 => (ErrorKind::Unauthenticated, "check the credential, and that it is for this account"),
        9999 => (ErrorKind::Forbidden, "Access is not enabled for this account: set up Zero Trust first"),
        10000 if status == 405 => (
            ErrorKind::Unauthenticated,
            "this endpoint takes no API token: use the account instead of the zone, or the global API key",
        ),
        10000 => (
            ErrorKind::Unauthenticated,
            "the credential is wrong; or it is for another account; or its IP filter excludes this address; or it \
             lacks the permission \"Access: Service Tokens Read\" (to list and get) or \"Access: Service Tokens \
             Write\" (for everything), which an OAuth token has only where the scope was asked for at log-in",
        ),
        10001 if error.message.to_ascii_lowercase().contains("internal error") => (ErrorKind::Unavailable, ""),
        10001 => (ErrorKind::Forbidden, "this kind of credential may not do this"),
        12130 => {
            (ErrorKind::Rejected, "check the id and the values, and the number of tokens: 50 an account by default")
        }
        12135 => (ErrorKind::NotFound, CLIENT_ID),
        12139 => (
            ErrorKind::InUse,
            "take the token out of every policy, group and SCIM configuration first; if only its secret was lost, it \
             need not be deleted: look at it, then give it a new secret with `rotate`",
        ),
        _ => return None,
    })
}

fn by_status(status: u16) -> ErrorKind {
    match status {
        401 => ErrorKind::Unauthenticated,
        403 => ErrorKind::Forbidden,
        404 => ErrorKind::NotFound,
        408 | 500.. => ErrorKind::Unavailable,
        409 => ErrorKind::Conflict,
        429 => ErrorKind::RateLimited,
        300..=399 => ErrorKind::InvalidResponse,
        _ => ErrorKind::Rejected,
    }
}

/// Returns the words for a status that people search for. The edge of Cloudflare has its own, from 520.
pub fn reason(status: u16) -> &'static str {
    match status {
        520 => "Cloudflare: unknown error",
        521 => "Cloudflare: web server is down",
        522 => "Cloudflare: connection timed out",
        523 => "Cloudflare: origin is unreachable",
        524 => "Cloudflare: a timeout occurred",
        525 => "Cloudflare: TLS handshake failed",
        526 => "Cloudflare: invalid TLS certificate",
        530 => "Cloudflare: origin error",
        _ => StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("status"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: u32, message: &str) -> ApiError {
        ApiError {
            code: Some(code),
            message: message.into(),
            documentation_url: None,
            pointer: None,
            chain: Vec::new(),
        }
    }

    #[test]
    fn codes_of_the_catalogue_have_their_kinds_at_every_status() {
        use ErrorKind::{Forbidden, InUse, NotFound, RateLimited, Rejected, Unauthenticated, Unavailable};
        for (code, message, kind, hint) in [
            (12135, "access.api.error.not_found", NotFound, "not its client id"),
            (12139, "access.api.error.service_token_in_use", InUse, "new secret with `rotate`"),
            (12130, "access.api.error.invalid_request: x", Rejected, "50"),
            (10000, "Authentication error", Unauthenticated, "Access: Service Tokens Write"),
            (10000, "Authentication error", Unauthenticated, "OAuth"),
            (10000, "Authentication error", Unauthenticated, "IP filter"),
            (10000, "Authentication error", Unauthenticated, "another account"),
            (10001, "Method not allowed for token", Forbidden, "credential"),
            (10001, "Internal Error", Unavailable, ""),
            (9999, "access.api.error.not_enabled", Forbidden, "Zero Trust"),
            (9103, "Unknown X-Auth-Key or X-Auth-Email", Unauthenticated, "credential"),
            (9106, "Missing X-Auth-Key", Unauthenticated, "credential"),
            (9109, "Invalid access token", Unauthenticated, "credential"),
            (6003, "Invalid request headers", Unauthenticated, "quotation marks"),
            (6003, "Invalid request headers", Unauthenticated, "`Bearer`"),
            (6003, "Invalid request headers", Unauthenticated, "placeholder"),
            (7003, "Could not route", NotFound, "account or zone id"),
            (7000, "No route", NotFound, "account or zone id"),
            (971, "More than 1200 requests", RateLimited, ""),
            (10100, "More than 1200 requests", RateLimited, ""),
        ] {
            let failed = meaning(500, &[error(code, message)]).0;
            assert_eq!(failed, if matches!(code, 971 | 10100) { RateLimited } else { Unavailable }, "{code}");
            for status in [200, 400, 403, 404] {
                let (found, found_hint) = meaning(status, &[error(1000, "other"), error(code, message)]);
                assert_eq!(found, kind, "{code} at {status}");
                assert!(found_hint.contains(hint), "{code}");
            }
        }
        assert!(meaning(405, &[error(10000, "")]).1.contains("instead of the zone"));
        assert_eq!(
            meaning(400, &[ApiError { code: None, ..error(0, "access.api.error.service_token_not_found") }]).0,
            NotFound
        );
    }

    #[test]
    fn the_status_decides_where_no_code_is_known() {
        use ErrorKind::{
            Conflict, Forbidden, InvalidResponse, NotFound, RateLimited, Rejected, Unauthenticated, Unavailable,
        };
        for (status, kind) in [
            (200, Rejected),
            (302, InvalidResponse),
            (400, Rejected),
            (401, Unauthenticated),
            (403, Forbidden),
            (404, NotFound),
            (405, Rejected),
            (408, Unavailable),
            (409, Conflict),
            (422, Rejected),
            (429, RateLimited),
            (500, Unavailable),
            (520, Unavailable),
            (999, Unavailable),
        ] {
            assert_eq!(meaning(status, &[]).0, kind, "{status}");
            assert_eq!(meaning(status, &[error(1, "")]).0, kind, "{status}");
        }
    }

    #[test]
    fn no_hint_advises_to_rotate_without_looking() {
        for code in (0..13_000).filter(|code| meaning(400, &[error(*code, "")]).1.contains("rotate")) {
            let hint = meaning(400, &[error(code, "")]).1;
            assert!(hint.contains("look at it, then"), "{hint}");
        }
    }

    #[test]
    fn a_status_has_the_words_that_people_search_for() {
        for (status, words) in [(404, "Not Found"), (302, "Found"), (520, "Cloudflare: unknown error"), (999, "status")]
        {
            assert_eq!(reason(status), words);
        }
    }
}
