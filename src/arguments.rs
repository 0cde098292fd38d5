//! Arguments become checked types here, before anything is sent. What has one of these types is right from then on.
//!
//! Every refusal names the argument, its value (shortened, in quotes, control characters escaped) and the rule.

use std::borrow::Cow;

use crate::bindings::exports::cloudflare::access::types::Scope;
use crate::error::Invalid;
use crate::moment;
use crate::text::{self, decimal, hexadecimal, joined, push};

/// What the path of a scope is followed by.
const TOKENS: &str = "/access/service_tokens";
const NAME_LIMIT: usize = 350;
const SEARCH_LIMIT: usize = 1024;

/// A path of the API below its base: the collection of tokens of a scope.
pub struct Collection(String);

impl Collection {
    pub fn of(scope: &Scope) -> Result<Self, Invalid> {
        match scope {
            Scope::Account(id) => Self::of_account(id),
            Scope::Zone(id) => Ok(Self(joined(&["/zones/", &segment("zone", id, 32)?, TOKENS]))),
        }
    }

    pub fn of_account(id: &str) -> Result<Self, Invalid> {
        Ok(Self(joined(&["/accounts/", &segment("account", id, 32)?, TOKENS])))
    }

    pub fn path(&self) -> &str {
        &self.0
    }
}

/// The id of a token: as the caller gave it, and as it stands in a path, where that differs.
pub struct TokenId {
    text: String,
    encoded: Option<String>,
}

impl TokenId {
    pub fn new(id: String) -> Result<Self, Invalid> {
        let segment = segment("id", &id, 36)?;
        let encoded = (segment != id).then(|| segment.into_owned());
        Ok(Self { text: id, encoded })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn segment(&self) -> &str {
        self.encoded.as_ref().unwrap_or(&self.text)
    }
}

/// An identifier as one path segment.
fn segment<'a>(argument: &str, id: &'a str, limit: usize) -> Result<Cow<'a, str>, Invalid> {
    if id.is_empty() {
        return Err(invalid(argument, "empty", "an identifier is needed, as the dashboard shows it"));
    }
    if id == "." || id == ".." {
        return Err(invalid(argument, &quoted(id), "that is a step in a path, not an identifier"));
    }
    let length = text::length(id);
    if length > limit {
        let rule =
            joined(&["an identifier has at most ", &decimal(limit), " characters, this one has ", &decimal(length)]);
        return Err(invalid(argument, &quoted(id), &rule));
    }
    Ok(encoded(id))
}

/// Text as it stands in a path segment or a query value: everything but the unreserved characters of RFC 3986 is encoded, so that no
/// identifier can end its path segment.
pub fn encoded(text: &str) -> Cow<'_, str> {
    // What identifiers are made of. Most need no more than this look.
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Cow::Borrowed(text);
    }
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            push(&mut encoded, char::from(byte));
        } else {
            push(&mut encoded, '%');
            encoded.push_str(&hexadecimal(byte.into(), 2).to_ascii_uppercase());
        }
    }
    Cow::Owned(encoded)
}

/// A name: 1 to 350 characters.
pub fn name(name: &str) -> Result<(), Invalid> {
    some_text("name", name, NAME_LIMIT)
}

/// A text to search for: 1 to 1024 characters, so that it fits into a URL.
pub fn search(search: &str) -> Result<(), Invalid> {
    some_text("search", search, SEARCH_LIMIT)
}

fn some_text(argument: &str, text: &str, limit: usize) -> Result<(), Invalid> {
    match text::length(text) {
        0 => Err(invalid(argument, "empty", "leave it out or give it at least one character")),
        length if length > limit => {
            let rule = joined(&["at most ", &decimal(limit), " characters, this has ", &decimal(length)]);
            Err(invalid(argument, &quoted(text), &rule))
        }
        _ => Ok(()),
    }
}

/// A number that starts at one.
pub fn from_one(argument: &str, number: Option<u32>) -> Result<(), Invalid> {
    match number {
        Some(0) => Err(invalid(argument, "0", "counting starts at 1")),
        _ => Ok(()),
    }
}

