//! The result of an answer becomes tokens, in one pass over its bytes.
//!
//! Nothing that the API says is lost: a field that is not known, or whose value has an unexpected type, goes into
//! `additional-fields` as JSON text. Only what a caller cannot do without is required: the id, and the secret where the
//! request makes one. What is built is counted against a limit, since a few bytes of JSON can ask for many of memory.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::contract::types::{IssuedToken, JsonField, ServiceToken, UpdatedToken};
use crate::request::ids::is_same_token;
use crate::response::Json;

/// How much memory the tokens of one call may take. An account has 50 tokens by default, at about 500 bytes each.
const TOKENS_LIMIT: usize = 16 * 1024 * 1024;
/// What the allocator keeps for each text.
const TEXT_OVERHEAD: usize = 16;

const NOT_A_TOKEN: &str = "its result is not a token";
const NO_RESULT: &str = "it has no result";
const NO_ID: &str = "it has no id";
const OVER_LIMIT: &str = "the tokens take more than 16 MiB: ask for one page at a time";

/// The memory that a call may still use for tokens. Answers that are under way at once share it.
pub struct Budget(Cell<usize>);

impl Default for Budget {
    fn default() -> Self {
        Self(Cell::new(TOKENS_LIMIT))
    }
}

impl Budget {
    /// Returns how many bytes are left.
    pub fn left(&self) -> usize {
        self.0.get()
    }

    /// Takes the bytes of tokens that are kept.
    pub fn spend(&self, bytes: usize) {
        self.0.set(self.0.get().saturating_sub(bytes));
    }
}

/// What the `result` of an envelope is.
#[allow(clippy::large_enum_variant, reason = "there is one at a time, and it is taken apart at once")]
pub enum ResultValue {
    /// Null, or missing.
    Nothing,
    Token(TokenReading),
    Tokens(TokensReading),
    /// A text, a number, or a truth value.
    Other,
}

/// A token as an answer shows it, not yet checked.
pub struct TokenReading {
    /// The id is empty where the answer has none.
    token: ServiceToken,
    client_secret: Option<String>,
    /// The memory that it takes.
    size: usize,
    problem: Option<&'static str>,
}

/// The tokens of a list, up to the first one that cannot be used.
pub struct TokensReading {
    tokens: Vec<ServiceToken>,
    /// The memory that they take.
    size: usize,
    problem: Option<&'static str>,
}

/// Why a result cannot be used, and what of it could be read.
pub struct Unusable {
    pub reason: &'static str,
    pub token_id: Option<String>,
    pub client_secret: Option<String>,
}

impl From<&'static str> for Unusable {
    fn from(reason: &'static str) -> Self {
        Self { reason, token_id: None, client_secret: None }
    }
}

impl ResultValue {
    /// Returns the secret in it, wherever it may be going.
    pub fn client_secret(&self) -> Option<&str> {
        match self {
            Self::Token(reading) => reading.client_secret.as_deref(),
            _ => None,
        }
    }

    /// Returns the token, and the secret where there is one. `asked`: the id that the token was asked for by, which
    /// stands in where the answer leaves it out. An answer about another token is of no use.
    pub fn token(self, asked: Option<&str>) -> Result<UpdatedToken, Unusable> {
        let TokenReading { mut token, client_secret, problem, .. } = match self {
            Self::Token(reading) => reading,
            Self::Nothing => return Err(NO_RESULT.into()),
            Self::Tokens(_) | Self::Other => return Err(NOT_A_TOKEN.into()),
        };
        let problem = match asked {
            _ if problem.is_some() => problem,
            Some(asked) if token.id.is_empty() => {
                token.id.push_str(asked);
                None
            }
            Some(asked) if !is_same_token(asked, &token.id) => Some("it is about another token"),
            None if token.id.is_empty() => Some(NO_ID),
            _ => None,
        };
        match problem {
            None => Ok(UpdatedToken { token, client_secret }),
            Some(reason) => {
                Err(Unusable { reason, token_id: Some(token.id).filter(|id| !id.is_empty()), client_secret })
            }
        }
    }

