//! The envelope around every answer of the API: `success`, `result`, `result_info`, `errors`.
//!
//! Real answers deviate: keys are missing, `errors` is null, codes are text, an error stands there without an envelope, the
//! useful message hides in `error_chain`. All of it is read. Nothing is built that the answer did not ask for: the parts
//! stay slices of the body until someone needs them, so a hostile body costs no memory beyond itself.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::bindings::exports::cloudflare::access::types::{ApiError, ApiErrorCause};
use crate::json::{text, whole_number};

/// Longer bodies are not searched for errors: the API's are a few hundred bytes.
const ERRORS_LIMIT: usize = 256 * 1024;
/// More errors than this in one answer tell nobody more.
const ERRORS_KEPT: usize = 20;

/// What the body of an answer turned out to be.
pub enum Envelope<'a> {
    /// `success` is true. No result: it is null or missing.
    Success { result: Option<&'a RawValue>, info: Info },
    /// `success` is false, or the body is an error in another form.
    Failure { errors: Vec<ApiError> },
    /// Not this API's.
    Foreign(Foreign),
}

/// How a body is not an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    Empty,
    /// JSON that ends too early.
    CutShort,
    NotJson,
    /// JSON that is no envelope: `null`, a list, an object without `success`.
    OtherJson,
}

/// Where a page of a list stands, as far as the answer says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Info {
    pub page: Option<u32>,
    pub per_page: Option<u32>,
    pub count: Option<u32>,
    pub total_count: Option<u32>,
    pub total_pages: Option<u32>,
}

type Raw<'a> = Option<&'a RawValue>;

#[derive(Deserialize)]
struct RawEnvelope<'a> {
    #[serde(borrow, default)]
    success: Raw<'a>,
    #[serde(borrow, default)]
    result: Raw<'a>,
    #[serde(borrow, default)]
    result_info: Raw<'a>,
    #[serde(borrow, default)]
    errors: Raw<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawInfo<'a> {
    #[serde(borrow)]
    page: Raw<'a>,
    #[serde(borrow)]
    per_page: Raw<'a>,
    #[serde(borrow)]
    count: Raw<'a>,
    #[serde(borrow)]
    total_count: Raw<'a>,
    #[serde(borrow)]
    total_pages: Raw<'a>,
}

#[derive(Deserialize)]
struct RawError<'a> {
    #[serde(borrow, default)]
    code: Raw<'a>,
    #[serde(borrow, default)]
    message: Raw<'a>,
    /// The message of an error without an envelope.
    #[serde(borrow, default)]
    error: Raw<'a>,
    #[serde(borrow, default)]
    documentation_url: Raw<'a>,
    #[serde(borrow, default)]
    source: Raw<'a>,
    #[serde(borrow, default)]
    error_chain: Raw<'a>,
}

#[derive(Deserialize)]
struct RawSource<'a> {
    #[serde(borrow, default)]
    pointer: Raw<'a>,
}

/// Reads the body of an answer.
pub fn read(body: &[u8]) -> Envelope<'_> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Envelope::Foreign(Foreign::Empty);
    }
    let envelope: RawEnvelope<'_> = match serde_json::from_slice(body) {
        Ok(envelope) => envelope,
        Err(error) if error.is_eof() => return Envelope::Foreign(Foreign::CutShort),
        Err(error) if error.is_data() => return Envelope::Foreign(Foreign::OtherJson),
        Err(_) => return Envelope::Foreign(Foreign::NotJson),
    };
    if !body.trim_ascii_start().starts_with(b"{") {
        return Envelope::Foreign(Foreign::OtherJson); // serde takes a list for a struct, by position
    }
    match envelope.success.map(RawValue::get) {
        Some("true") => Envelope::Success { result: envelope.result, info: info(envelope.result_info) },
        Some("false") => Envelope::Failure { errors: errors(envelope.errors) },
        _ => match envelope.errors.map_or_else(|| flat_error(body), |listed| errors(Some(listed))) {
            errors if errors.is_empty() => Envelope::Foreign(Foreign::OtherJson),
            errors => Envelope::Failure { errors },
        },
    }
}

