//! Durations in the grammar of Go, which the API uses: numbers with units, such as `2h45m`.

/// Returns the nanoseconds of a Go duration without a sign, at most `u64::MAX`. None if it is none.
pub fn nanoseconds(duration: &str) -> Option<u64> {
    let mut total = 0_u64;
    let mut rest = duration;
    while !rest.is_empty() {
        let (whole, after_whole) = split_digits(rest);
        let (fraction, after_number) = match after_whole.strip_prefix('.') {
            Some(after_point) => split_digits(after_point),
            None => ("", after_whole),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let (unit, after_unit) = split_unit(after_number)?;
        total = total.saturating_add(number(whole).saturating_mul(unit)).saturating_add(fraction_of(fraction, unit));
        rest = after_unit;
    }
    if duration.is_empty() { None } else { Some(total) }
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// Returns the unit at the start, in nanoseconds, and what follows it. `ms` stands before `m`, so that the longer one
/// is found.
fn split_unit(text: &str) -> Option<(u64, &str)> {
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

/// Returns the number that these digits are, zero if there are none.
fn number(digits: &str) -> u64 {
    if digits.is_empty() { 0 } else { digits.parse().unwrap_or(u64::MAX) }
}

/// Returns the part of a unit that these digits after a point are.
fn fraction_of(digits: &str, unit: u64) -> u64 {
    let mut place = unit;
    let mut total = 0_u64;
    for digit in digits.chars().filter_map(|character| character.to_digit(10)) {
        place /= 10;
        total = total.saturating_add(place.saturating_mul(digit.into()));
    }
    total
}

#[cfg(test)]
mod tests {
    use super::nanoseconds;

    #[test]
    fn numbers_with_units_are_added_up() {
        for (duration, expected) in [
            ("1ns", 1),
            ("1us", 1_000),
            ("1\u{b5}s", 1_000),
            ("1\u{3bc}s", 1_000),
            ("1.5ms", 1_500_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("2h45m", 9_900_000_000_000),
            ("0h0m", 0),
            (".0000000001ns", 0),
            ("99999999999999999999999h", u64::MAX),
        ] {
            assert_eq!(nanoseconds(duration), Some(expected), "{duration}");
        }
        assert_eq!(nanoseconds("24h"), nanoseconds("1440m"));
    }

    #[test]
    fn other_text_is_no_duration() {
        for text in
            ["", "30d", "1y", "8760", "h", ".h", "-1h", "+1h", "1h ", " 1h", "1 h", "1H", "forever", "1e3h", "\u{663}h"]
        {
            assert_eq!(nanoseconds(text), None, "{text}");
        }
    }
}
