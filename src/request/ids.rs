//! Identifiers: of accounts and zones, and of tokens.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::contract::types::{Scope, ServiceToken};
use crate::failure::{Failure, Result};
use crate::request::arguments;

/// Everything but the unreserved characters of RFC 3986, so that no identifier can end its path segment.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
pub const SCOPE_LIMIT: usize = 32;
const TOKEN_LIMIT: usize = 36;
/// The longest id of an answer that is sent back in a path. Real ones have 36 characters.
const REPORTED_LIMIT: usize = 1024;

/// Returns text as it stands in a path segment or in the value of a query.
pub fn encoded(text: &str) -> Cow<'_, str> {
    // Most identifiers are as they should be.
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Cow::Borrowed(text);
    }
    utf8_percent_encode(text, RESERVED).into()
}

/// Returns the name of the argument that a scope is, and its id.
pub fn scope_argument(scope: &Scope) -> (&'static str, &str) {
    match scope {
        Scope::Account(id) => ("account", id),
        Scope::Zone(id) => ("zone", id),
    }
}

/// Checks the id of an account or a zone.
pub fn check_scope(scope: &Scope) -> Result<()> {
    let (argument, id) = scope_argument(scope);
    check(argument, id, SCOPE_LIMIT)
}

/// The token that a request is about.
#[derive(Clone, Copy)]
pub struct Target<'a>(&'a str);

impl<'a> Target<'a> {
    /// Checks the id that a caller gives. A client id is refused as what it is.
    pub fn asked(id: &'a str) -> Result<Self> {
        if is_client_id(id) {
            let rule = "that is a client id; give the token's `id`, which `lifecycle.find` finds by its client id";
            return Err(Failure::argument("id", id, rule));
        }
        check("id", id, TOKEN_LIMIT)?;
        Ok(Self(id))
    }

    /// Takes the id of a token of an answer, about which nothing is the caller's fault. None if no path can hold it: a
    /// step in a path such as `..`, or more than anybody's id.
    pub fn reported(token: &'a ServiceToken) -> Option<Self> {
        let can_be_sent = !matches!(token.id.as_str(), "" | "." | "..") && token.id.len() <= REPORTED_LIMIT;
        can_be_sent.then_some(Self(&token.id))
    }

    pub fn id(self) -> &'a str {
        self.0
    }
}

/// Returns whether two ids name the same token. UUIDs are the same in either case, and with or without their dashes.
pub fn is_same_token(first: &str, second: &str) -> bool {
    let meant = |id: &str| id.replace('-', "").to_ascii_lowercase();
    first == second || meant(first) == meant(second)
}

/// Checks an identifier that becomes one path segment.
fn check(argument: &str, id: &str, limit: usize) -> Result<()> {
    if id == "." || id == ".." {
        return Err(Failure::argument(argument, id, "that is a step in a path, not an identifier"));
    }
    arguments::text(argument, id, limit)
}

/// Returns whether an id has the form of a client id, such as `88bf3b6d86161464f6509f7219099e57.access`.
fn is_client_id(id: &str) -> bool {
    let Some((number, rest)) = id.split_at_checked(32) else { return false };
    let domain = rest.strip_prefix(".access");
    domain.is_some_and(|domain| domain.is_empty() || domain.starts_with('.'))
        && number.bytes().all(|digit| digit.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::response::Redactor;
    use crate::response::with_id;

    fn message<T>(result: Result<T>) -> String {
        result.map_or_else(|failure| Redactor::new([]).message(&failure), |_| "accepted".to_owned())
    }

    #[test]
    fn identifiers_are_one_path_segment_whatever_they_hold() {
        for (id, segment) in [
            ("f174e90a-fafe-4643-bbbc-4a0ed4fc8415", "f174e90a-fafe-4643-bbbc-4a0ed4fc8415"),
            ("../x", "..%2Fx"),
            ("a?b#c", "a%3Fb%23c"),
            ("%2e%2e", "%252e%252e"),
            ("a\r\nb", "a%0D%0Ab"),
            ("\u{e9}\0", "%C3%A9%00"),
            ("/", "%2F"),
            ("a\\b", "a%5Cb"),
            ("...", "..."),
            ("a_b~c", "a_b~c"),
        ] {
            assert_eq!(encoded(Target::asked(id).expect("accepted").id()), segment);
            assert_eq!(encoded(Target::reported(&with_id(id)).expect("usable").id()), segment);
        }
    }

    #[test]
    fn wrong_identifiers_are_refused_by_what_is_wrong_with_them() {
        assert_eq!(message(Target::asked("")), "id is empty: give at least one character");
        assert_eq!(message(Target::asked("..")), "id is \"..\": that is a step in a path, not an identifier");
        assert!(message(Target::asked(&"x".repeat(37))).ends_with("at most 36 characters, this has 37"));
        assert!(message(check_scope(&Scope::Account("x".repeat(33)))).starts_with("account is \"xxx"));
        assert!(message(check_scope(&Scope::Zone(".".into()))).starts_with("zone is \".\""));
    }

    #[test]
    fn a_client_id_is_called_one() {
        for id in ["88bf3b6d86161464f6509f7219099e57.access", "88bf3b6d86161464f6509f7219099e57.access.example.com"] {
            assert!(message(Target::asked(id)).contains("that is a client id"), "{id}");
        }
        assert_eq!(message(Target::asked("x.access")), "accepted");
    }

    #[test]
    fn an_account_id_that_looks_like_a_credential_is_not_shown() {
        let credential = "cfut_0123456789abcdefghijABCDEFGHIJ0123456789deadbeef";
        let refusal = message(check_scope(&Scope::Account(credential.into())));
        assert!(refusal.contains("could be a credential") && refusal.contains("at most 32"), "{refusal}");
        assert!(!refusal.contains("0123456789"), "{refusal}");
    }

    #[test]
    fn an_id_of_an_answer_is_not_judged_as_an_argument() {
        for id in ["x".repeat(37), "88bf3b6d86161464f6509f7219099e57.access".into(), "y".repeat(1024)] {
            assert_eq!(Target::reported(&with_id(&id)).expect("usable").id(), id);
        }
        for id in [String::new(), ".".into(), "..".into(), "z".repeat(1025)] {
            assert!(Target::reported(&with_id(&id)).is_none(), "{id}");
        }
    }

    #[test]
    fn ids_are_compared_as_uuids_are() {
        let id = "f174e90a-fafe-4643-bbbc-4a0ed4fc8415";
        for same in [id, "F174E90A-FAFE-4643-BBBC-4A0ED4FC8415", "f174e90afafe4643bbbc4a0ed4fc8415"] {
            assert!(is_same_token(id, same), "{same}");
        }
        assert!(!is_same_token(id, "a174e90a-fafe-4643-bbbc-4a0ed4fc8415"));
    }
}