fn info(raw: Raw<'_>) -> Info {
    let info: RawInfo<'_> = raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    let number = |raw: Raw<'_>| raw.and_then(whole_number);
    Info {
        page: number(info.page),
        per_page: number(info.per_page),
        count: number(info.count),
        total_count: number(info.total_count),
        total_pages: number(info.total_pages),
    }
}

/// The listed errors; a single one that is not in a list counts too.
fn errors(raw: Raw<'_>) -> Vec<ApiError> {
    let Some(raw) = raw.filter(|raw| raw.get().len() <= ERRORS_LIMIT) else {
        return Vec::new();
    };
    match serde_json::from_str::<Vec<&RawValue>>(raw.get()) {
        Ok(list) => list.into_iter().take(ERRORS_KEPT).filter_map(error).collect(),
        Err(_) => error(raw).into_iter().collect(),
    }
}

/// An error that stands in place of the envelope: `{"code": .., "message": ..}` or `{"error": ..}`.
fn flat_error(body: &[u8]) -> Vec<ApiError> {
    let raw = Some(body).filter(|body| body.len() <= ERRORS_LIMIT).and_then(|body| serde_json::from_slice(body).ok());
    raw.and_then(error).into_iter().collect()
}

/// One error; none if there is neither a code nor a text in it.
fn error(raw: &RawValue) -> Option<ApiError> {
    if let Some(message) = text(raw) {
        return Some(ApiError { code: None, message, documentation_url: None, pointer: None, chain: Vec::new() });
    }
    let error: RawError<'_> = serde_json::from_str(raw.get()).ok()?;
    let source: Option<RawSource<'_>> = error.source.and_then(|source| serde_json::from_str(source.get()).ok());
    let code = error.code.and_then(code);
    let message = error.message.and_then(text).or_else(|| nested_message(error.error));
    if code.is_none() && message.is_none() {
        return None;
    }
    Some(ApiError {
        code,
        message: message.unwrap_or_default(),
        documentation_url: error.documentation_url.and_then(text),
        pointer: source.and_then(|source| source.pointer).and_then(text),
        chain: chain(error.error_chain),
    })
}

