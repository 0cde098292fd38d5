//! The result of an answer becomes tokens, in one pass over its bytes.
//!
//! Nothing that the API says is lost: a field that is not known, or whose value has an unexpected type, goes into
//! `additional-fields` as JSON text. Only what a caller cannot do without is required: the id, and the secret where the
//! request makes one. What is built is counted against a limit, since a few bytes of JSON can ask for many of memory.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::contract::types::{IssuedToken, JsonField, ServiceToken, UpdatedToken};
use crate::request::ids::is_same_token;
use crate::response::Json;

/// How much memory the tokens of one list may take. An account has 50 tokens by default, at about 500 bytes each.
pub const TOKENS_LIMIT: usize = 16 * 1024 * 1024;
/// What the allocator keeps for each text.
const TEXT_OVERHEAD: usize = 16;
/// A shorter text in place of a result is no secret.
const SHORTEST_SECRET: usize = 8;

const NOT_A_TOKEN: &str = "its result is not a token";
const NO_RESULT: &str = "it has no result";
const NO_ID: &str = "it has no id";
const OVER_LIMIT: &str = "the tokens take more than 16 MiB: ask for one page at a time";

/// What the `result` of an envelope shows.
pub struct ResultReading {
    kind: Kind,
    /// The token, or those of a list up to the first one that cannot be used. An id is empty where there is none.
    tokens: Vec<ServiceToken>,
    pub client_secrets: Vec<String>,
    /// The memory that the tokens take, and may take.
    size: usize,
    limit: usize,
    problem: Option<&'static str>,
    pub page_numbers: PageNumbers,
}

/// Where a page of a list stands, as far as the answer says: `page`, `per_page`, `count`, `total_count` and
/// `total_pages`.
pub type PageNumbers = [Option<u32>; 5];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Null, or missing.
    Nothing,
    Token,
    List,
    /// A text, a number, or a truth value.
    Other,
}

/// Why a result cannot be used, and the id in it.
pub struct Unusable {
    pub reason: &'static str,
    pub token_id: Option<String>,
}

impl ResultReading {
    /// Begins to read a result whose tokens may take this many bytes. So far there is none.
    pub fn new(limit: usize) -> Self {
        let (tokens, client_secrets, page_numbers) = (Vec::new(), Vec::new(), PageNumbers::default());
        Self { kind: Kind::Nothing, tokens, client_secrets, size: 0, limit, problem: None, page_numbers }
    }

    pub fn is_nothing(&self) -> bool {
        self.kind == Kind::Nothing
    }

    /// Returns the token, and the secret where there is one. `asked`: the id that the token was asked for by, which
    /// stands in where the answer leaves it out. An answer about another token is of no use.
    pub fn token(mut self, asked: Option<&str>) -> Result<UpdatedToken, Unusable> {
        let reason = if self.is_nothing() { NO_RESULT } else { NOT_A_TOKEN };
        let token = self.tokens.pop().filter(|_| self.kind == Kind::Token);
        let mut token = token.ok_or(Unusable { reason, token_id: None })?;
        let problem = match asked {
            _ if self.problem.is_some() => self.problem,
            Some(asked) if token.id.is_empty() => {
                token.id.push_str(asked);
                None
            }
            Some(asked) if !is_same_token(asked, &token.id) => Some("it is about another token"),
            None if token.id.is_empty() => Some(NO_ID),
            _ => None,
        };
        match problem {
            None => Ok(UpdatedToken { token, client_secret: self.client_secrets.pop() }),
            Some(reason) => Err(Unusable { reason, token_id: Some(token.id).filter(|id| !id.is_empty()) }),
        }
    }

    /// Returns the token and its new secret.
    pub fn issued(self, asked: Option<&str>) -> Result<IssuedToken, Unusable> {
        let UpdatedToken { token, client_secret } = self.token(asked)?;
        match client_secret {
            Some(client_secret) => Ok(IssuedToken { token, client_secret }),
            None => Err(Unusable { reason: "it has no client_secret", token_id: Some(token.id) }),
        }
    }

    /// Returns the tokens of a list, the memory that they take, and where the list stands among its pages.
    pub fn tokens(self) -> Result<(Vec<ServiceToken>, usize, PageNumbers), Unusable> {
        let reason = match (self.kind, self.problem) {
            (Kind::List, None) => return Ok((self.tokens, self.size, self.page_numbers)),
            (Kind::List, Some(problem)) => problem,
            (Kind::Nothing, _) => NO_RESULT,
            (Kind::Token | Kind::Other, _) => "its result is not a list of tokens",
        };
        Err(Unusable { reason, token_id: None })
    }

