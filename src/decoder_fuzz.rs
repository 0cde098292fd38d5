//! The decoder against answers that nobody would send: real ones with damage, and JSON made at random. Whatever the bytes, it
//! ends, and says yes only where a strict reader of JSON sees a yes too.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::bindings::exports::cloudflare::access::types::{ApiError, UpdatedToken};
use crate::envelope::{self, Envelope};
use crate::error::cleaned;
use crate::host::Headers;
use crate::json::{Cursor, Json};
use crate::token::{self, Budget};
use crate::trouble::{Head, Trouble};

const REAL: [&str; 4] = [
    include_str!("../host-tests/answers/create.json"),
    include_str!("../host-tests/answers/list.json"),
    include_str!("../host-tests/answers/refused.json"),
    include_str!("../host-tests/answers/flat.json"),
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

/// Text that matters to a reader of JSON, and some that does not.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let words =
        ["null", "true", "false", "\"", "{", "}", "[", "]", ",", ":", "\\", "\\ud83d", "1e999", "-0", "0.0", "\0"];
    let keys =
        ["\"success\":true,", "\"result\":", "\"id\":\"x\",", "\"errors\":[", "\"client_secret\":\"s\",", "\"code\":"];
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

struct AnyHeaders(String);

impl Headers for AnyHeaders {
    fn get(&self, _: &str) -> Option<String> {
        Some(self.0.clone())
    }
}

/// Everything that is done with an answer, and what must hold of it.
fn decode(status: u16, header: &str, body: &[u8]) {
    const SECRETS: &[&str] = &["s3cret"];
    if let Ok(text) = str::from_utf8(body) {
        let theirs = serde_json::from_str::<&RawValue>(text).ok();
        assert_eq!(Json::read(text).ok().map(Json::source), theirs.map(RawValue::get));
    }
    let strict: Option<Value> = serde_json::from_slice(body).ok();
    let is_yes = strict.as_ref().is_some_and(|answer| answer["success"] == true);
    let head = || Head::new(status, &AnyHeaders(header.to_owned()), SECRETS);
    let all_in_one_line = |errors: &[ApiError]| errors.iter().all(|error| !error.message.contains(char::is_control));
    let mut in_place = None;
    let mut read_in_place = |cursor: &mut Cursor<'_>| {
        let token = token::read(Some(cursor), None, false).ok();
        let is_read = token.is_some();
        in_place = token;
        is_read
    };
    match envelope::read(body, &mut read_in_place) {
        Envelope::Success { result, .. } => {
            // A strict reader stops at a number or a text that none can hold; we keep those as they are.
            assert!(is_yes || strict.is_none(), "a yes that is none");
            if let Some(in_place) = in_place {
                let alone = token::read(result.map(Json::cursor).as_mut(), None, false).expect("the same token");
                assert_eq!(fields(&in_place), fields(&alone), "read in place and alone");
            }
            decode_result(result.map(Json::cursor));
        }
        Envelope::Failure { errors } => {
            assert!(!is_yes, "a no that is a yes");
            let errors = cleaned(errors, SECRETS);
            assert!(all_in_one_line(&errors));
            Trouble::refused(head(), errors);
        }
        Envelope::Foreign(foreign) => drop(Trouble::foreign(head(), foreign, body, SECRETS)),
    }
}

/// All of a token, as text.
fn fields(token: &UpdatedToken) -> String {
    format!("{token:?}")
}

fn decode_result(result: Option<Cursor<'_>>) {
    for needs_secret in [false, true] {
        for asked in [None, Some("asked")] {
            if let Ok(read) = token::read(result.clone().as_mut(), asked, needs_secret) {
                assert!(!read.token.id.is_empty());
                assert!(!needs_secret || read.client_secret.is_some_and(|secret| !secret.is_empty()));
            }
        }
    }
    if let Ok((tokens, _)) = token::list(result.clone().as_mut(), &Budget::default()) {
        assert!(tokens.iter().all(|token| !token.id.is_empty()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200_000))]

    #[test]
    fn real_answers_with_damage_are_decoded_to_something(
        real in select(REAL.to_vec()), damages in vec(damage(), 0..6), status in 100_u16..1000, header in ".{0,12}",
    ) {
        decode(status, &header, &damaged(real, &damages));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50_000))]

    #[test]
    fn json_of_any_form_is_decoded_to_something(answer in json(), status in 100_u16..1000) {
        decode(status, "text/html", answer.to_string().as_bytes());
    }

    #[test]
    fn bytes_of_any_kind_are_decoded_to_something(body in vec(any::<u8>(), 0..300), status in 100_u16..1000) {
        decode(status, "", &body);
    }
}