/// `{"error": "text"}` or `{"error": {"message": "text"}}`.
fn nested_message(raw: Raw<'_>) -> Option<String> {
    let raw = raw?;
    text(raw).or_else(|| text(serde_json::from_str::<RawError<'_>>(raw.get()).ok()?.message?))
}

fn chain(raw: Raw<'_>) -> Vec<ApiErrorCause> {
    let list: Vec<RawError<'_>> = raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    let cause = |cause: RawError<'_>| ApiErrorCause {
        code: cause.code.and_then(code),
        message: cause.message.and_then(text).unwrap_or_default(),
    };
    list.into_iter().take(ERRORS_KEPT).map(cause).collect()
}

/// A code as a number, or as text that is one.
fn code(raw: &RawValue) -> Option<u32> {
    whole_number(raw).or_else(|| text(raw)?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(body: &str) -> Vec<ApiError> {
        match read(body.as_bytes()) {
            Envelope::Failure { errors } => errors,
            _ => panic!("no failure: {body}"),
        }
    }

    fn foreign(body: &[u8]) -> Option<Foreign> {
        match read(body) {
            Envelope::Foreign(foreign) => Some(foreign),
            _ => None,
        }
    }

    #[test]
    fn every_form_of_an_error_is_read() {
        for (body, code, message) in [
            (
                r#"{"success":false,"errors":[{"code":12135,"message":"no"}],"messages":[],"result":null}"#,
                Some(12135),
                "no",
            ),
            (
                r#"{"success":false,"errors":[{"code":10000,"message":"Authentication error"}]}"#,
                Some(10000),
                "Authentication error",
            ),
            (r#"{"success":false,"errors":[{"code":"7000","message":"no"}]}"#, Some(7000), "no"),
            (r#"{"success":false,"errors":[{"code":7000.0,"message":"no"}]}"#, Some(7000), "no"),
            (r#"{"success":false,"errors":[{"message":"no"}]}"#, None, "no"),
            (r#"{"success":false,"errors":[{"code":1}]}"#, Some(1), ""),
            (r#"{"success":false,"errors":{"code":1,"message":"no"}}"#, Some(1), "no"),
            (r#"{"success":false,"errors":["no"]}"#, None, "no"),
            (r#"{"errors":[{"code":1,"message":"no"}]}"#, Some(1), "no"),
            (r#"{"code":1000,"message":"flat"}"#, Some(1000), "flat"),
            (r#"{"code":1000,"error":"flat"}"#, Some(1000), "flat"),
            (r#"{"error":"flat"}"#, None, "flat"),
            (r#"{"error":{"message":"flat"}}"#, None, "flat"),
        ] {
            let errors = failure(body);
            let first = errors.first().expect("an error");
            assert_eq!((first.code, first.message.as_str()), (code, message), "{body}");
        }
    }

    #[test]
    fn missing_lists_and_null_lists_are_no_errors_but_still_a_failure() {
        for body in [
            r#"{"success":false}"#,
            r#"{"success":false,"errors":null}"#,
            r#"{"success":false,"errors":[]}"#,
            r#"{"success":false,"errors":[{}]}"#,
        ] {
            assert!(failure(body).is_empty(), "{body}");
        }
    }

    #[test]
    fn the_chain_the_pointer_and_the_page_about_an_error_are_kept() {
        let errors = failure(
            r#"{"success":false,"errors":[{"code":6003,"message":"Invalid request headers","documentation_url":"https://d",
            "source":{"pointer":"/a"},"error_chain":[{"code":6111,"message":"Invalid format for Authorization header"}]}]}"#,
        );
        let error = errors.first().expect("an error");
        assert_eq!(error.documentation_url.as_deref(), Some("https://d"));
        assert_eq!(error.pointer.as_deref(), Some("/a"));
        let cause = error.chain.first().expect("a cause");
        assert_eq!((cause.code, cause.message.as_str()), (Some(6111), "Invalid format for Authorization header"));
    }

    #[test]
    fn success_with_notes_among_the_errors_is_success() {
        let body = br#"{"errors":[{"code":1000,"message":"note"}],"messages":[{"type":null}],"success":true,"result":{"id":"x"},
            "result_info":{"page":1,"per_page":20.0,"count":"3","total_pages":null,"extra":[]}}"#;
        let Envelope::Success { result, info } = read(body) else { panic!("no success") };
        assert_eq!(result.map(RawValue::get), Some(r#"{"id":"x"}"#));
        assert_eq!(info, Info { page: Some(1), per_page: Some(20), ..Info::default() });
        assert!(matches!(read(br#"{"success":true,"result":null}"#), Envelope::Success { result: None, .. }));
    }

    #[test]
    fn what_is_no_envelope_is_told_apart() {
        for (body, expected) in [
            (&b""[..], Foreign::Empty),
            (b" \r\n", Foreign::Empty),
            (b"null", Foreign::OtherJson),
            (b"[]", Foreign::OtherJson),
            (br#"[true,{"id":"x"}]"#, Foreign::OtherJson),
            (b"{}", Foreign::OtherJson),
            (b"\"text\"", Foreign::OtherJson),
            (br#"{"success":"yes"}"#, Foreign::OtherJson),
            (br#"{"success":true,"success":false}"#, Foreign::OtherJson),
            (br#"{"success":true,"result":{"id":"#, Foreign::CutShort),
            (b"<!DOCTYPE html>", Foreign::NotJson),
            (b"\x00\xff\xfe", Foreign::NotJson),
            (b"{\"success\":true,\"result\":\"\xff\"}", Foreign::NotJson),
        ] {
            assert_eq!(foreign(body), Some(expected), "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn deep_nesting_costs_nothing() {
        let deep = format!(r#"{{"success":true,"result":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(matches!(read(deep.as_bytes()), Envelope::Success { result: Some(_), .. }));
        let deep = format!(r#"{{"success":false,"errors":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(failure(&deep).is_empty());
    }
}