    /// Notes that a value of this kind is there: the result, or an element of it where that is a list.
    fn meet(&mut self, kind: Kind) {
        if self.kind != Kind::List {
            self.kind = kind;
        } else if kind != Kind::Token {
            self.fail(NOT_A_TOKEN);
        }
    }

    /// Takes a field of a token. A second value for the id or the secret leaves open which one counts, and makes the
    /// token unusable. `secrets_before`: the number of secrets of the tokens before this one.
    fn take(&mut self, token: &mut ServiceToken, secrets_before: usize, key: Json<'_>, value: Json<'_>) {
        self.spend(value.source().len().saturating_add(TEXT_OVERHEAD));
        if self.problem == Some(OVER_LIMIT) {
            return;
        }
        let text = || value.text().map(String::from);
        let name = key.key();
        let is_understood = match &*name {
            // What cannot be used of these two is kept by no field.
            "id" | "client_secret" if value.is_null() => true,
            "id" => {
                match text() {
                    None => self.fail("the value of id is not text"),
                    Some(_) if !token.id.is_empty() => self.fail("it has two values for id"),
                    Some(id) => token.id = id,
                }
                true
            }
            "client_secret" => {
                let secret = text();
                match &secret {
                    None => self.fail("the value of client_secret is not text"),
                    Some(secret) if secret.is_empty() => {}
                    Some(_) if self.client_secrets.len() == secrets_before => {}
                    Some(_) => self.fail("it has two values for client_secret"),
                }
                self.client_secrets.extend(secret.filter(|secret| !secret.is_empty()));
                true
            }
            "client_id" => put(&mut token.client_id, text()),
            "name" => put(&mut token.name, text()),
            "duration" => put(&mut token.duration, text()),
            "enabled" => put(&mut token.enabled, value.boolean()),
            "expires_at" => put(&mut token.expires_at, text()),
            "created_at" => put(&mut token.created_at, text()),
            "updated_at" => put(&mut token.updated_at, text()),
            "last_seen_at" => put(&mut token.last_seen_at, text()),
            "client_secret_version" => put(&mut token.client_secret_version, value.whole_number()),
            "previous_client_secret_expires_at" => put(&mut token.previous_client_secret_expires_at, text()),
            _ => return self.keep(token, &name, value),
        };
        if !is_understood && !value.is_null() {
            self.keep(token, &name, value);
        }
    }

    /// Puts a field among the additional ones.
    fn keep(&mut self, token: &mut ServiceToken, name: &str, value: Json<'_>) {
        self.spend(size_of::<JsonField>().saturating_add(TEXT_OVERHEAD).saturating_add(name.len()));
        if self.problem != Some(OVER_LIMIT) {
            token.additional_fields.push(JsonField { name: name.to_owned(), json: value.source().to_owned() });
        }
    }

    fn spend(&mut self, bytes: usize) {
        self.size = self.size.saturating_add(bytes);
        if self.size > self.limit {
            self.problem = Some(OVER_LIMIT);
        }
    }

    fn fail(&mut self, problem: &'static str) {
        self.problem.get_or_insert(problem);
    }
}

/// Sets a field that is still empty, if there is a value for it. Returns whether the field was set.
fn put<T>(field: &mut Option<T>, value: Option<T>) -> bool {
    let is_taken = field.is_none() && value.is_some();
    if is_taken {
        *field = value;
    }
    is_taken
}

/// Returns a token of which nothing but the id is known.
pub fn with_id(id: &str) -> ServiceToken {
    ServiceToken { id: id.to_owned(), ..ServiceToken::default() }
}

/// Reads a result, or an element of one that is a list. It fails only where the syntax of JSON is broken.
impl<'de> DeserializeSeed<'de> for &mut ResultReading {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Visits values that hold nothing to read.
macro_rules! visit_plain {
    ($($visit:ident($($type:ty)?) => $kind:ident)*) => {
        $(fn $visit<E>(self, $(_: $type)?) -> Result<(), E> {
            self.meet(Kind::$kind);
            Ok(())
        })*
    };
}

impl<'de> Visitor<'de> for &mut ResultReading {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.meet(Kind::Token);
        self.spend(size_of::<ServiceToken>());
        let (mut token, secrets_before) = (ServiceToken::default(), self.client_secrets.len());
        while let Some((key, value)) = map.next_entry()? {
            self.take(&mut token, secrets_before, key, value);
        }
        if self.kind == Kind::List && token.id.is_empty() {
            self.fail(NO_ID);
        }
        self.tokens.push(token);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        self.meet(Kind::List);
        while self.problem.is_none() && list.next_element_seed(&mut *self)?.is_some() {}
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.meet(Kind::Other);
        if text.len() >= SHORTEST_SECRET {
            self.client_secrets.push(text.to_owned());
        }
        Ok(())
    }