    /// Returns the token and its new secret.
    pub fn issued(self, asked: Option<&str>) -> Result<IssuedToken, Unusable> {
        let UpdatedToken { token, client_secret } = self.token(asked)?;
        match client_secret {
            Some(client_secret) => Ok(IssuedToken { token, client_secret }),
            None => Err(Unusable { reason: "it has no client_secret", token_id: Some(token.id), client_secret: None }),
        }
    }

    /// Returns the tokens of a list, and the memory that they take.
    pub fn tokens(self) -> Result<(Vec<ServiceToken>, usize), Unusable> {
        match self {
            Self::Tokens(TokensReading { tokens, size, problem: None }) => Ok((tokens, size)),
            Self::Tokens(TokensReading { problem: Some(problem), .. }) => Err(problem.into()),
            Self::Nothing => Err(NO_RESULT.into()),
            Self::Token(_) | Self::Other => Err("its result is not a list of tokens".into()),
        }
    }
}

/// Returns a token of which nothing but the id is known.
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

/// Reads a result whose tokens may take this many bytes. It fails only where the syntax of JSON is broken.
pub struct ResultSeed {
    pub tokens_limit: usize,
}

impl<'de> DeserializeSeed<'de> for ResultSeed {
    type Value = ResultValue;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<ResultValue, D::Error> {
        deserializer.deserialize_any(ResultVisitor { left: self.tokens_limit, may_be_a_list: true })
    }
}

/// Reads a result, or an element of one that is a list.
struct ResultVisitor {
    /// The bytes that may still be taken.
    left: usize,
    may_be_a_list: bool,
}

