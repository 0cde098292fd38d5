//! The decoder against answers that nobody would send: real ones with damage, and JSON made at random. Whatever the
//! bytes, it ends, says yes only where a strict reader of JSON sees a yes too, and lets no secret and no line break
//! into an error.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;

use crate::contract::types::UpdatedToken;
use crate::exchange::scripted_host::{CREDENTIAL, account, head, options};
use crate::exchange::{Answer, Head, Headers};
use crate::request::quoted::is_unprintable;
use crate::request::{Effect, Function, Method, Request, Settings};
use crate::response::{Redactor, Success, TOKENS_LIMIT, accept, classify};

const REAL: [&str; 4] = [
    include_str!("testdata/create.json"),
    include_str!("testdata/list.json"),
    include_str!("testdata/refused.json"),
    include_str!("testdata/flat.json"),
];

/// One damage.
#[derive(Clone, Debug)]
enum Damage {
    Replace(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, Index),
    Repeat(Index, Index),
    Cut(Index),
}

/// Text that matters to a reader of JSON or to a reader of errors, and some that does not.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "null", "true", "false", "\"", "{", "}", "[", "]", ",", ":", "\\", "\\ud83d", "1e999", "-0", "0.0", "\0",
        "\\n", CREDENTIAL,
    ];
    let keys = [
        "\"success\":true,",
        "\"success\":false,",
        "\"result\":",
        "\"id\":\"x\",",
        "\"errors\":[",
        "\"client_secret\":\"s\",",
        "\"code\":",
    ];
    prop_oneof![
        select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
        select(keys.to_vec()).prop_map(|key| key.as_bytes().to_vec()),
        vec(any::<u8>(), 0..8),
    ]
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Replace(at, byte)),
        (any::<Index>(), piece()).prop_map(|(at, piece)| Damage::Insert(at, piece)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Damage::Remove(from, to)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Damage::Repeat(from, to)),
        any::<Index>().prop_map(Damage::Cut),
    ]
}

fn damaged(real: &str, damages: &[Damage]) -> Vec<u8> {
    let mut bytes = real.trim().as_bytes().to_vec();
    for damage in damages {
        let length = bytes.len() + 1;
        let range = |from: &Index, to: &Index| {
            let (from, to) = (from.index(length), to.index(length));
            from.min(to)..from.max(to)
        };
        match damage {
            Damage::Replace(at, byte) if length > 1 => bytes[at.index(length - 1)] = *byte,
            Damage::Replace(..) => {}
            Damage::Insert(at, piece) => drop(bytes.splice(at.index(length)..at.index(length), piece.clone())),
            Damage::Remove(from, to) => drop(bytes.drain(range(from, to))),
            Damage::Repeat(from, to) => bytes.extend_from_within(range(from, to)),
            Damage::Cut(at) => bytes.truncate(at.index(length)),
        }
    }
    bytes
}

fn json() -> impl Strategy<Value = Value> {
    let keys =
        ["success", "result", "errors", "id", "client_secret", "code", "message", "error", "error_chain", "source"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
        Just(Value::from(format!("a\r\n{CREDENTIAL}\u{202e}"))),
        select(keys.to_vec()).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        let key = prop_oneof![4 => select(keys.to_vec()).prop_map(str::to_owned), 1 => ".{0,4}"];
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((key, inner), 0..6).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// Every header has this value.
struct AnyHeaders(String);

impl Headers for AnyHeaders {
    fn get(&self, _: &str) -> Option<String> {
        Some(self.0.clone())
    }
}

fn settings() -> Settings {
    Settings::resolve(account(), Some(options()), Vec::new).expect("settings")
}

/// Returns the request for a list.
fn list(settings: &Settings) -> Request<'_> {
    Request::new(settings, (Effect::Read, Method::Get, ""), None, None)
}

/// Does everything that is done with an answer, and checks what must hold of it.
fn decode(status: u16, header: &str, body: &[u8]) {
    let settings = settings();
    let request = list(&settings);
    let accept = || {
        let head = Head { status, headers: Box::new(AnyHeaders(header.to_owned())) };
        accept(Answer { head, body: body.to_vec() }, &request, TOKENS_LIMIT)
    };
    match accept() {
        Ok(success) => {
            let strict: Option<Value> = serde_json::from_slice(body).ok();
            // A strict reader stops at a number that none can hold, at half a surrogate pair, and at bytes that are no
            // text.
            assert!(strict.is_none_or(|answer| answer["success"] == true), "a yes that is none");
            assert!((200..300).contains(&status));
            decode_result(success, || accept().expect("the same answer"));
        }
        Err(failure) => {
            let redactor = Redactor::new(settings.secrets().map(str::to_owned));
            let error = redactor.error(Function::ListPage, *classify::completed(failure, &request, false));
            let shown = format!("{error:?}");
            assert!(!shown.contains(CREDENTIAL), "{shown}");
            assert!(!error.message.contains(is_unprintable), "{:?}", error.message);
            assert!(error.api_errors.iter().all(|error| !error.message.contains(is_unprintable)));
            assert!(error.message.len() <= 2000, "{}", error.message);
        }
    }
}

/// Reads a result in every way in which one is read.
fn decode_result(first: Success, again: impl Fn() -> Success) {
    for asked in [None, Some("asked")] {
        if let Ok(UpdatedToken { token, .. }) = again().result.token(asked) {
            assert!(!token.id.is_empty());
            assert!(token.additional_fields.iter().all(|field| field.name != "client_secret"));
        }
        if let Ok(issued) = again().result.issued(asked) {
            assert!(!issued.client_secret.is_empty());
        }
    }
    if let Ok((tokens, size, _)) = first.result.tokens() {
        assert!(tokens.iter().all(|token| !token.id.is_empty()));
        assert!(size <= TOKENS_LIMIT);
    }
}

proptest! {
    #![proptest_config(crate::property_tests::config())]

    #[test]
    fn real_answers_with_damage_are_decoded_to_something(
        real in select(REAL.to_vec()), damages in vec(damage(), 0..6), status in 100_u16..1000, header in ".{0,12}",
    ) {
        decode(status, &header, &damaged(real, &damages));
        decode(200, &header, &damaged(real, &damages));
    }

    #[test]
    fn json_of_any_form_is_decoded_to_something(answer in json(), status in 100_u16..1000) {
        decode(status, CREDENTIAL, answer.to_string().as_bytes());
        decode(200, "text/html", answer.to_string().as_bytes());
    }

    #[test]
    fn bytes_of_any_kind_are_decoded_to_something(body in vec(any::<u8>(), 0..300), status in 100_u16..1000) {
        decode(status, "", &body);
    }
}

#[test]
fn real_answers_are_understood() {
    for (body, is_good) in REAL.into_iter().zip([true, true, false, false]) {
        let answer = Answer { head: head(200), body: body.as_bytes().to_vec() };
        assert_eq!(accept(answer, &list(&settings()), TOKENS_LIMIT).is_ok(), is_good, "{body}");
    }
}

#[test]
fn bytes_that_are_no_text_are_no_answer() {
    let body = b"{\"success\":true,\"messages\":[\"\xff\"],\"result\":{\"id\":\"i\",\"client_secret\":\"s\"}}";
    let answer = Answer { head: head(200), body: body.to_vec() };
    assert!(accept(answer, &list(&settings()), TOKENS_LIMIT).is_err());
}
