//! The envelope around every answer of the API: `success`, `result`, `result_info`, `errors`.
//!
//! Real answers deviate: keys are missing, `errors` is null, codes are text, an error stands there without an envelope, the
//! useful message hides in `error_chain`. All of it is read. Nothing is built that the answer did not ask for: the parts
//! stay slices of the body until someone needs them, so a hostile body costs no memory beyond itself.

use std::iter;

use crate::bindings::exports::cloudflare::access::types::{ApiError, ApiErrorCause};
use crate::json::{self, Brackets, Broken, Cursor, Json};
use crate::text;

/// Longer bodies are not searched for errors: the API's are a few hundred bytes.
const ERRORS_LIMIT: usize = 256 * 1024;
/// More errors than this in one answer tell nobody more.
const KEPT: usize = 20;

/// What the body of an answer turned out to be.
pub enum Envelope<'a> {
    /// `success` is true. No result: it is null or missing.
    Success { result: Option<Json<'a>>, info: Info },
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

/// Reads the body of an answer. Its result is offered to `result` on the way, before it is known whether the answer is a good one, as
/// `json::fields` says.
pub fn read<'a>(body: &'a [u8], result: &mut dyn FnMut(&mut Cursor<'a>) -> bool) -> Envelope<'a> {
    const KEYS: [&str; 4] = ["result", "success", "result_info", "errors"];
    if body.iter().all(u8::is_ascii_whitespace) {
        return Envelope::Foreign(Foreign::Empty);
    }
    let foreign = |foreign| Envelope::Foreign(foreign);
    let [result, success, info, errors] = match json::fields(body, KEYS, result) {
        Ok(found) => found,
        Err(Broken::CutShort) => return foreign(Foreign::CutShort),
        Err(Broken::OtherForm) => return foreign(Foreign::OtherJson),
        Err(Broken::Syntax) => return foreign(Foreign::NotJson),
    };
    match success.and_then(Json::boolean) {
        Some(true) => Envelope::Success { result, info: page_info(info) },
        Some(false) => Envelope::Failure { errors: listed(errors) },
        None => match errors.map_or_else(|| flat_error(body), |errors| listed(Some(errors))) {
            errors if errors.is_empty() => foreign(Foreign::OtherJson),
            errors => Envelope::Failure { errors },
        },
    }
}

fn page_info(info: Option<Json<'_>>) -> Info {
    const KEYS: [&str; 5] = ["page", "per_page", "count", "total_count", "total_pages"];
    let fields = info.and_then(|info| info.fields(KEYS).ok()).unwrap_or_default();
    let [page, per_page, count, total_count, total_pages] = fields.map(|number| number.and_then(Json::whole_number));
    Info { page, per_page, count, total_count, total_pages }
}

/// The listed errors; a single one that is not in a list counts too.
fn listed(errors: Option<Json<'_>>) -> Vec<ApiError> {
    match errors.filter(|errors| errors.source().len() <= ERRORS_LIMIT) {
        Some(errors) => first_of(errors, error),
        None => Vec::new(),
    }
}

/// What the first elements of a list are read as, or the value itself if it is no list.
fn first_of<T>(value: Json<'_>, read: fn(Json<'_>) -> Option<T>) -> Vec<T> {
    let mut cursor = value.cursor();
    if cursor.open(Brackets::LIST).is_err() {
        return read(value).into_iter().collect();
    }
    let element = || cursor.has_more(Brackets::LIST).ok()?.then(|| cursor.value().ok())?;
    iter::from_fn(element).take(KEPT).filter_map(read).collect()
}

/// An error that stands in place of the envelope: `{"code": .., "message": ..}` or `{"error": ..}`.
fn flat_error(body: &[u8]) -> Vec<ApiError> {
    let text = Some(body).filter(|body| body.len() <= ERRORS_LIMIT).and_then(|body| str::from_utf8(body).ok());
    text.and_then(|text| error(Json::read(text).ok()?)).into_iter().collect()
}

/// One error; none if there is neither a code nor a text in it.
fn error(value: Json<'_>) -> Option<ApiError> {
    if let Some(message) = value.text() {
        return Some(ApiError { code: None, message, documentation_url: None, pointer: None, chain: Vec::new() });
    }
    // `error` is the message of an error without an envelope.
    let [code, message, error, documentation_url, source, error_chain] =
        value.fields(["code", "message", "error", "documentation_url", "source", "error_chain"]).ok()?;
    let code = code.and_then(number);
    let message = message.and_then(Json::text).or_else(|| nested_message(error?));
    if code.is_none() && message.is_none() {
        return None;
    }
    Some(ApiError {
        code,
        message: message.unwrap_or_default(),
        documentation_url: documentation_url.and_then(Json::text),
        pointer: source.and_then(|source| field(source, "pointer")?.text()),
        chain: error_chain.map_or_else(Vec::new, |chain| first_of(chain, cause)),
    })
}

/// `{"error": "text"}` or `{"error": {"message": "text"}}`.
fn nested_message(error: Json<'_>) -> Option<String> {
    error.text().or_else(|| field(error, "message")?.text())
}

fn cause(value: Json<'_>) -> Option<ApiErrorCause> {
    let [code, message] = value.fields(["code", "message"]).ok()?;
    Some(ApiErrorCause { code: code.and_then(number), message: message.and_then(Json::text).unwrap_or_default() })
}

fn field<'a>(value: Json<'a>, key: &str) -> Option<Json<'a>> {
    let [field] = value.fields([key]).ok()?;
    field
}

/// A code as a number, or as text that is one.
fn number(value: Json<'_>) -> Option<u32> {
    value.whole_number().or_else(|| u32::try_from(text::number(value.text()?.trim_ascii())?).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(body: &str) -> Vec<ApiError> {
        match read(body.as_bytes(), &mut |_| false) {
            Envelope::Failure { errors } => errors,
            _ => panic!("no failure: {body}"),
        }
    }

    fn foreign(body: &[u8]) -> Option<Foreign> {
        match read(body, &mut |_| false) {
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
        let Envelope::Success { result, info } = read(body, &mut |_| false) else { panic!("no success") };
        assert_eq!(result.map(Json::source), Some(r#"{"id":"x"}"#));
        assert_eq!(info, Info { page: Some(1), per_page: Some(20), ..Info::default() });
        assert!(matches!(
            read(br#"{"success":true,"result":null}"#, &mut |_| false),
            Envelope::Success { result: None, .. }
        ));
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
        assert!(matches!(read(deep.as_bytes(), &mut |_| false), Envelope::Success { result: Some(_), .. }));
        let deep = format!(r#"{{"success":false,"errors":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(failure(&deep).is_empty());
    }
}
