//! The result of an answer becomes a token, field by field.
//!
//! Nothing that the API says is lost: a field that is not known, or whose value has an unexpected type, goes into
//! `additional-fields` as JSON text. Only what a caller cannot do without is required: the id, and the secret where the
//! operation makes one. What is built is counted against a budget, since a few bytes of JSON can ask for many of memory.

use std::cell::Cell;
use std::iter;

use crate::bindings::exports::cloudflare::access::types::{ServiceToken, UpdatedToken};
use crate::json::{Brackets, Cursor, Json};
use crate::text::joined;

/// How much memory the tokens of one call may take. An account has 50 tokens by default, at about 500 bytes each.
const BUDGET: usize = 16 * 1024 * 1024;
/// What the allocator keeps for each text.
const TEXT_OVERHEAD: usize = 16;

/// Why a result cannot be used, and which token it is about if that could be read.
#[derive(Debug, PartialEq, Eq)]
pub struct Unusable {
    pub reason: String,
    pub token_id: Option<String>,
}

/// Memory that a call may still use for tokens.
#[derive(Clone)]
pub struct Budget(Cell<usize>);

impl Default for Budget {
    fn default() -> Self {
        Self(Cell::new(BUDGET))
    }
}

impl Budget {
    /// How much of it is used.
    pub fn spent(&self) -> usize {
        BUDGET.saturating_sub(self.0.get())
    }

    /// Takes over what is left of another, which began as a clone of this one: what it was spent for is kept.
    pub fn becomes(&self, other: &Self) {
        self.0.set(other.0.get());
    }

    fn spend(&self, bytes: usize) -> Result<(), String> {
        let left =
            self.0.get().checked_sub(bytes).ok_or("the tokens take more than 16 MiB: ask for one page at a time")?;
        self.0.set(left);
        Ok(())
    }
}

/// The token of a result, and the secret in it, which `needs_secret` demands. `asked`: the id that the token was asked for by,
/// which stands in where the answer leaves it out.
pub fn read(
    result: Option<&mut Cursor<'_>>,
    asked: Option<&str>,
    needs_secret: bool,
) -> Result<UpdatedToken, Unusable> {
    let unusable =
        |reason: &str, id: Option<&str>| Unusable { reason: reason.to_owned(), token_id: id.map(str::to_owned) };
    let result = result.ok_or_else(|| unusable("it has no result", asked))?;
    let (token, client_secret) = one(result, asked, &Budget::default())?;
    if needs_secret && client_secret.is_none() {
        return Err(unusable("it has no client_secret", Some(&token.id)));
    }
    Ok(UpdatedToken { token, client_secret })
}

/// All tokens of a result that is a list, and the secrets in it: the API sends none there, but what it does send is not shown.
pub fn list(result: Option<&mut Cursor<'_>>, budget: &Budget) -> Result<(Vec<ServiceToken>, Vec<String>), Unusable> {
    let unusable = |reason: &str| Unusable { reason: reason.to_owned(), token_id: None };
    let cursor = result.ok_or_else(|| unusable("it has no result"))?;
    let not_a_list = |_| unusable("its result is not a list of tokens");
    cursor.open(Brackets::LIST).map_err(not_a_list)?;
    let (mut tokens, mut secrets) = (Vec::new(), Vec::new());
    while cursor.has_more(Brackets::LIST).map_err(not_a_list)? {
        let (token, secret) = one(cursor, None, budget)?;
        tokens.push(token);
        secrets.extend(secret);
    }
    Ok((tokens, secrets))
}

/// A token of which nothing but the id is known.
pub fn with_id(id: &str) -> ServiceToken {
    ServiceToken {
        id: id.to_owned(),
        client_id: None,
        name: None,
        duration: None,
        enabled: None,
        expires_at: None,
        created_at: None,
        updated_at: None,
        last_seen_at: None,
        client_secret_version: None,
        previous_client_secret_expires_at: None,
        additional_fields: Vec::new(),
    }
}

/// The texts under every key `client_secret` of a body, JSON or not, whole or cut short: what an error about it must not show.
pub fn client_secrets(body: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\"client_secret\"";
    const MOST: usize = 20;
    let mut rest = body;
    let values = iter::from_fn(|| {
        let at = rest.windows(KEY.len()).position(|part| part == KEY)?;
        rest = rest.get(at.saturating_add(KEY.len())..)?;
        Some(text_value(rest))
    });
    values.take(MOST).flatten().collect()
}

