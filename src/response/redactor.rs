//! The one door through which a failure becomes an error of the contract.
//!
//! On the way the secrets of the call, and whatever has the form of a client secret, are taken out of every text, what
//! could break or turn a line of a log becomes a space, and long text is cut. Only what can be shown is searched.

use std::cmp::Reverse;

use crate::contract::types::{ApiError, ApiErrorCause, Error};
use crate::failure::Failure;
use crate::request::Function;
use crate::request::credentials::SHORTEST_SECRET;
use crate::request::quoted::{is_unprintable, quoted};

/// The most bytes of one text of a server. The API's own texts are below a hundred.
const TEXT_LIMIT: usize = 500;
/// The most secrets that are searched for. An account has 50 tokens by default.
pub const SECRETS_LIMIT: usize = 100;
/// The most bytes of a message.
const MESSAGE_LIMIT: usize = 2000;
/// How many of them tell what happened and what the API says. The rest is for what came of it and what to do.
const STORY_LIMIT: usize = 1200;

const REDACTED: &str = "[redacted]";
/// What the API's client secrets begin with.
const SECRET_MARK: &str = "cfast_";
/// How many hexadecimal digits an older client secret has.
const OLD_SECRET: usize = 64;

/// Takes secrets out of texts.
pub struct Redactor {
    /// Longest first, so that one that holds another is taken out whole.
    secrets: Vec<String>,
}

impl Redactor {
    /// Takes the secrets that no text may show.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let mut secrets: Vec<_> = secrets.into_iter().filter(|secret| secret.len() >= SHORTEST_SECRET).collect();
        secrets.sort_by_key(|secret| Reverse(secret.len()));
        Self { secrets }
    }

    /// Makes the error of the contract: its message begins with the function that was called. Ids and times that had
    /// to be changed are left out, and so is all that a server wrote where it showed too many secrets to search for.
    pub fn error(&self, function: Function, failure: Failure) -> Error {
        let is_searched = self.secrets.len() <= SECRETS_LIMIT;
        let message = if is_searched {
            self.message(&failure)
        } else {
            format!("the answers show more than {SECRETS_LIMIT} secrets, so nothing of what they say is shown")
        };
        let message = cut(format!("{}: {message}", function.name()), MESSAGE_LIMIT);
        let error = failure.error;
        if !is_searched {
            let (api_errors, ray_id, token_id, previous_secret_expires_at) = Default::default();
            return Error { message, api_errors, ray_id, token_id, previous_secret_expires_at, ..error };
        }
        Error {
            message,
            api_errors: error.api_errors.into_iter().map(|listed| self.listed(listed)).collect(),
            ray_id: error.ray_id.filter(|ray_id| self.is_unrelated(ray_id)),
            token_id: error.token_id.filter(|id| self.is_clean(id)),
            previous_secret_expires_at: error.previous_secret_expires_at.filter(|time| self.is_clean(time)),
            ..error
        }
    }

    /// Returns the message of a failure: what happened, what the API said, what may have come of it, and what to do.
    pub fn message(&self, failure: &Failure) -> String {
        let mut message = self.redact(&failure.error.message, STORY_LIMIT);
        if let Some(value) = &failure.value {
            message.extend([" is ", &quoted(&self.without_secrets(value, STORY_LIMIT))]);
        }
        for error in failure.error.api_errors.iter().take(3) {
            message.push_str("; ");
            self.push_listed(&mut message, error.code, &error.message);
            for cause in error.chain.iter().take(3) {
                message.push_str(" <- ");
                self.push_listed(&mut message, cause.code, &cause.message);
            }
        }
        cut(message, STORY_LIMIT) + &self.redact(&failure.advice, MESSAGE_LIMIT)
    }

    fn push_listed(&self, message: &mut String, code: Option<u32>, text: &str) {
        message.push_str(&self.redact(if text.is_empty() { "an error without a text" } else { text }, TEXT_LIMIT));
        if let Some(code) = code {
            message.extend([" (code ", &code.to_string(), ")"]);
        }
    }

    /// Makes an error that the API listed fit to be shown.
    fn listed(&self, error: ApiError) -> ApiError {
        let clean = |text: String| self.redact(&text, TEXT_LIMIT);
        let cause = |cause: ApiErrorCause| ApiErrorCause { message: clean(cause.message), ..cause };
        ApiError {
            code: error.code,
            message: clean(error.message),
            documentation_url: error.documentation_url.map(clean),
            pointer: error.pointer.map(clean),
            chain: error.chain.into_iter().map(cause).collect(),
        }
    }

    fn is_clean(&self, text: &str) -> bool {
        self.redact(text, TEXT_LIMIT) == text
    }

    /// Returns whether a ray id is no part of a secret, which may well look like one.
    fn is_unrelated(&self, ray_id: &str) -> bool {
        let number = ray_id.split('-').next().unwrap_or_default();
        self.is_clean(ray_id) && !self.secrets.iter().any(|secret| secret.contains(number))
    }

    /// Takes the secrets out of a text, puts it on one line, and shortens it to so many bytes.
    fn redact(&self, text: &str, limit: usize) -> String {
        cut(self.without_secrets(&text.replace(is_unprintable, " "), limit), limit)
    }

    /// Takes the secrets out of as much of a text as can be shown within a limit, and leaves the rest out. With it goes
    /// what may be the beginning of a secret that the end of the searched part splits.
    fn without_secrets(&self, text: &str, limit: usize) -> String {
        let longest = self.secrets.first().map_or(0, String::len).max(OLD_SECRET);
        let searched = text.floor_char_boundary(limit.saturating_add(longest));
        let mut cleaned = text.get(..searched).unwrap_or(text).to_owned();
        for secret in &self.secrets {
            if cleaned.contains(secret.as_str()) {
                cleaned = cleaned.replace(secret.as_str(), REDACTED);
            }
        }
        let mut cleaned = without_old_secrets(&without_marked_secrets(&cleaned));
        if searched < text.len() {
            cleaned.truncate(cleaned.floor_char_boundary(cleaned.len().saturating_sub(longest)));
            cleaned.push('\u{2026}');
        }
        cleaned
    }
}

