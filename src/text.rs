//! What the guest does with text, in the least code: parts are put together, decimal numbers are written and read, text is looked for in
//! text.
//!
//! Own code, since the standard library's formatting took 6 kB of the component, and its search for text in text 9 kB, with what it needs to
//! say why it fails.

use std::iter;

/// Parts put together.
#[inline(never)]
pub fn joined(parts: &[&str]) -> String {
    let mut joined = String::with_capacity(parts.iter().fold(0, |length, part| length.saturating_add(part.len())));
    for part in parts {
        joined.push_str(part);
    }
    joined
}

/// Adds a character. The standard library's is repeated wherever it is used.
#[inline(never)]
pub fn push(text: &mut String, character: char) {
    text.push(character);
}

/// A number in decimal digits. One larger than 64 bits would be shown as the largest of those; nothing here has one.
pub fn decimal(number: impl TryInto<u64>) -> String {
    number.try_into().unwrap_or(u64::MAX).to_string()
}

/// A number in hexadecimal digits, at least so many.
#[inline(never)]
pub fn hexadecimal(number: u64, least: u32) -> String {
    let mut digits = String::new();
    for place in (0..16_u32).rev() {
        let digit = u32::try_from(number.wrapping_shr(place.wrapping_mul(4)) & 15).unwrap_or(0);
        if digit > 0 || place < least || !digits.is_empty() {
            push(&mut digits, char::from_digit(digit, 16).unwrap_or_default());
        }
    }
    digits
}

/// The number of a text that is nothing but decimal digits, at least one. What has more than 64 bits is the largest that has not.
#[inline(never)]
pub fn number(digits: &str) -> Option<u64> {
    const TENTH_OF_LIMIT: u64 = 1_844_674_407_370_955_161;
    let mut number = 0_u64;
    for digit in digits.bytes() {
        let value = digit.wrapping_sub(b'0');
        if value > 9 {
            return None;
        }
        number = if number > TENTH_OF_LIMIT { u64::MAX } else { number.wrapping_mul(10).saturating_add(value.into()) };
    }
    (!digits.is_empty()).then_some(number)
}

/// How many characters a text has.
#[inline(never)]
pub fn length(text: &str) -> usize {
    text.bytes().filter(|byte| starts_a_character(*byte)).count()
}

/// The first so many characters of a text, and what follows them.
#[inline(never)]
pub fn split_after(text: &str, characters: usize) -> (&str, &str) {
    let mut starts = text.bytes().enumerate().filter(|(_, byte)| starts_a_character(*byte));
    let end = starts.nth(characters).map_or(text.len(), |(at, _)| at);
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// Whether it is the first byte of a character in UTF-8.
fn starts_a_character(byte: u8) -> bool {
    byte & 0b1100_0000 != 0b1000_0000
}

/// What stands before and after the first place of a text in another.
#[inline(never)]
pub fn split_once<'a>(text: &'a str, separator: &str) -> Option<(&'a str, &'a str)> {
    let mut rest = text.as_bytes();
    while !rest.starts_with(separator.as_bytes()) {
        rest = rest.split_first()?.1;
    }
    let (before, after) = text.split_at_checked(text.len().wrapping_sub(rest.len()))?;
    Some((before, after.strip_prefix(separator)?))
}

/// What stands between the places of a text in another.
pub fn parts<'a>(text: &'a str, separator: &str) -> impl Iterator<Item = &'a str> {
    let mut rest = Some(text);
    iter::from_fn(move || {
        let whole = rest?;
        let (part, after) = split_once(whole, separator).map_or((whole, None), |(part, after)| (part, Some(after)));
        rest = after;
        Some(part)
    })
}

/// Whether a text is in another.
pub fn contains(text: &str, wanted: &str) -> bool {
    split_once(text, wanted).is_some()
}

/// A text with another one in every place of a third, which is not empty.
#[inline(never)]
pub fn replaced(text: &str, wanted: &str, by: &str) -> String {
    let mut replaced = String::new();
    let mut rest = text;
    while let Some((before, after)) = split_once(rest, wanted).filter(|_| !wanted.is_empty()) {
        replaced.push_str(before);
        replaced.push_str(by);
        rest = after;
    }
    replaced.push_str(rest);
    replaced
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_is_digits_alone_and_the_largest_where_it_has_too_many() {
        for (digits, expected) in [
            ("0", Some(0)),
            ("007", Some(7)),
            ("18446744073709551609", Some(u64::MAX - 6)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", Some(u64::MAX)),
            ("18446744073709551620", Some(u64::MAX)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("", None),
            ("+1", None),
            ("1 ", None),
            ("\u{661}", None),
        ] {
            assert_eq!(number(digits), expected, "{digits}");
        }
    }

    proptest! {
        #[test]
        fn it_does_as_the_standard_library(text in "[abé€ 😀]{0,30}", wanted in "[abé€ ]{1,3}", by in "[xé]{0,2}", count in 0_usize..40) {
            prop_assert_eq!(split_once(&text, &wanted), text.split_once(&wanted));
            prop_assert!(parts(&text, &wanted).eq(text.split(&wanted)));
            prop_assert_eq!(contains(&text, &wanted), text.contains(&wanted));
            prop_assert_eq!(replaced(&text, &wanted, &by), text.replace(&wanted, &by));
            prop_assert_eq!(length(&text), text.chars().count());
            let (start, rest) = split_after(&text, count);
            prop_assert_eq!(start, text.chars().take(count).collect::<String>());
            prop_assert_eq!([start, rest].concat(), text);
        }

        #[test]
        fn hexadecimal_digits_are_those_of_the_standard_library(number: u64) {
            prop_assert_eq!(hexadecimal(number, 1), format!("{number:x}"));
            prop_assert_eq!(hexadecimal(number >> 40, 16), format!("{:016x}", number >> 40));
        }

        #[test]
        fn a_number_that_is_written_is_read(number: u64) {
            prop_assert_eq!(super::number(&decimal(number)), Some(number));
        }
    }
}