/// The text after the colon of a member, up to its last quote or to where the body ends.
fn text_value(member: &[u8]) -> Option<String> {
    // Several times what any secret has.
    const LONGEST: usize = 4096;
    let value = member.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
    let start = value.get(..LONGEST).unwrap_or(value);
    let mut is_escaped = false;
    let is_last_quote = |byte: &u8| {
        let is_last = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        is_last
    };
    let end = start.iter().position(is_last_quote).unwrap_or(start.len());
    let source = String::from_utf8_lossy(start.get(..end)?);
    Json::read(&joined(&["\"", &source, "\""])).ok()?.text()
}

/// The token at a place, which is passed.
fn one(
    cursor: &mut Cursor<'_>,
    asked: Option<&str>,
    budget: &Budget,
) -> Result<(ServiceToken, Option<String>), Unusable> {
    let start = *cursor;
    let reason = match fields(cursor, budget) {
        Ok(Reading { mut token, secret, .. }) => {
            if token.id.is_empty() {
                token.id.push_str(asked.unwrap_or_default());
            }
            if !token.id.is_empty() {
                return Ok((token, secret));
            }
            "it has no id".to_owned()
        }
        Err(reason) => reason,
    };
    Err(Unusable { reason, token_id: id_alone(start).or_else(|| asked.map(str::to_owned)) })
}

/// The id of a result of which nothing else can be used.
fn id_alone(mut cursor: Cursor<'_>) -> Option<String> {
    let [id] = cursor.value().ok()?.fields(["id"]).ok()?;
    id?.text().filter(|id| !id.is_empty() && id.len() <= 64)
}

/// All fields of the token at a place.
fn fields(cursor: &mut Cursor<'_>, budget: &Budget) -> Result<Reading, String> {
    let not_a_token = |_| "its result is not a token";
    cursor.open(Brackets::OBJECT).map_err(not_a_token)?;
    budget.spend(size_of::<ServiceToken>())?;
    let mut reading = Reading { token: with_id(""), secret: None, seen: 0 };
    while cursor.has_more(Brackets::OBJECT).map_err(not_a_token)? {
        let key = cursor.key().map_err(not_a_token)?;
        reading.take(&key, cursor.value().map_err(not_a_token)?, budget)?;
    }
    Ok(reading)
}

/// A token of which some fields have been read.
struct Reading {
    token: ServiceToken,
    secret: Option<String>,
    /// A bit for each known field that has come.
    seen: u32,
}

impl Reading {
    fn take(&mut self, key: &str, value: Json<'_>, budget: &Budget) -> Result<(), String> {
        budget.spend(value.source().len().saturating_add(TEXT_OVERHEAD))?;
        let token = &mut self.token;
        let (bit, understood) = match key {
            "id" => (0, put_required(&mut token.id, value, key)?),
            "client_secret" => {
                let mut secret = String::new();
                put_required(&mut secret, value, key)?;
                self.secret = Some(secret).filter(|secret| !secret.is_empty());
                (1, true)
            }
            "enabled" => (2, put(&mut token.enabled, value.boolean())),
            "client_secret_version" => (3, put(&mut token.client_secret_version, value.whole_number())),
            _ => {
                let (bit, field) = match key {
                    "client_id" => (4, &mut token.client_id),
                    "name" => (5, &mut token.name),
                    "duration" => (6, &mut token.duration),
                    "expires_at" => (7, &mut token.expires_at),
                    "created_at" => (8, &mut token.created_at),
                    "updated_at" => (9, &mut token.updated_at),
                    "last_seen_at" => (10, &mut token.last_seen_at),
                    "previous_client_secret_expires_at" => (11, &mut token.previous_client_secret_expires_at),
                    _ => return self.keep(key, value, budget),
                };
                (bit, put(field, value.text()))
            }
        };
        let bit = 1_u32.checked_shl(bit).unwrap_or(0);
        if self.seen & bit != 0 {
            return Err(joined(&["it has two values for ", key]));
        }
        self.seen |= bit;
        if understood || value.is_null() { Ok(()) } else { self.keep(key, value, budget) }
    }