/// Shortens a text to so many bytes.
pub fn cut(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        let ellipsis = '\u{2026}';
        text.truncate(text.floor_char_boundary(limit.saturating_sub(ellipsis.len_utf8())));
        text.push(ellipsis);
    }
    text
}

/// Returns text in which nothing begins like a client secret.
fn without_marked_secrets(text: &str) -> String {
    let mut parts = text.split(SECRET_MARK);
    let mut cleaned = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        cleaned.push_str(REDACTED);
        cleaned.push_str(part.trim_start_matches(|character: char| character.is_ascii_alphanumeric()));
    }
    cleaned
}

/// Returns text in which no run of hexadecimal digits is as long as an older client secret.
fn without_old_secrets(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    for part in text.split_inclusive(|character: char| !character.is_ascii_hexdigit()) {
        let after = part.trim_start_matches(|character: char| character.is_ascii_hexdigit());
        let is_secret = part.len().saturating_sub(after.len()) >= OLD_SECRET;
        cleaned.extend(if is_secret { [REDACTED, after] } else { [part, ""] });
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::contract::types::ErrorKind;

    fn redactor(secrets: &[&str]) -> Redactor {
        Redactor::new(secrets.iter().map(|secret| (*secret).to_owned()))
    }

    fn clean(text: &str, secrets: &[&str]) -> String {
        redactor(secrets).redact(text, TEXT_LIMIT)
    }

    #[test]
    fn secrets_and_line_breaks_are_taken_out() {
        assert_eq!(
            clean("a\r\nb\u{2028}c s3cret d s3crets3cret", &["s3cret"]),
            "a  b c [redacted] d [redacted][redacted]"
        );
        assert_eq!(clean("\u{202e}\u{7}\u{1b}[31m", &[]), "   [31m");
    }

    #[test]
    fn a_secret_that_holds_another_is_taken_out_whole() {
        for secrets in [["token", "pre-token-post"], ["pre-token-post", "token"]] {
            assert_eq!(clean("<pre-token-post> token", &secrets), "<[redacted]> [redacted]");
        }
        assert_eq!(clean("nothing", &["", "t", "ing"]), "nothing");
    }

    #[test]
    fn what_has_the_form_of_a_client_secret_is_taken_out() {
        assert_eq!(clean("secret=cfast_aB3, cfast_", &[]), "secret=[redacted], [redacted]");
        assert_eq!(clean("cfast_aB3cfast_cD4.", &[]), "[redacted][redacted].");
        let old = "0123456789abcdef".repeat(4);
        assert_eq!(clean(&format!("x {old}! é{old}"), &[]), "x [redacted]! é[redacted]");
        assert_eq!(clean("023e105f4ecef8ad9ca31a8372d0c353", &[]), "023e105f4ecef8ad9ca31a8372d0c353");
    }

    #[test]
    fn long_text_is_cut_after_its_secrets_are_taken_out() {
        assert_eq!(clean(&"x".repeat(501), &[]).len(), 500);
        assert!(clean(&"x".repeat(501), &[]).ends_with('\u{2026}'));
        assert_eq!(clean(&"x".repeat(500), &[]), "x".repeat(500));
        let text = format!("{}s3cret", "x".repeat(497));
        assert!(!clean(&text, &["s3cret"]).contains("s3c"));
    }

    #[test]
    fn nothing_of_a_server_is_shown_that_shows_too_many_secrets_to_search_for() {
        let mut failure = Failure::new(ErrorKind::Conflict, "s3cret");
        failure.error.api_errors = vec![ApiError { message: "s3cret".into(), ..ApiError::default() }];
        (failure.error.token_id, failure.error.ray_id) = (Some("s3cret".into()), Some("s3cret".into()));
        let redactor = Redactor::new((0..=SECRETS_LIMIT).map(|number| format!("secret {number}")));
        let shown = format!("{:?}", redactor.error(Function::Get, *failure));
        assert!(shown.contains("get: the answers show more than 100 secrets") && !shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn an_id_is_taken_as_it_is_or_not_at_all() {
        let redactor = redactor(&["s3cret"]);
        let shown = |id: &str| {
            let mut failure = Failure::new(ErrorKind::Conflict, "x");
            failure.error.token_id = Some(id.to_owned());
            redactor.error(Function::Get, *failure).token_id
        };
        assert_eq!(shown("f174e90a").as_deref(), Some("f174e90a"));
        for id in ["s3cret", "a s3cret", "x\nINFO forged", &"y".repeat(501)] {
            assert_eq!(shown(id), None, "{id}");
        }
    }

    #[test]
    fn no_text_of_an_error_holds_a_secret_or_a_line_break() {
        let echo = || "s3cret\n".to_owned();
        let mut failure = Failure::new(ErrorKind::Conflict, echo());
        failure.error.api_errors = vec![ApiError {
            code: None,
            message: echo(),
            documentation_url: Some(echo()),
            pointer: Some(echo()),
            chain: vec![ApiErrorCause { code: None, message: echo() }],
        }];
        failure.add(&echo());
        let text = || Some("s3cret".to_owned());
        (failure.error.token_id, failure.error.previous_secret_expires_at) = (text(), text());
        let shown = format!("{:?}", redactor(&["s3cret"]).error(Function::Get, *failure));
        assert_eq!(shown.matches("[redacted] ").count(), 8, "{shown}");
        assert!(!shown.contains("s3cret") && !shown.contains("\\n"), "{shown}");
    }

    #[test]
    fn a_ray_id_that_is_part_of_a_secret_is_left_out() {
        for (secret, expected) in [
            ("", true),
            ("other", true),
            ("9f1c2ab34cd56ef7", false),
            ("cfk_9f1c2ab34cd56ef70000", false),
            ("-AMS", false),
        ] {
            assert_eq!(redactor(&[secret]).is_unrelated("9f1c2ab34cd56ef7-AMS"), expected, "{secret}");
        }
    }

    #[test]
    fn a_message_tells_what_came_what_the_api_said_the_effect_and_the_remedy() {
        let error = |code, message: &str, chain| ApiError {
            code,
            message: message.into(),
            documentation_url: None,
            pointer: None,
            chain,
        };
        let cause = ApiErrorCause { code: Some(6111), message: "Invalid format".into() };
        let mut failure = Failure::new(ErrorKind::Rejected, "400 Bad Request");
        failure.error.api_errors =
            vec![error(Some(6003), "Invalid request headers", vec![cause]), error(None, "", Vec::new())];
        failure.add("it may have been done all the same");
        failure.add("check it");
        assert_eq!(
            redactor(&[]).message(&failure),
            "400 Bad Request; Invalid request headers (code 6003) <- Invalid format (code 6111); an error without a \
             text; it may have been done all the same; check it"
        );
        assert_eq!(redactor(&[]).message(&Failure::new(ErrorKind::Rejected, "500")), "500");
    }

    proptest! {
        #![proptest_config(crate::property_tests::config())]

        #[test]
        fn no_secret_and_no_line_break_gets_through(
            before in "[a-z\\r\\n\u{202e}s3cret]{0,20}", after in ".{0,20}",
            secret in "[a-z0-9]{4,12}", count in 0_usize..4,
        ) {
            let text = format!("{before}{}{after}", secret.repeat(count));
            let cleaned = clean(&text, &[&secret]);
            prop_assert!(!cleaned.contains(secret.as_str()) || REDACTED.contains(secret.as_str()), "{cleaned}");
            prop_assert!(!cleaned.contains(is_unprintable), "{cleaned}");
        }
    }
}
