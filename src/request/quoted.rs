//! How a message shows the value of an argument or of a variable.

/// The most characters of a value that a message shows.
const SHOWN: usize = 60;
/// The shortest credential of Cloudflare's older kinds. Identifiers are shorter: a UUID has 36 characters.
const SHORTEST_CREDENTIAL: usize = 37;

/// Returns an argument as a message shows it: shortened, in quotes, with control characters escaped, and left out where
/// it could be a credential.
pub fn quoted(value: &str) -> String {
    if value.is_empty() {
        return "empty".to_owned();
    }
    if looks_like_a_credential(value) {
        return "a text that could be a credential and is not shown".to_owned();
    }
    let mut shown = String::from("\"");
    for character in value.chars().take(SHOWN) {
        match character {
            '"' | '\\' => shown.extend(['\\', character]),
            _ if is_unprintable(character) => shown.extend(character.escape_unicode()),
            _ => shown.push(character),
        }
    }
    shown.push_str(if value.chars().nth(SHOWN).is_some() { "\u{2026}\"" } else { "\"" });
    shown
}

/// Returns whether a character could end a line of a log or change how it reads: controls, line separators, and marks
/// of the direction of writing.
pub fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// Returns whether a value has the form of a credential of Cloudflare, or stands after the name of a header that
/// carries one.
pub fn looks_like_a_credential(value: &str) -> bool {
    const MARKS: [&str; 4] = ["cfut_", "cfat_", "cfk_", "cfast_"];
    let is_word = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_');
    let is_long = |word: &str| {
        word.len() >= SHORTEST_CREDENTIAL
            && word.contains(|character: char| character.is_ascii_digit())
            && word.contains(|character: char| character.is_ascii_alphabetic())
    };
    begins_with_bearer(value.trim_start())
        || MARKS.iter().any(|mark| value.contains(mark))
        || value.split(|character| !is_word(character)).any(is_long)
}

/// Returns whether a value begins with the scheme of the `authorization` header, in capital letters or small ones.
pub fn begins_with_bearer(value: &str) -> bool {
    value.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("bearer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_shortens_and_escapes() {
        assert_eq!(quoted("a\"b\\\r\n\u{202e}\0"), "\"a\\\"b\\\\\\u{d}\\u{a}\\u{202e}\\u{0}\"");
        assert_eq!(quoted(&"x".repeat(61)), format!("\"{}\u{2026}\"", "x".repeat(60)));
        assert_eq!(quoted(&"x".repeat(60)), format!("\"{}\"", "x".repeat(60)));
    }

    #[test]
    fn what_looks_like_a_credential_is_not_shown() {
        for credential in [
            "cfut_0123456789abcdefghijABCDEFGHIJ0123456789deadbeef",
            "a cfk_x",
            "Bearer abc",
            "bearer",
            "YQSn-xWAQiiEh9qM58wZNnyQS7FUdoqGIUAbrh7T",
            "c2547eb745079dac9320b638f5e225cf483cc5cfdda41",
            "token=c2547eb745079dac9320b638f5e225cf483cc5cfdda41;",
        ] {
            assert!(quoted(credential).contains("not shown"), "{credential}");
        }
        for other in [
            "f174e90a-fafe-4643-bbbc-4a0ed4fc8415",
            "023e105f4ecef8ad9ca31a8372d0c353",
            "88bf3b6d86161464f6509f7219099e57.access",
            "the token of the build machines in the basement, floor 2",
        ] {
            assert!(!quoted(other).contains("not shown"), "{other}");
        }
    }
}
