//! The result of an answer becomes tokens, in one pass over its bytes.
//!
//! Nothing that the API says is lost: a field that is not known, or whose value has an unexpected type, goes into
//! `additional-fields` as JSON text. Only what a caller cannot do without is required: the id, and the secret where the
//! request makes one. What is built is counted against a limit, since a few bytes of JSON can ask for many of memory.

use std::fmt;
use std::mem::take;

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

/// What the `result` of an envelope is.
#[allow(clippy::large_enum_variant, reason = "there is one at a time, and it is taken apart at once")]
pub enum ResultValue {
    /// Null, or missing.
    Nothing,
    Token(TokenReading),
    /// The tokens of a list, up to the first one that cannot be used.
    Tokens {
        tokens: Vec<ServiceToken>,
        client_secrets: Vec<String>,
        /// The memory that they take.
        size: usize,
        problem: Option<&'static str>,
    },
    Text(String),
    /// A number or a truth value.
    Other,
}

/// Why a result cannot be used, and the id in it.
pub struct Unusable {
    pub reason: &'static str,
    pub token_id: Option<String>,
}

impl From<&'static str> for Unusable {
    fn from(reason: &'static str) -> Self {
        Self { reason, token_id: None }
    }
}

impl ResultValue {
    /// Returns the secrets in it, wherever they may be going.
    pub fn client_secrets(&mut self) -> Vec<String> {
        match self {
            Self::Token(reading) => reading.client_secret.clone().into_iter().collect(),
            Self::Tokens { client_secrets, .. } => take(client_secrets),
            Self::Text(text) if text.len() >= SHORTEST_SECRET => vec![text.clone()],
            Self::Nothing | Self::Text(_) | Self::Other => Vec::new(),
        }
    }

    /// Returns the token, and the secret where there is one. `asked`: the id that the token was asked for by, which
    /// stands in where the answer leaves it out. An answer about another token is of no use.
    pub fn token(self, asked: Option<&str>) -> Result<UpdatedToken, Unusable> {
        let TokenReading { mut token, client_secret, problem, .. } = match self {
            Self::Token(reading) => reading,
            Self::Nothing => return Err(NO_RESULT.into()),
            Self::Tokens { .. } | Self::Text(_) | Self::Other => return Err(NOT_A_TOKEN.into()),
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

    /// Returns the tokens of a list, and the memory that they take.
    pub fn tokens(self) -> Result<(Vec<ServiceToken>, usize), Unusable> {
        match self {
            Self::Tokens { tokens, size, problem: None, .. } => Ok((tokens, size)),
            Self::Tokens { problem: Some(problem), .. } => Err(problem.into()),
            Self::Nothing => Err(NO_RESULT.into()),
            Self::Token(_) | Self::Text(_) | Self::Other => Err("its result is not a list of tokens".into()),
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

/// Reads a result, or an element of one that is a list. It fails only where the syntax of JSON is broken.
pub struct ResultSeed {
    /// The bytes that tokens may take.
    limit: usize,
    may_be_a_list: bool,
}

impl ResultSeed {
    pub fn new(limit: usize) -> Self {
        Self { limit, may_be_a_list: true }
    }
}

impl<'de> DeserializeSeed<'de> for ResultSeed {
    type Value = ResultValue;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<ResultValue, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Visits values that no result may be.
macro_rules! visit_others {
    ($($visit:ident($type:ty))*) => {
        $(fn $visit<E>(self, _: $type) -> Result<ResultValue, E> {
            Ok(ResultValue::Other)
        })*
    };
}

impl<'de> Visitor<'de> for ResultSeed {
    type Value = ResultValue;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ResultValue, A::Error> {
        let mut reading = TokenReading::new(self.limit);
        while let Some((key, value)) = map.next_entry::<Json<'de>, Json<'de>>()? {
            reading.take(key, value);
        }
        Ok(ResultValue::Token(reading))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<ResultValue, A::Error> {
        let (mut tokens, mut client_secrets, mut size, mut problem) = (Vec::new(), Vec::new(), 0_usize, None);
        while self.may_be_a_list && problem.is_none() {
            let seed = Self { limit: self.limit.saturating_sub(size), may_be_a_list: false };
            match list.next_element_seed(seed)? {
                None => break,
                Some(ResultValue::Token(TokenReading { problem: Some(found), .. })) => problem = Some(found),
                Some(ResultValue::Token(TokenReading { token, .. })) if token.id.is_empty() => problem = Some(NO_ID),
                Some(ResultValue::Token(reading)) => {
                    size = size.saturating_add(reading.size);
                    tokens.push(reading.token);
                    client_secrets.extend(reading.client_secret);
                }
                Some(_) => problem = Some(NOT_A_TOKEN),
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(ResultValue::Tokens { tokens, client_secrets, size, problem })
    }

    fn visit_str<E>(self, text: &str) -> Result<ResultValue, E> {
        Ok(ResultValue::Text(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<ResultValue, E> {
        Ok(ResultValue::Nothing)
    }

    visit_others! { visit_bool(bool) visit_i64(i64) visit_u64(u64) visit_f64(f64) }
}

/// A token as an answer shows it, not yet checked.
pub struct TokenReading {
    /// The id is empty where the answer has none.
    token: ServiceToken,
    client_secret: Option<String>,
    /// The memory that it takes, and may take.
    size: usize,
    limit: usize,
    problem: Option<&'static str>,
}

impl TokenReading {
    fn new(limit: usize) -> Self {
        let mut reading = Self { token: with_id(""), client_secret: None, size: 0, limit, problem: None };
        reading.spend(size_of::<ServiceToken>());
        reading
    }

    /// Takes a field. A second value for the id or the secret leaves open which one counts, and makes the token
    /// unusable.
    fn take(&mut self, key: Json<'_>, value: Json<'_>) {
        self.spend(value.source().len().saturating_add(TEXT_OVERHEAD));
        if self.problem == Some(OVER_LIMIT) {
            return;
        }
        let text = || value.text().map(String::from);
        let name = key.key();
        let token = &mut self.token;
        let is_understood = match &*name {
            "id" => return self.take_id(value),
            "client_secret" => return self.take_secret(value),
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
            _ => return self.keep(&name, value),
        };
        if !is_understood && !value.is_null() {
            self.keep(&name, value);
        }
    }

    fn take_id(&mut self, value: Json<'_>) {
        match value.text() {
            Some(id) if self.token.id.is_empty() => self.token.id = id.into_owned(),
            Some(_) => self.fail("it has two values for id"),
            None if value.is_null() => {}
            None => self.fail("the value of id is not text"),
        }
    }

    fn take_secret(&mut self, value: Json<'_>) {
        match value.text() {
            Some(secret) if secret.is_empty() => {}
            Some(secret) if self.client_secret.is_none() => self.client_secret = Some(secret.into_owned()),
            Some(_) => self.fail("it has two values for client_secret"),
            None if value.is_null() => {}
            None => self.fail("the value of client_secret is not text"),
        }
    }

    /// Puts a field among the additional ones.
    fn keep(&mut self, name: &str, value: Json<'_>) {
        self.spend(size_of::<JsonField>().saturating_add(TEXT_OVERHEAD).saturating_add(name.len()));
        if self.problem != Some(OVER_LIMIT) {
            let field = JsonField { name: name.to_owned(), json: value.source().to_owned() };
            self.token.additional_fields.push(field);
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
        ResultSeed::new(tokens_limit).deserialize(&mut deserializer).unwrap_or_else(|error| panic!("{error}"))
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