impl<'de> DeserializeSeed<'de> for ResultVisitor {
    type Value = ResultValue;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<ResultValue, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ResultVisitor {
    type Value = ResultValue;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ResultValue, A::Error> {
        let mut builder = TokenBuilder::new(self.left);
        while let Some(key) = map.next_key::<Json<'de>>()? {
            builder.take(key, map.next_value()?);
        }
        Ok(ResultValue::Token(builder.reading))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<ResultValue, A::Error> {
        let (mut tokens, mut left, mut problem) = (Vec::new(), self.left, None);
        while self.may_be_a_list && problem.is_none() {
            match list.next_element_seed(ResultVisitor { left, may_be_a_list: false })? {
                None => {
                    let size = self.left.saturating_sub(left);
                    return Ok(ResultValue::Tokens(TokensReading { tokens, size, problem }));
                }
                Some(ResultValue::Token(TokenReading { problem: Some(found), .. })) => problem = Some(found),
                Some(ResultValue::Token(TokenReading { token, .. })) if token.id.is_empty() => problem = Some(NO_ID),
                Some(ResultValue::Token(TokenReading { token, size, .. })) => {
                    left = left.saturating_sub(size);
                    tokens.push(token);
                }
                Some(_) => problem = Some(NOT_A_TOKEN),
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(ResultValue::Tokens(TokensReading { tokens: Vec::new(), size: 0, problem }))
    }

    fn visit_unit<E>(self) -> Result<ResultValue, E> {
        Ok(ResultValue::Nothing)
    }

    fn visit_bool<E>(self, _: bool) -> Result<ResultValue, E> {
        Ok(ResultValue::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<ResultValue, E> {
        Ok(ResultValue::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<ResultValue, E> {
        Ok(ResultValue::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<ResultValue, E> {
        Ok(ResultValue::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<ResultValue, E> {
        Ok(ResultValue::Other)
    }
}

/// Puts the fields of a token together.
struct TokenBuilder {
    reading: TokenReading,
    limit: usize,
}

impl TokenBuilder {
    fn new(limit: usize) -> Self {
        let reading = TokenReading { token: with_id(""), client_secret: None, size: 0, problem: None };
        let mut builder = Self { reading, limit };
        builder.spend(size_of::<ServiceToken>());
        builder
    }

    /// Takes a field. A second value for the id or the secret leaves open which one counts, and makes the token
    /// unusable.
    fn take(&mut self, key: Json<'_>, value: Json<'_>) {
        self.spend(value.source().len().saturating_add(TEXT_OVERHEAD));
        if self.reading.problem == Some(OVER_LIMIT) || self.take_known(key.inner(), value) {
            return;
        }
        let name = key.key();
        if name == key.inner() || !self.take_known(&name, value) {
            self.keep(&name, value);
        }
    }

    /// Takes a field that a token has a place for. Returns whether it is one.
    fn take_known(&mut self, name: &str, value: Json<'_>) -> bool {
        let token = &mut self.reading.token;
        let is_understood = match name {
            "id" => self.take_id(value),
            "client_secret" => self.take_secret(value),
            "client_id" => put(&mut token.client_id, value.text()),
            "name" => put(&mut token.name, value.text()),
            "duration" => put(&mut token.duration, value.text()),
            "enabled" => put(&mut token.enabled, value.boolean()),
            "expires_at" => put(&mut token.expires_at, value.text()),
            "created_at" => put(&mut token.created_at, value.text()),
            "updated_at" => put(&mut token.updated_at, value.text()),
            "last_seen_at" => put(&mut token.last_seen_at, value.text()),
            "client_secret_version" => put(&mut token.client_secret_version, value.whole_number()),
            "previous_client_secret_expires_at" => put(&mut token.previous_client_secret_expires_at, value.text()),
            _ => return false,
        };
        if !is_understood && !value.is_null() {
            self.keep(name, value);
        }
        true
    }

    /// Takes the id. Returns true, since one that cannot be used is kept by no field.
    fn take_id(&mut self, value: Json<'_>) -> bool {
        match value.text() {
            Some(id) if self.reading.token.id.is_empty() => self.reading.token.id = id,
            Some(_) => self.fail("it has two values for id"),
            None if value.is_null() => {}
            None => self.fail("the value of id is not text"),
        }
        true
    }

    /// Takes the secret. Returns true, since one that cannot be used is kept by no field.
    fn take_secret(&mut self, value: Json<'_>) -> bool {
        match value.text() {
            Some(secret) if secret.is_empty() => {}
            Some(secret) if self.reading.client_secret.is_none() => self.reading.client_secret = Some(secret),
            Some(_) => self.fail("it has two values for client_secret"),
            None if value.is_null() => {}
            None => self.fail("the value of client_secret is not text"),
        }
        true
    }

    /// Puts a field among the additional ones.
    fn keep(&mut self, key: &str, value: Json<'_>) {
        self.spend(size_of::<JsonField>().saturating_add(TEXT_OVERHEAD).saturating_add(key.len()));
        if self.reading.problem != Some(OVER_LIMIT) {
            let field = JsonField { name: key.to_owned(), json: value.source().to_owned() };
            self.reading.token.additional_fields.push(field);
        }
    }

    fn spend(&mut self, bytes: usize) {
        self.reading.size = self.reading.size.saturating_add(bytes);
        if self.reading.size > self.limit {
            self.reading.problem = Some(OVER_LIMIT);
        }
    }

    fn fail(&mut self, problem: &'static str) {
        self.reading.problem.get_or_insert(problem);
    }
}

/// Fills a field that has no value yet. Returns whether there was a value of its type, and room for it.
fn put<T>(field: &mut Option<T>, value: Option<T>) -> bool {
    let is_taken = field.is_none() && value.is_some();
    if is_taken {
        *field = value;
    }
    is_taken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_within(text: &str, tokens_limit: usize) -> ResultValue {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        ResultSeed { tokens_limit }.deserialize(&mut deserializer).unwrap_or_else(|error| panic!("{error}"))
    }

    fn read(text: &str) -> ResultValue {
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
        let (tokens, _) = read(r#"[{"id":"a"},{"id":"b","x":1}]"#).tokens().ok().expect("a list");
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
        let (_, size) = read(&text).tokens().ok().expect("a list");
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
