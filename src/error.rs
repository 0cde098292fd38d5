//! The error of the contract: made here and nowhere else, so that nothing secret can get into one.
//!
//! Text of the server enters an error through [`clean`] and [`is_presentable_id`] alone. `clean` takes out the secrets of the call
//! and whatever has the form of a client secret, makes a space of what could break or turn a line of a log, and cuts long
//! text. An id is shown whole or not at all.

use crate::arguments::is_unprintable;
use crate::bindings::exports::cloudflare::access::types::{ApiError, ApiErrorCause, Error, ErrorKind, Outcome};
use crate::operation::Operation;
use crate::order::order;
use crate::text::{contains, decimal, joined, parts, push, replaced, split_after};

/// A longer text of the server is cut: the API's own are below a hundred characters.
const TEXT_LIMIT: usize = 500;
/// What a message shows of all the API's errors together.
const ERRORS_LIMIT: usize = 1000;
/// The length of the API's ids, which are UUIDs.
const ID_LIMIT: usize = 36;
const REDACTED: &str = "[redacted]";
/// What client secrets begin with since 2026-08-26.
const CLIENT_SECRET_MARK: &str = "cfast_";

/// What the caller gave breaks a rule; nothing was sent. The text names what, its value where it cannot be secret, and the rule.
#[derive(Debug)]
pub struct Invalid(Box<Error>);

impl Invalid {
    /// An argument breaks it.
    #[inline(never)]
    pub fn argument(text: &[&str]) -> Self {
        Self(without_answer(ErrorKind::InvalidArgument, text))
    }

    /// The credential, the base URL or a header of the options or the environment does.
    #[inline(never)]
    pub fn configuration(text: &[&str]) -> Self {
        Self(without_answer(ErrorKind::InvalidConfiguration, text))
    }

    #[cfg(test)]
    pub fn message(self) -> String {
        self.0.message
    }
}

impl From<Invalid> for Box<Error> {
    fn from(invalid: Invalid) -> Self {
        invalid.0
    }
}

/// An error that no answer is to blame for, and that no change came of. The message is these parts.
#[inline(never)]
pub fn without_answer(kind: ErrorKind, message: &[&str]) -> Box<Error> {
    Box::new(Error {
        kind,
        outcome: Outcome::NotApplied,
        message: joined(message),
        status: None,
        api_errors: Vec::new(),
        ray_id: None,
        retry_after_ms: None,
        attempts: 0,
        token_id: None,
    })
}

/// The message of an error: what was done, what came of it, what the API said, and what to do.
pub fn message(operation: Operation, what: &str, errors: &[ApiError], hint: Option<&str>, outcome: Outcome) -> String {
    let mut said = String::new();
    for error in errors.iter().take(3) {
        said.push_str("; ");
        append(&mut said, error.code, &error.message);
        for cause in error.chain.iter().take(3) {
            said.push_str(" <- ");
            append(&mut said, cause.code, &cause.message);
        }
    }
    let mut message = joined(&[operation.name(), ": ", what, &cut(&said, ERRORS_LIMIT)]);
    let effect = match (operation.changes(), outcome) {
        (true, Outcome::Unknown) => Some("it may have been done all the same"),
        (true, Outcome::Applied) => Some("it was done all the same"),
        _ => None,
    };
    for part in effect.into_iter().chain(hint) {
        message.push_str("; ");
        message.push_str(part);
    }
    message
}

fn append(message: &mut String, code: Option<u32>, text: &str) {
    message.push_str(if text.is_empty() { "an error without a text" } else { text });
    if let Some(code) = code {
        message.push_str(&joined(&[" (code ", &decimal(code), ")"]));
    }
}

/// The errors of an answer, fit for the caller's eyes.
pub fn cleaned(errors: Vec<ApiError>, secrets: &[&str]) -> Vec<ApiError> {
    let clean = |text: String| clean(&text, secrets);
    let cause = |cause: ApiErrorCause| ApiErrorCause { code: cause.code, message: clean(cause.message) };
    let error = |error: ApiError| ApiError {
        code: error.code,
        message: clean(error.message),
        documentation_url: error.documentation_url.map(clean),
        pointer: error.pointer.map(clean),
        chain: error.chain.into_iter().map(cause).collect(),
    };
    errors.into_iter().map(error).collect()
}

/// Text of the server without the secrets, on one line, not too long.
pub fn clean(text: &str, secrets: &[&str]) -> String {
    // The longest first: a secret may be a part of another, whose rest would stay.
    let length = |index: usize| secrets.get(index).map_or(0, |secret| secret.len());
    let longest_first = order(secrets.len(), &|first, second| length(first) > length(second));
    let given = longest_first.into_iter().filter_map(|index| secrets.get(index)).filter(|secret| !secret.is_empty());
    let text = given.fold(text.to_owned(), |text, secret| replaced(&text, secret, REDACTED));
    let mut cleaned = String::new();
    for character in cut(&without_client_secrets(&text), TEXT_LIMIT).chars() {
        push(&mut cleaned, if is_unprintable(character) { ' ' } else { character });
    }
    cleaned
}

/// The first so many characters, with a mark where something follows.
fn cut(text: &str, limit: usize) -> String {
    let (start, rest) = split_after(text, limit);
    joined(&[start, if rest.is_empty() { "" } else { "\u{2026}" }])
}

