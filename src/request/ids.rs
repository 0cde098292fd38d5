//! Identifiers: of accounts and zones, and of tokens.
//!
//! A [`TokenId`] is an argument and is judged as one. A [`ReportedId`] comes from an answer: nothing about it is the
//! caller's fault, so it is only made fit for a path. Each becomes a [`Target`], which requests are about.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::contract::types::{Scope, ServiceToken};
use crate::request::{Invalid, Settings};

/// Everything but the unreserved characters of RFC 3986, so that no identifier can end its path segment.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const SCOPE_LIMIT: usize = 32;
const TOKEN_LIMIT: usize = 36;
/// The longest id of an answer that is sent back in a path. Real ones have 36 characters.
const REPORTED_LIMIT: usize = 1024;

/// Returns text as it stands in a path segment or in the value of a query.
pub fn encoded(text: &str) -> Cow<'_, str> {
    utf8_percent_encode(text, RESERVED).into()
}

/// The tokens of an account or a zone, and how they are reached.
pub struct Collection<'a> {
    pub settings: &'a Settings,
    /// Below the base URL.
    pub path: String,
    pub is_account: bool,
}

impl<'a> Collection<'a> {
    pub fn new(settings: &'a Settings, scope: &Scope) -> Result<Self, Invalid> {
        Ok(Self { settings, path: scope_path(scope)?, is_account: matches!(scope, Scope::Account(_)) })
    }
}

/// Checks a scope, and returns the path of its tokens below the base URL.
pub fn scope_path(scope: &Scope) -> Result<String, Invalid> {
    let (argument, before, id) = match scope {
        Scope::Account(id) => ("account", "/accounts/", id),
        Scope::Zone(id) => ("zone", "/zones/", id),
    };
    check(argument, id, SCOPE_LIMIT)?;
    Ok([before, &encoded(id), "/access/service_tokens"].concat())
}

/// The id of a token, given by the caller.
pub struct TokenId<'a>(&'a str);

impl<'a> TokenId<'a> {
    /// Checks an id. A client id is refused as what it is.
    pub fn new(id: &'a str) -> Result<Self, Invalid> {
        if is_client_id(id) {
            let rule = "that is a client id; give the token's `id`, which `lifecycle.find` finds by its client id";
            return Err(Invalid::argument("id", id, rule));
        }
        check("id", id, TOKEN_LIMIT)?;
        Ok(Self(id))
    }

    pub fn target(&self) -> Target<'a> {
        Target(self.0)
    }
}

/// The id of a token, from an answer.
pub struct ReportedId<'a>(&'a str);

impl<'a> ReportedId<'a> {
    /// Takes the id of a token. None if no path can hold it: a step in a path such as `..`, or more than anybody's id.
    pub fn of(token: &'a ServiceToken) -> Option<Self> {
        let can_be_sent = !matches!(token.id.as_str(), "" | "." | "..") && token.id.len() <= REPORTED_LIMIT;
        can_be_sent.then_some(Self(&token.id))
    }

    pub fn target(&self) -> Target<'a> {
        Target(self.0)
    }
}

/// The token that a request is about.
#[derive(Clone, Copy)]
pub struct Target<'a>(&'a str);

impl<'a> Target<'a> {
    pub fn id(self) -> &'a str {
        self.0
    }

    pub fn segment(self) -> Cow<'a, str> {
        encoded(self.0)
    }
}

/// Returns whether two ids name the same token. UUIDs are the same in either case, and with or without their dashes.
pub fn is_same_token(first: &str, second: &str) -> bool {
    let meant =
        |id: &str| id.bytes().filter(|byte| *byte != b'-').map(|byte| byte.to_ascii_lowercase()).collect::<Vec<_>>();
    first == second || meant(first) == meant(second)
}

/// Checks an identifier that becomes one path segment.
fn check(argument: &str, id: &str, limit: usize) -> Result<(), Invalid> {
    if id.is_empty() {
        return Err(Invalid::argument(argument, id, "an identifier is needed, as the dashboard shows it"));
    }
    if id == "." || id == ".." {
        return Err(Invalid::argument(argument, id, "that is a step in a path, not an identifier"));
    }
    match id.chars().count() {
        length if length > limit => {
            let rule = format_args!("an identifier has at most {limit} characters, this one has {length}");
            Err(Invalid::argument(argument, id, rule))
        }
        _ => Ok(()),
    }
}

/// Returns whether an id has the form of a client id, such as `88bf3b6d86161464f6509f7219099e57.access`.
fn is_client_id(id: &str) -> bool {
    let Some((number, rest)) = id.split_once(".access") else { return false };
    number.len() == 32
        && number.bytes().all(|digit| digit.is_ascii_hexdigit())
        && (rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::response::with_id;

    fn message<T>(result: Result<T, Invalid>) -> String {
        result.map_or_else(|invalid| invalid.message, |_| "accepted".to_owned())
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
            assert_eq!(TokenId::new(id).expect("accepted").target().segment(), segment);
            assert_eq!(ReportedId::of(&with_id(id)).expect("usable").target().segment(), segment);
        }
    }

    #[test]
    fn wrong_identifiers_are_refused_by_what_is_wrong_with_them() {
        assert_eq!(message(TokenId::new("")), "id is empty: an identifier is needed, as the dashboard shows it");
        assert_eq!(message(TokenId::new("..")), "id is \"..\": that is a step in a path, not an identifier");
        assert!(message(TokenId::new(&"x".repeat(37))).ends_with("at most 36 characters, this one has 37"));
        assert!(message(scope_path(&Scope::Account("x".repeat(33)))).starts_with("account is \"xxx"));
        assert!(message(scope_path(&Scope::Zone(".".into()))).starts_with("zone is \".\""));
    }

    #[test]
    fn a_client_id_is_called_one() {
        for id in ["88bf3b6d86161464f6509f7219099e57.access", "88bf3b6d86161464f6509f7219099e57.access.example.com"] {
            assert!(message(TokenId::new(id)).contains("that is a client id"), "{id}");
        }
        assert_eq!(message(TokenId::new("x.access")), "accepted");
    }

    #[test]
    fn an_account_id_that_looks_like_a_credential_is_not_shown() {
        let credential = "cfut_0123456789abcdefghijABCDEFGHIJ0123456789deadbeef";
        let refusal = message(scope_path(&Scope::Account(credential.into())));
        assert!(refusal.contains("could be a credential") && refusal.contains("at most 32"), "{refusal}");
        assert!(!refusal.contains("0123456789"), "{refusal}");
    }

    #[test]
    fn an_id_of_an_answer_is_not_judged_as_an_argument() {
        for id in ["x".repeat(37), "88bf3b6d86161464f6509f7219099e57.access".into(), "y".repeat(1024)] {
            assert_eq!(ReportedId::of(&with_id(&id)).expect("usable").target().id(), id);
        }
        for id in [String::new(), ".".into(), "..".into(), "z".repeat(1025)] {
            assert!(ReportedId::of(&with_id(&id)).is_none(), "{id}");
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