    visit_plain! {
        visit_unit() => Nothing
        visit_bool(bool) => Other
        visit_i64(i64) => Other
        visit_u64(u64) => Other
        visit_f64(f64) => Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_within(text: &str, limit: usize) -> ResultReading {
        let mut reading = ResultReading::new(limit);
        let mut deserializer = serde_json::Deserializer::from_str(text);
        reading.deserialize(&mut deserializer).unwrap_or_else(|error| panic!("{error}"));
        reading
    }

    fn read(text: &str) -> ResultReading {
        read_within(text, TOKENS_LIMIT)
    }

    fn unusable<T>(result: Result<T, Unusable>) -> (String, Option<String>) {
        let unusable = result.err().expect("accepted");
        (unusable.reason.to_owned(), unusable.token_id)
    }

    fn fields(token: ServiceToken) -> Vec<(String, String)> {
        token.additional_fields.into_iter().map(|field| (field.name, field.json)).collect()
    }

    fn pair(name: &str, json: &str) -> (String, String) {
        (name.to_owned(), json.to_owned())
    }

    const FULL: &str = r#"{"id":"i","client_id":"c","client_secret":"s","name":"n\u00e9","duration":"forever",
        "enabled":false,
        "expires_at":"e","created_at":"r","updated_at":"u","last_seen_at":"l","client_secret_version":2,
        "previous_client_secret_expires_at":"p","tags":["a", {"b": null}]}"#;

