//! The envelope around every answer of the API: `success`, `result`, `result_info`, `errors`.
//!
//! Real answers deviate: keys are missing, `errors` is null. The result is read in place; the errors stay a slice of the
//! body until someone needs them, so a hostile body costs little memory beyond itself.

use std::fmt;
use std::mem::replace;

use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;

use crate::response::{Json, ResultReading};

/// The body of an answer, taken apart.
pub struct Envelope<'a> {
    /// None where the key is missing or its value is no truth value.
    pub success: Option<bool>,
    pub result: ResultReading,
    pub errors: Option<Json<'a>>,
}

/// How a body is not an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    Empty,
    /// JSON that ends too early.
    CutShort,
    NotJson,
    /// JSON that is no envelope: `null`, a list, an object with two values for one key.
    OtherJson,
}

/// Reads the body of an answer, in which tokens may take this many bytes.
pub fn read(body: &str, tokens_limit: usize) -> Result<Envelope<'_>, Foreign> {
    if body.trim_ascii().is_empty() {
        return Err(Foreign::Empty);
    }
    let mut deserializer = serde_json::Deserializer::from_str(body);
    let envelope = deserializer.deserialize_map(EnvelopeVisitor { tokens_limit });
    let envelope = envelope.and_then(|envelope| deserializer.end().map(|()| envelope));
    envelope.map_err(|error| match error.classify() {
        Category::Eof => Foreign::CutShort,
        Category::Data => Foreign::OtherJson,
        Category::Syntax | Category::Io => Foreign::NotJson,
    })
}

struct EnvelopeVisitor {
    tokens_limit: usize,
}

impl<'de> Visitor<'de> for EnvelopeVisitor {
    type Value = Envelope<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope<'de>, A::Error> {
        let (mut result, mut has_result) = (ResultReading::new(self.tokens_limit), false);
        let (mut success, mut info, mut errors) = (None, None::<Json<'de>>, None);
        while let Some(key) = map.next_key::<Json<'de>>()? {
            let is_second = match &*key.key() {
                "result" => {
                    map.next_value_seed(&mut result)?;
                    replace(&mut has_result, true)
                }
                "success" => success.replace(map.next_value()?).is_some(),
                "result_info" => info.replace(map.next_value()?).is_some(),
                "errors" => errors.replace(map.next_value()?).is_some(),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    false
                }
            };
            if is_second {
                return Err(A::Error::custom("two values for one key"));
            }
        }
        if let Some(info) = info {
            let numbers = info.fields(["page", "per_page", "count", "total_count", "total_pages"]);
            result.page_numbers = numbers.map(|number| number.and_then(Json::whole_number));
        }
        Ok(Envelope { success: success.and_then(Json::boolean), result, errors })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::response::TOKENS_LIMIT;

    fn envelope(body: &str) -> Result<Envelope<'_>, Foreign> {
        read(body, TOKENS_LIMIT)
    }

    #[test]
    fn success_with_notes_among_the_errors_is_success() {
        let body = r#"{"errors":[{"code":1000,"message":"note"}],"messages":[{"type":null}],"success":true,
            "result":{"id":"x"},
            "result_info":{"page":1,"per_page":20.0,"count":"3","total_pages":null,"extra":[]}}"#;
        let envelope = envelope(body).expect("an envelope");
        assert_eq!(envelope.success, Some(true));
        assert_eq!(envelope.result.page_numbers, [Some(1), Some(20), None, None, None]);
        assert_eq!(envelope.result.token(None).ok().expect("a token").token.id, "x");
    }

    #[test]
    fn a_result_that_is_null_or_missing_is_nothing() {
        for body in [r#"{"success":true,"result":null}"#, r#"{"success":true}"#] {
            assert!(envelope(body).expect("an envelope").result.is_nothing());
        }
    }

    #[test]
    fn success_is_a_truth_value_or_not_known() {
        for (body, success) in [
            (r#"{"success":false}"#, Some(false)),
            (r#"{"success":"yes"}"#, None),
            (r#"{"success":null}"#, None),
            ("{}", None),
        ] {
            assert_eq!(envelope(body).expect("an envelope").success, success, "{body}");
        }
    }

    #[test]
    fn what_is_no_envelope_is_told_apart() {
        for (body, expected) in [
            ("", Foreign::Empty),
            (" \r\n", Foreign::Empty),
            ("null", Foreign::OtherJson),
            ("[]", Foreign::OtherJson),
            (r#"[true,{"id":"x"}]"#, Foreign::OtherJson),
            ("\"text\"", Foreign::OtherJson),
            (r#"{"success":true,"success":false}"#, Foreign::OtherJson),
            (r#"{"result":{},"result":null}"#, Foreign::OtherJson),
            (r#"{"success":true,"result":{"id":"#, Foreign::CutShort),
            (r#"{"success":true,"result":{"id":"x"}"#, Foreign::CutShort),
            ("<!DOCTYPE html>", Foreign::NotJson),
            ("\u{0}\u{fffd}", Foreign::NotJson),
            (r#"{"success":true} x"#, Foreign::NotJson),
        ] {
            assert_eq!(envelope(body).err(), Some(expected), "{body}");
        }
    }

    #[test]
    fn deep_nesting_costs_no_stack() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for body in [
            format!(r#"{{"success":true,"result":{deep},"errors":{deep},"messages":{deep},"result_info":{deep}}}"#),
            format!(r#"{{"success":true,"result":{{"x":{deep}}}}}"#),
        ] {
            assert_eq!(envelope(&body).expect("an envelope").success, Some(true));
        }
    }
}