/// A duration in the grammar of Go that the API uses, or `forever`.
pub fn duration(duration: &str) -> Result<(), Invalid> {
    if duration == "forever" {
        return Ok(());
    }
    let refuse = |rule: &str| invalid("duration", &quoted(duration), rule);
    match go_nanoseconds(duration) {
        None => {
            Err(refuse("use `forever`, or numbers with the units ns, us, ms, s, m, h such as \"8760h\" or \"2h45m\""))
        }
        Some(0) => Err(refuse("a token must live for some time")),
        Some(nanoseconds) if i64::try_from(nanoseconds).is_err() => {
            Err(refuse("the longest duration is 2562047h (292 years); use `forever`"))
        }
        Some(_) => Ok(()),
    }
}

/// The nanoseconds of a Go duration without a sign, saturating; none if it is none.
pub fn go_nanoseconds(mut rest: &str) -> Option<u64> {
    let mut total = 0_u64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (whole, after_whole) = digits(rest);
        let (fraction, after_number) = match after_whole.strip_prefix('.') {
            Some(after_point) => digits(after_point),
            None => ("", after_whole),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let (unit, after_unit) = unit(after_number)?;
        let whole = text::number(whole).unwrap_or(0);
        total = total.saturating_add(whole.saturating_mul(unit)).saturating_add(fraction_of(fraction, unit));
        rest = after_unit;
    }
    Some(total)
}

fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// The unit at the start, in nanoseconds, and what follows. `ms` stands before `m`: the longer one is meant.
fn unit(text: &str) -> Option<(u64, &str)> {
    const UNITS: [(&str, u64); 8] = [
        ("ns", 1),
        ("us", 1_000),
        ("\u{b5}s", 1_000),
        ("\u{3bc}s", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ];
    UNITS.iter().find_map(|&(name, nanoseconds)| Some((nanoseconds, text.strip_prefix(name)?)))
}

fn fraction_of(digits: &str, unit: u64) -> u64 {
    let mut place = unit;
    let mut total = 0_u64;
    for digit in digits.chars().filter_map(|character| character.to_digit(10)) {
        place = place.checked_div(10).unwrap_or(0);
        total = total.saturating_add(place.saturating_mul(u64::from(digit)));
    }
    total
}

/// A moment as RFC 3339 writes it, in seconds since 1970.
pub fn time(argument: &str, text: &str) -> Result<i64, Invalid> {
    let rule = "a time is written as in RFC 3339: \"2030-01-31T12:00:00Z\"";
    moment::parse(text).ok_or_else(|| invalid(argument, &quoted(text), rule))
}

fn invalid(argument: &str, value: &str, rule: &str) -> Invalid {
    Invalid::argument(&[argument, " is ", value, ": ", rule])
}

/// A value in a message: in quotes, escaped, and cut after 60 characters.
pub fn quoted(value: &str) -> String {
    let (start, rest) = text::split_after(value, 60);
    let mut shown = String::from('"');
    for character in start.chars() {
        if is_unprintable(character) {
            shown.push_str(&joined(&["\\u{", &hexadecimal(u32::from(character).into(), 1), "}"]));
            continue;
        }
        if matches!(character, '"' | '\\') {
            push(&mut shown, '\\');
        }
        push(&mut shown, character);
    }
    shown.push_str(if rest.is_empty() { "\"" } else { "\u{2026}\"" });
    shown
}

/// What could end a line of a log or change how it reads: controls, line separators, and marks of writing direction.
pub fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<T>(result: Result<T, Invalid>) -> String {
        match result {
            Ok(_) => "accepted".to_owned(),
            Err(invalid) => invalid.message(),
        }
    }

    #[test]
    fn durations_follow_the_grammar_of_go() {
        for accepted in [
            "8760h",
            "2h45m",
            "300ms",
            "1.5h",
            ".5s",
            "1.s",
            "1us",
            "1\u{b5}s",
            "1\u{3bc}s",
            "1ns",
            "forever",
            "2562047h",
            "1000000000000000000ns",
            "9223372036854775807ns",
        ] {
            assert_eq!(message(duration(accepted)), "accepted", "{accepted}");
        }
        for refused in [
            "", "30d", "1y", "1w", "8760", "h", ".h", "-1h", "+1h", "1h ", " 1h", "1 h", "1H", "Forever", "1e3h",
            "\u{663}h",
        ] {
            assert!(message(duration(refused)).contains("units ns, us, ms, s, m, h"), "{refused}");
        }
        for zero in ["0s", "0h0m", "0.0h", ".0000000001ns"] {
            assert!(message(duration(zero)).contains("must live"), "{zero}");
        }
        for long in ["2562048h", "99999999999999999999999999999999999999999999h", "9223372037s"] {
            assert!(message(duration(long)).contains("292 years"), "{long}");
        }
    }

    #[test]
    fn identifiers_are_one_path_segment_whatever_they_hold() {
        for (id, segment) in [
            ("f174e90a-fafe-4643-bbbc-4a0ed4fc8415", "f174e90a-fafe-4643-bbbc-4a0ed4fc8415"),
            ("../x", "..%2Fx"),
            ("a?b#c", "a%3Fb%23c"),
            ("%2e%2e", "%252e%252e"),
            ("a\r\nb", "a%0D%0Ab"),
            ("\u{e9}\0", "%C3%A9%00"),
            ("/", "%2F"),
            ("a\\b", "a%5Cb"),
            ("...", "..."),
        ] {
            assert_eq!(TokenId::new(id.to_owned()).ok().map(|id| id.segment().to_owned()).as_deref(), Some(segment));
        }
        assert_eq!(
            message(TokenId::new(String::new())),
            "id is empty: an identifier is needed, as the dashboard shows it"
        );
        assert_eq!(message(TokenId::new("..".into())), "id is \"..\": that is a step in a path, not an identifier");
        assert!(message(TokenId::new("x".repeat(37))).ends_with("at most 36 characters, this one has 37"));
        assert!(message(Collection::of(&Scope::Account("x".repeat(33)))).starts_with("account is \"xxx"));
        assert!(message(Collection::of(&Scope::Zone(".".into()))).starts_with("zone is \".\""));
    }

    #[test]
    fn names_have_1_to_350_characters() {
        assert_eq!(message(name(&"\u{1f511}".repeat(350))), "accepted");
        assert!(message(name(&"n".repeat(351))).ends_with("at most 350 characters, this has 351"));
        assert!(message(name("")).starts_with("name is empty"));
        assert!(message(name(&"n".repeat(1024 * 1024))).len() < 200);
    }

    #[test]
    fn times_are_rfc_3339() {
        for accepted in ["2030-01-01T00:00:00Z", "2014-01-01T05:20:00.12345Z", "2030-01-01T00:00:00+02:00"] {
            assert!(time("t", accepted).is_ok(), "{accepted}");
        }
        for refused in [
            "",
            "2030-01-01",
            "2030-01-01T00:00:00",
            "2030-13-01T00:00:00Z",
            "2030-02-30T00:00:00Z",
            "1900000000",
            "tomorrow",
        ] {
            assert!(message(time("t", refused)).starts_with("t is \""), "{refused}");
        }
    }

    #[test]
    fn quoting_shortens_and_escapes() {
        assert_eq!(quoted("a\"b\r\n\u{202e}\0"), "\"a\\\"b\\u{d}\\u{a}\\u{202e}\\u{0}\"");
        assert_eq!(quoted(&"x".repeat(61)), format!("\"{}\u{2026}\"", "x".repeat(60)));
    }

    #[test]
    fn pages_start_at_one() {
        assert!(message(from_one("page", Some(0))).starts_with("page is 0"));
        assert_eq!(message(from_one("page", Some(1))), "accepted");
        assert_eq!(message(from_one("page", None)), "accepted");
    }
}