/// Whether an id that the server sent may be shown, and may stand in the next request: it has the form of an id, and it is no
/// part of a secret, nor has one in it. The limit of its length alone keeps out API tokens, keys and client secrets of today.
pub fn is_presentable_id(id: &str, secrets: &[&str]) -> bool {
    let has_its_form = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~'));
    let is_step = matches!(id, "" | "." | "..");
    has_its_form && !is_step && id.len() <= ID_LIMIT && holds_no_secret(id, secrets)
}

/// Whether nothing of a text is secret: it is no part of a secret, nor has one in it.
pub fn holds_no_secret(text: &str, secrets: &[&str]) -> bool {
    const SHORTEST_PART: usize = 8;
    let is_part_of = |secret: &str| text.len() >= SHORTEST_PART && contains(secret, text);
    let touches = |secret: &&str| !secret.is_empty() && (contains(text, secret) || is_part_of(secret));
    !secrets.iter().any(touches) && !contains(text, CLIENT_SECRET_MARK)
}

/// Text in which nothing begins like a client secret: `cfast_` and what follows it.
fn without_client_secrets(text: &str) -> String {
    let mut parts = parts(text, CLIENT_SECRET_MARK);
    let mut cleaned = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        cleaned.push_str(REDACTED);
        cleaned.push_str(part.trim_start_matches(|character: char| character.is_ascii_alphanumeric()));
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api_error(code: Option<u32>, message: &str) -> ApiError {
        ApiError { code, message: message.into(), documentation_url: None, pointer: None, chain: Vec::new() }
    }

    #[test]
    fn a_message_tells_the_operation_the_cause_the_effect_and_the_remedy() {
        let mut outer = api_error(Some(6003), "Invalid request headers");
        outer.chain.push(ApiErrorCause { code: Some(6111), message: "Invalid format".into() });
        let errors = [outer, api_error(None, "")];
        assert_eq!(
            message(Operation::Create, "400 Bad Request", &errors, Some("check it"), Outcome::Unknown),
            "create: 400 Bad Request; Invalid request headers (code 6003) <- Invalid format (code 6111); an error without a \
             text; it may have been done all the same; check it"
        );
        assert_eq!(message(Operation::Get, "500", &[], None, Outcome::NotApplied), "get: 500");
    }

    #[test]
    fn a_message_stays_short_and_keeps_the_remedy_whatever_the_api_says() {
        let mut long = api_error(Some(1), &"x".repeat(500));
        long.chain = vec![ApiErrorCause { code: Some(1), message: "y".repeat(500) }; 3];
        let message =
            message(Operation::Get, "400", &[long.clone(), long.clone(), long], Some("check it"), Outcome::Unknown);
        assert!(message.ends_with("\u{2026}; check it") && message.len() < 1100, "{message}");
    }

    #[test]
    fn a_secret_within_another_does_not_keep_the_longer_one_from_being_taken_out() {
        for secrets in [["tok3n", "pre-tok3n-post"], ["pre-tok3n-post", "tok3n"]] {
            assert_eq!(clean("pre-tok3n-post tok3n", &secrets), "[redacted] [redacted]");
        }
    }

    #[test]
    fn an_id_is_presentable_in_its_form_and_without_a_part_of_a_secret() {
        const SECRET: &str = "cfut_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcd1234";
        for (id, expected) in [
            ("f174e90a-fafe-4643-bbbc-4a0ed4fc8415", true),
            ("1", true),
            ("AbC", true),
            ("", false),
            (".", false),
            ("..", false),
            ("a b", false),
            ("a/b", false),
            ("a\nb", false),
            ("\u{e9}", false),
            ("f174e90a-fafe-4643-bbbc-4a0ed4fc84159", false),
            (SECRET, false),
            ("cfut_AbCdEfGhIjKlMnOpQr", false),
            ("x-s3cret", false),
            ("cfast_aB3", false),
        ] {
            assert_eq!(is_presentable_id(id, &[SECRET, "s3cret"]), expected, "{id}");
        }
    }

    #[test]
    fn text_of_the_server_is_cleaned_of_the_secret_and_of_line_breaks() {
        assert_eq!(
            clean("a\r\nb\u{2028}c s3cret d s3crets3cret", &["s3cret"]),
            "a  b c [redacted] d [redacted][redacted]"
        );
        assert_eq!(clean("secret=cfast_aB3, cfast_", &[]), "secret=[redacted], [redacted]");
        assert_eq!(clean("cfast_aB3cfast_cD4.", &[]), "[redacted][redacted].");
        assert_eq!(clean(&"x".repeat(501), &[]).chars().count(), 501);
        let mut error = api_error(None, "s3cret");
        error.documentation_url = Some("https://s3cret".into());
        error.pointer = Some("s3cret".into());
        error.chain.push(ApiErrorCause { code: None, message: "s3cret".into() });
        for error in cleaned(vec![error], &["s3cret"]) {
            let all = [error.message, error.documentation_url.unwrap_or_default(), error.pointer.unwrap_or_default()];
            assert!(
                all.iter().chain(error.chain.iter().map(|cause| &cause.message)).all(|text| !text.contains("s3cret"))
            );
        }
    }
}