    /// Into the additional fields.
    fn keep(&mut self, key: &str, value: Json<'_>, budget: &Budget) -> Result<(), String> {
        let field = size_of::<(String, String)>().saturating_add(TEXT_OVERHEAD).saturating_add(key.len());
        budget.spend(field)?;
        self.token.additional_fields.push((key.to_owned(), value.source().to_owned()));
        Ok(())
    }
}

/// Whether the value had the type of the field.
fn put<T>(field: &mut Option<T>, value: Option<T>) -> bool {
    *field = value;
    field.is_some()
}

/// A field that must be text where it is there at all.
fn put_required(field: &mut String, value: Json<'_>, key: &str) -> Result<bool, String> {
    match value.text() {
        Some(text) => *field = text,
        None if value.is_null() => {}
        None => return Err(joined(&["the value of ", key, " is not text"])),
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Cursor<'_> {
        Json::read(text).expect("JSON").cursor()
    }

    const FULL: &str = r#"{"id":"i","client_id":"c","client_secret":"s","name":"n\u00e9","duration":"forever","enabled":false,
        "expires_at":"e","created_at":"r","updated_at":"u","last_seen_at":"l","client_secret_version":2,
        "previous_client_secret_expires_at":"p","tags":["a", {"b": null}]}"#;

    #[test]
    fn every_field_arrives_and_unknown_ones_are_kept_as_json() {
        let UpdatedToken { token, client_secret } = read(Some(&mut json(FULL)), None, true).expect("a token");
        assert_eq!(client_secret.as_deref(), Some("s"));
        assert_eq!(
            (token.id.as_str(), token.client_id.as_deref(), token.name.as_deref()),
            ("i", Some("c"), Some("n\u{e9}"))
        );
        assert_eq!((token.duration.as_deref(), token.enabled), (Some("forever"), Some(false)));
        assert_eq!((token.expires_at.as_deref(), token.created_at.as_deref()), (Some("e"), Some("r")));
        assert_eq!((token.updated_at.as_deref(), token.last_seen_at.as_deref()), (Some("u"), Some("l")));
        assert_eq!(token.client_secret_version, Some(2));
        assert_eq!(token.previous_client_secret_expires_at.as_deref(), Some("p"));
        assert_eq!(token.additional_fields, [("tags".to_owned(), r#"["a", {"b": null}]"#.to_owned())]);
    }

    #[test]
    fn absent_fields_are_none_and_null_is_absent() {
        let null = r#"{"id":"i","client_id":null,"enabled":null,"client_secret_version":null,"client_secret":null}"#;
        for text in [r#"{"id":"i"}"#, null] {
            let UpdatedToken { token, client_secret } = read(Some(&mut json(text)), None, false).expect("a token");
            assert_eq!(
                (token.client_id, token.enabled, token.client_secret_version, client_secret),
                (None, None, None, None)
            );
            assert!(token.additional_fields.is_empty());
        }
    }

    #[test]
    fn a_value_of_another_type_is_kept_beside_the_others_and_costs_no_secret() {
        for field in [
            "client_id",
            "name",
            "duration",
            "enabled",
            "expires_at",
            "created_at",
            "updated_at",
            "last_seen_at",
            "client_secret_version",
            "previous_client_secret_expires_at",
        ] {
            let text = format!(r#"{{"id":"i","client_secret":"s","{field}":[1]}}"#);
            let issued = read(Some(&mut json(&text)), None, true).expect("a token");
            assert_eq!(issued.client_secret.as_deref(), Some("s"));
            assert_eq!(issued.token.additional_fields, [(field.to_owned(), "[1]".to_owned())]);
        }
    }

    #[test]
    fn what_cannot_be_used_says_why_and_which_token() {
        for (text, reason, id) in [
            (r#"{"id":"i","name":"n"}"#, "it has no client_secret", Some("i")),
            (r#"{"id":"i","client_secret":""}"#, "it has no client_secret", Some("i")),
            (r#"{"id":"i","client_secret":7}"#, "the value of client_secret is not text", Some("i")),
            (r#"{"id":7,"client_secret":"s"}"#, "the value of id is not text", None),
            (r#"{"client_secret":"s"}"#, "it has no id", None),
            (r#"{"id":"","client_secret":"s"}"#, "it has no id", None),
            (r#"{"id":"i","client_secret":"s","client_secret":"t"}"#, "it has two values for client_secret", Some("i")),
            (r#"{"id":"i","name":"a","name":"b","client_secret":"s"}"#, "it has two values for name", Some("i")),
            ("[]", "its result is not a token", None),
            ("\"text\"", "its result is not a token", None),
        ] {
            let unusable = read(Some(&mut json(text)), None, true).expect_err("accepted");
            assert_eq!((unusable.reason.as_str(), unusable.token_id.as_deref()), (reason, id), "{text}");
        }
        let unusable = read(None, Some("asked"), true).expect_err("accepted");
        assert_eq!((unusable.reason.as_str(), unusable.token_id.as_deref()), ("it has no result", Some("asked")));
    }

    #[test]
    fn the_id_that_was_asked_for_stands_in_for_a_missing_one() {
        assert_eq!(read(Some(&mut json(r#"{"name":"n"}"#)), Some("asked"), false).expect("a token").token.id, "asked");
    }

    #[test]
    fn no_secret_gets_into_a_token() {
        let UpdatedToken { token, .. } = read(Some(&mut json(FULL)), None, false).expect("a token");
        assert!(token.additional_fields.iter().all(|(key, _)| key != "client_secret"));
    }

    #[test]
    fn every_client_secret_in_a_body_is_found_whatever_is_around_it() {
        for (body, secrets) in [
            (FULL.as_bytes(), &["s"][..]),
            (br#"{"success":false,"client_secret" : "a\"b\u0041\\"}"#, &["a\"bA\\"]),
            (
                br#"{"client_secret":"one","client_secret":"two","result":[{"client_secret":"three"}]}"#,
                &["one", "two", "three"],
            ),
            (br#"{"result":{"client_secret":"cut shor"#, &["cut shor"]),
            (b"\xff\"client_secret\":\"s\xff\"", &["s\u{fffd}"]),
            (br#"{"client_secret":7,"client_secret":null,"client_secret":[],"client_secret""#, &[]),
            (b"", &[]),
        ] {
            assert_eq!(client_secrets(body), secrets, "{}", String::from_utf8_lossy(body));
        }
        let many = r#""client_secret":"s","#.repeat(100_000);
        assert_eq!(client_secrets(many.as_bytes()).len(), 20);
    }

    #[test]
    fn a_list_is_read_token_by_token_or_refused_with_the_reason() {
        let mut result = json(r#"[{"id":"a"},{"id":"b","x":1,"client_secret":"s"}]"#);
        let (tokens, secrets) = list(Some(&mut result), &Budget::default()).expect("a list");
        assert_eq!(tokens.iter().map(|token| token.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(secrets, ["s"]);
        for (text, reason) in [
            (r#"[{"id":"a"},{"name":"b"}]"#, "it has no id"),
            (r#"[{"id":"a"},7]"#, "its result is not a token"),
            (r#"{"id":"a"}"#, "its result is not a list of tokens"),
        ] {
            assert_eq!(list(Some(&mut json(text)), &Budget::default()).expect_err("accepted").reason, reason, "{text}");
        }
    }

    #[test]
    fn small_json_that_asks_for_much_memory_is_refused() {
        let tokens = format!("[{}]", vec![r#"{"id":"a"}"#; 500_000].join(","));
        let fields = format!(r#"{{"id":"a",{}}}"#, vec![r#""b":1"#; 1_000_000].join(","));
        for (result, unusable) in [
            ("tokens", list(Some(&mut json(&tokens)), &Budget::default()).err()),
            ("fields", read(Some(&mut json(&fields)), None, false).err()),
        ] {
            assert!(unusable.expect("accepted").reason.contains("16 MiB"), "{result}");
        }
    }

    #[test]
    fn deep_nesting_in_a_field_is_kept_as_text() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let text = format!(r#"{{"id":"a","deep":{deep}}}"#);
        let UpdatedToken { token, .. } = read(Some(&mut json(&text)), None, false).expect("a token");
        assert_eq!(token.additional_fields, [("deep".to_owned(), deep)]);
    }
}
