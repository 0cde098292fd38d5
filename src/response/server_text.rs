//! The one door through which text of a server gets into an error.
//!
//! What comes in is a [`ServerText`]; what may go into an error is [`Cleaned`]. On the way the secrets of the call, and
//! whatever has the form of a client secret, are taken out, what could break or turn a line of a log becomes a space,
//! and long text is cut.

use std::fmt;

use crate::request::invalid::is_unprintable;

/// A longer text is cut, counted in characters. The API's own texts are below a hundred.
const LIMIT: usize = 500;
const REDACTED: &str = "[redacted]";
/// What the API's client secrets begin with.
const SECRET_MARK: &str = "cfast_";
/// How many hexadecimal digits an older client secret has.
const OLD_SECRET: usize = 64;

/// Text as a server sent it.
#[derive(Clone, Copy)]
pub struct ServerText<'a>(pub &'a str);

/// Text of a server that is fit for an error: one line, not too long, without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cleaned(String);

impl fmt::Display for Cleaned {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl From<Cleaned> for String {
    fn from(cleaned: Cleaned) -> Self {
        cleaned.0
    }
}

/// Takes secrets out of texts.
pub struct Redactor {
    /// Longest first, so that one that holds another is taken out whole.
    secrets: Vec<String>,
}

impl Redactor {
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let empty = Self { secrets: Vec::new() };
        secrets.into_iter().fold(empty, |redactor, secret| redactor.and(Some(secret)))
    }

    /// Adds a secret.
    pub fn and(mut self, secret: Option<&str>) -> Self {
        if let Some(secret) = secret.filter(|secret| !secret.is_empty()) {
            let place = self.secrets.partition_point(|other| other.len() > secret.len());
            self.secrets.insert(place, secret.to_owned());
        }
        self
    }

    /// Makes text of a server fit for an error.
    pub fn clean(&self, ServerText(text): ServerText<'_>) -> Cleaned {
        let one_line = text.replace(is_unprintable, " ");
        let redacted = without_old_secrets(&without_marked_secrets(&self.redact(&one_line)));
        let mut cleaned: String = redacted.chars().take(LIMIT).collect();
        if cleaned.len() < redacted.len() {
            cleaned.push('\u{2026}');
        }
        Cleaned(cleaned)
    }

    /// Returns an id or a time of a server as it is. None if it had to be changed to be fit for an error.
    pub fn unchanged(&self, text: &str) -> Option<String> {
        Some(String::from(self.clean(ServerText(text)))).filter(|cleaned| cleaned == text)
    }

    /// Takes the secrets out of any text.
    pub fn redact(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| {
            if text.contains(secret.as_str()) { text.replace(secret.as_str(), REDACTED) } else { text }
        })
    }

    /// Returns whether a short text is a part of a secret.
    pub fn is_part_of_a_secret(&self, text: &str) -> bool {
        self.secrets.iter().any(|secret| secret.contains(text))
    }
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
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|character: char| !character.is_ascii_hexdigit()).unwrap_or(rest.len());
        let (digits, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        cleaned.push_str(if digits.len() >= OLD_SECRET { REDACTED } else { digits });
        let mut others = after.chars();
        cleaned.extend(others.next());
        rest = others.as_str();
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn clean(text: &str, secrets: &[&str]) -> String {
        Redactor::new(secrets.iter().copied()).clean(ServerText(text)).into()
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
        for secrets in [["tok", "pre-tok-post"], ["pre-tok-post", "tok"]] {
            assert_eq!(clean("<pre-tok-post> tok", &secrets), "<[redacted]> [redacted]");
        }
        let redactor = Redactor::new(["tok"]).and(Some("pre-tok-post")).and(None);
        assert_eq!(redactor.redact("pre-tok-post"), "[redacted]");
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
        assert_eq!(clean(&"x".repeat(501), &[]).chars().count(), 501);
        assert!(clean(&"x".repeat(501), &[]).ends_with('\u{2026}'));
        assert_eq!(clean(&"x".repeat(500), &[]), "x".repeat(500));
        let text = format!("{}s3cret", "x".repeat(497));
        assert!(!clean(&text, &["s3cret"]).contains("s3c"));
    }

    #[test]
    fn an_id_is_taken_as_it_is_or_not_at_all() {
        let redactor = Redactor::new(["s3cret"]);
        assert_eq!(redactor.unchanged("f174e90a").as_deref(), Some("f174e90a"));
        for id in ["s3cret", "a s3cret", "x\nINFO forged", &"y".repeat(501)] {
            assert_eq!(redactor.unchanged(id), None, "{id}");
        }
    }

    proptest! {
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
