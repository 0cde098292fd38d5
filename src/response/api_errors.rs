//! The errors that an answer lists, in every form that was seen: in a list, alone, as text, with a code that is text,
//! with the useful message in `error_chain`, or in place of the envelope.

use crate::contract::types::{ApiError, ApiErrorCause};
use crate::response::Json;

/// More errors than this in one answer, or causes of one error, tell nobody more.
const KEPT: usize = 8;
/// A longer text is not read: the API's are below a hundred bytes.
const TEXT_LIMIT: usize = 8 * 1024;

/// Returns the listed errors. A single one that is not in a list counts too.
pub fn listed(errors: Option<Json<'_>>) -> Vec<ApiError> {
    errors.map_or_else(Vec::new, |errors| each(errors, error))
}

/// Returns the error that stands in place of the envelope: `{"code": .., "message": ..}` or `{"error": ..}`.
pub fn flat(body: &str) -> Vec<ApiError> {
    Json::read(body).and_then(error).into_iter().collect()
}

/// Reads the first elements of a list, or the value itself if it is no list.
fn each<T>(value: Json<'_>, read: impl Fn(Json<'_>) -> Option<T>) -> Vec<T> {
    value.elements(KEPT).unwrap_or_else(|| vec![value]).into_iter().filter_map(read).collect()
}

/// Reads one error; none if there is neither a code nor a text in it.
fn error(value: Json<'_>) -> Option<ApiError> {
    if let Some(message) = text(value) {
        return Some(ApiError { code: None, message, documentation_url: None, pointer: None, chain: Vec::new() });
    }
    let [own_code, message, nested, documentation_url, source, error_chain] =
        value.fields(["code", "message", "error", "documentation_url", "source", "error_chain"]);
    let ApiErrorCause { code, message } = coded(own_code, message.and_then(text).or_else(|| nested_message(nested?)))?;
    Some(ApiError {
        code,
        message,
        documentation_url: documentation_url.and_then(text),
        pointer: source.and_then(|source| text(field(source, "pointer")?)),
        chain: error_chain.map_or_else(Vec::new, |chain| each(chain, cause)),
    })
}

/// Reads `{"error": "text"}` or `{"error": {"message": "text"}}`.
fn nested_message(error: Json<'_>) -> Option<String> {
    text(error).or_else(|| text(field(error, "message")?))
}

fn cause(value: Json<'_>) -> Option<ApiErrorCause> {
    let [code, message] = value.fields(["code", "message"]);
    coded(code, message.and_then(text))
}

/// Reads a code, which is a number or text that is one. None if there is no text either.
fn coded(code: Option<Json<'_>>, message: Option<String>) -> Option<ApiErrorCause> {
    let code = code.and_then(|code| code.whole_number().or_else(|| code.text()?.trim_ascii().parse().ok()));
    (code.is_some() || message.is_some()).then(|| ApiErrorCause { code, message: message.unwrap_or_default() })
}

fn field<'a>(value: Json<'a>, key: &str) -> Option<Json<'a>> {
    let [field] = value.fields([key]);
    field
}

fn text(value: Json<'_>) -> Option<String> {
    let size = value.source().len();
    if size > TEXT_LIMIT && value.source().starts_with('"') {
        return Some(format!("a text of {size} bytes, which is not shown"));
    }
    value.text().map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(text: &str) -> Vec<ApiError> {
        listed(Json::read(text))
    }

    #[test]
    fn every_form_of_an_error_is_read() {
        for (text, code, message) in [
            (r#"[{"code":12135,"message":"no"}]"#, Some(12135), "no"),
            (r#"[{"code":"7000","message":"no"}]"#, Some(7000), "no"),
            (r#"[{"code":7000.0,"message":"no"}]"#, Some(7000), "no"),
            (r#"[{"message":"no"}]"#, None, "no"),
            (r#"[{"code":1}]"#, Some(1), ""),
            (r#"{"code":1,"message":"no"}"#, Some(1), "no"),
            (r#"["no"]"#, None, "no"),
            (r#""no""#, None, "no"),
        ] {
            let errors = errors(text);
            let first = errors.first().expect("an error");
            assert_eq!((first.code, first.message.as_str()), (code, message), "{text}");
        }
        for (body, code, message) in [
            (r#"{"code":1000,"message":"flat"}"#, Some(1000), "flat"),
            (r#"{"code":1000,"error":"flat"}"#, Some(1000), "flat"),
            (r#"{"error":"flat"}"#, None, "flat"),
            (r#"{"error":{"message":"flat"}}"#, None, "flat"),
        ] {
            let errors = flat(body);
            let first = errors.first().expect("an error");
            assert_eq!((first.code, first.message.as_str()), (code, message), "{body}");
        }
    }

    #[test]
    fn what_says_nothing_is_no_error() {
        for text in ["null", "[]", "[{}]", "[[]]", "[7]", r#"[{"code":"x"}]"#] {
            assert!(errors(text).is_empty(), "{text}");
        }
        assert!(listed(None).is_empty());
        assert!(flat("{}").is_empty());
    }

    #[test]
    fn the_chain_the_pointer_and_the_page_about_an_error_are_kept() {
        let errors = errors(
            r#"[{"code":6003,"message":"Invalid request headers","documentation_url":"https://d",
            "source":{"pointer":"/a"},
            "error_chain":[{"code":6111,"message":"Invalid format for Authorization header"}]}]"#,
        );
        let error = errors.first().expect("an error");
        assert_eq!((error.documentation_url.as_deref(), error.pointer.as_deref()), (Some("https://d"), Some("/a")));
        let cause = error.chain.first().expect("a cause");
        assert_eq!((cause.code, cause.message.as_str()), (Some(6111), "Invalid format for Authorization header"));
    }

    #[test]
    fn long_texts_and_long_lists_stay_small() {
        let long = format!(r#"[{{"code":12135,"message":"{}"}}]"#, "x".repeat(1024 * 1024));
        let error = errors(&long).into_iter().next().expect("an error");
        assert_eq!((error.code, error.message.len() < 100), (Some(12135), true));
        assert_eq!(errors(&format!("[{}]", vec!["\"x\""; 100_000].join(","))).len(), KEPT);
    }
}