    #[test]
    fn every_field_arrives_and_unknown_ones_are_kept_as_json() {
        let IssuedToken { token, client_secret } = read(FULL).issued(Some("i")).ok().expect("a token");
        assert_eq!(client_secret, "s");
        assert_eq!(
            (token.id.as_str(), token.client_id.as_deref(), token.name.as_deref()),
            ("i", Some("c"), Some("n\u{e9}"))
        );
        assert_eq!((token.duration.as_deref(), token.enabled), (Some("forever"), Some(false)));
        assert_eq!((token.expires_at.as_deref(), token.created_at.as_deref()), (Some("e"), Some("r")));
        assert_eq!((token.updated_at.as_deref(), token.last_seen_at.as_deref()), (Some("u"), Some("l")));
        assert_eq!(token.client_secret_version, Some(2));
        assert_eq!(token.previous_client_secret_expires_at.as_deref(), Some("p"));
        assert_eq!(fields(token), [pair("tags", r#"["a", {"b": null}]"#)]);
    }

    #[test]
    fn absent_fields_are_none_and_null_is_absent() {
        let null = r#"{"id":"i","client_id":null,"enabled":null,"client_secret_version":null,"client_secret":null}"#;
        for text in [r#"{"id":"i"}"#, null] {
            let UpdatedToken { token, client_secret } = read(text).token(None).ok().expect("a token");
            assert_eq!((token.client_id, token.enabled, token.client_secret_version), (None, None, None));
            assert!(client_secret.is_none() && token.additional_fields.is_empty());
        }
    }

    #[test]
    fn a_value_of_another_type_and_a_second_value_are_kept_and_cost_no_secret() {
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
            let issued = read(&text).issued(None).ok().expect("a token");
            assert_eq!(issued.client_secret, "s");
            assert_eq!(fields(issued.token), [pair(field, "[1]")]);
        }
        let twice = r#"{"id":"i","name":"a","name":"b","client_secret":"s"}"#;
        let issued = read(twice).issued(None).ok().expect("a token");
        assert_eq!((issued.client_secret.as_str(), issued.token.name.as_deref()), ("s", Some("a")));
        assert_eq!(fields(issued.token), [pair("name", "\"b\"")]);
    }

    #[test]
    fn a_key_that_is_no_text_costs_no_secret() {
        let text = r#"{"id":"i","client_secret":"s","\ud800":"\udfff", "a\u00e9": "\u00E9"}"#;
        let issued = read(text).issued(None).ok().expect("a token");
        assert_eq!(issued.client_secret, "s");
        let kept = [pair("\\ud800", r#""\udfff""#), pair("a\u{e9}", r#""\u00E9""#)];
        assert_eq!(fields(issued.token), kept);
    }

    #[test]
    fn what_cannot_be_used_says_why_and_which_token() {
        for (text, reason, id) in [
            (r#"{"id":"i","name":"n"}"#, "it has no client_secret", Some("i")),
            (r#"{"id":"i","client_secret":""}"#, "it has no client_secret", Some("i")),
            (r#"{"id":"i","client_secret":7}"#, "the value of client_secret is not text", Some("i")),
            (r#"{"client_secret":7,"id":"i"}"#, "the value of client_secret is not text", Some("i")),
            (r#"{"id":7,"client_secret":"s"}"#, "the value of id is not text", None),
            (r#"{"client_secret":"s"}"#, "it has no id", None),
            (r#"{"id":"","client_secret":"s"}"#, "it has no id", None),
            (r#"{"id":"i","client_secret":"s","client_secret":"t"}"#, "it has two values for client_secret", Some("i")),
            (r#"{"id":"i","id":"j","client_secret":"s"}"#, "it has two values for id", Some("i")),
            ("[]", "its result is not a token", None),
            ("\"text\"", "its result is not a token", None),
            ("7.5", "its result is not a token", None),
            ("true", "its result is not a token", None),
            ("null", "it has no result", None),
        ] {
            assert_eq!(unusable(read(text).issued(None)), (reason.to_owned(), id.map(str::to_owned)), "{text}");
        }
    }

    #[test]
    fn the_id_that_was_asked_for_stands_in_for_a_missing_one_and_not_for_another() {
        assert_eq!(read(r#"{"name":"n"}"#).token(Some("asked")).ok().expect("a token").token.id, "asked");
        let (reason, id) = unusable(read(r#"{"id":"other"}"#).token(Some("asked")));
        assert_eq!((reason.as_str(), id.as_deref()), ("it is about another token", Some("other")));
        assert!(read(r#"{"id":"ASK-ED"}"#).token(Some("asked")).is_ok());
    }

    #[test]
    fn no_secret_gets_into_a_token() {
        for text in [FULL, r#"{"id":"i","client\u005fsecret":"s"}"#] {
            let UpdatedToken { token, client_secret } = read(text).token(None).ok().expect("a token");
            assert_eq!(client_secret.as_deref(), Some("s"));
            assert!(token.additional_fields.iter().all(|field| field.json != "\"s\""));
        }
    }

    #[test]
    fn a_list_is_read_token_by_token_or_refused_with_the_reason() {
        let (tokens, ..) = read(r#"[{"id":"a"},{"id":"b","x":1}]"#).tokens().ok().expect("a list");
        assert_eq!(tokens.iter().map(|token| token.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        for (text, reason) in [
            (r#"[{"id":"a"},{"name":"b"}]"#, "it has no id"),
            (r#"[{"id":"a"},7]"#, "its result is not a token"),
            (r#"[[],{"id":"a"}]"#, "its result is not a token"),
            (r#"[{"id":7}]"#, "the value of id is not text"),
            (r#"{"id":"a"}"#, "its result is not a list of tokens"),
            ("null", "it has no result"),
        ] {
            assert_eq!(unusable(read(text).tokens()).0, reason, "{text}");
        }
    }

    #[test]
    fn small_json_that_asks_for_much_memory_is_refused() {
        let tokens = format!("[{}]", vec![r#"{"id":"a"}"#; 500_000].join(","));
        let fields = format!(r#"{{"id":"a",{}}}"#, vec![r#""b":1"#; 1_000_000].join(","));
        assert!(unusable(read(&tokens).tokens()).0.contains("16 MiB"));
        assert!(unusable(read(&fields).token(None)).0.contains("16 MiB"));
    }

    #[test]
    fn the_memory_of_a_list_is_counted_and_its_limit_holds() {
        let text = format!("[{}]", [r#"{"id":"a","name":"b"}"#; 10].join(","));
        let (_, size, _) = read(&text).tokens().ok().expect("a list");
        assert!(size >= 10 * size_of::<ServiceToken>());
        assert!(read_within(&text, size).tokens().is_ok());
        assert!(unusable(read_within(&text, size - 1).tokens()).0.contains("16 MiB"));
    }

    #[test]
    fn deep_nesting_in_a_field_is_kept_as_text() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let token = read(&format!(r#"{{"id":"a","deep":{deep}}}"#)).token(None).ok().expect("a token").token;
        assert_eq!(fields(token), [pair("deep", &deep)]);
        assert!(read(&deep).token(None).is_err());
    }
}
