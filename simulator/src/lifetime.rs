//! How long a token lives: a Go duration such as `8760h`, or `forever`.
//!
//! The grammar is that of Go's `time.ParseDuration` without a sign: decimal numbers, each with a unit of `ns`, `us`, `µs`,
//! `ms`, `s`, `m`, `h`. The sum is positive and at most 2^63 - 1 ns, some 292 years.

use std::time::Duration;

use time::OffsetDateTime;

use crate::clock;

/// The lifetime of a token, with the text that the API shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lifetime {
    text: String,
    span: Duration,
}

/// A year as the API counts it.
pub(crate) const YEAR: Duration = Duration::from_hours(8760);

/// What `forever` adds to now. Real answers have some `expires_at` for it; which one is not known.
const FOREVER: Duration = Duration::from_hours(100 * 8760);

impl Lifetime {
    /// Reads the text of a request. The error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let span = if text == "forever" { Some(FOREVER) } else { go_duration(text) };
        match span {
            Some(span) => Ok(Self { text: text.to_owned(), span }),
            None => Err(format!(
                "invalid duration {text:?}: use numbers with the units ns, us, ms, s, m, h, such as 8760h, or forever"
            )),
        }
    }

    /// What a token has whose creator said nothing.
    pub fn default_of_the_api() -> Self {
        Self { text: "8760h".to_owned(), span: YEAR }
    }

    /// The text as it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// When a token ends that starts this lifetime at `now`.
    pub fn end(&self, now: OffsetDateTime) -> OffsetDateTime {
        clock::add(now, self.span)
    }
}

fn go_duration(text: &str) -> Option<Duration> {
    const MAXIMUM: u128 = i64::MAX as u128;
    let mut nanoseconds: u128 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.').map(|end| &rest[..end])?;
        rest = &rest[number.len()..];
        let unit = rest.find(|c: char| c.is_ascii_digit() || c == '.').map_or(rest, |end| &rest[..end]);
        rest = &rest[unit.len()..];
        nanoseconds = nanoseconds.checked_add(part(number, unit_nanoseconds(unit)?)?)?;
    }
    let nanoseconds = u64::try_from(nanoseconds).ok()?;
    (nanoseconds > 0 && u128::from(nanoseconds) <= MAXIMUM).then(|| Duration::from_nanos(nanoseconds))
}

fn unit_nanoseconds(unit: &str) -> Option<u128> {
    Some(match unit {
        "ns" => 1,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// `number` (digits with at most one point) times `unit`, in nanoseconds.
fn part(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let digits = &fraction[..fraction.len().min(18)];
    let numerator: u128 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    let denominator = 10_u128.pow(u32::try_from(digits.len()).ok()?);
    whole.checked_mul(unit)?.checked_add(numerator * unit / denominator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_durations_and_forever_are_read() {
        let cases = [
            ("8760h", Duration::from_hours(8760)),
            ("2h45m", Duration::from_mins(165)),
            ("300ms", Duration::from_millis(300)),
            ("1.5h", Duration::from_mins(90)),
            (".5s", Duration::from_millis(500)),
            ("1.s", Duration::from_secs(1)),
            ("1us", Duration::from_micros(1)),
            ("1µs", Duration::from_micros(1)),
            ("1\u{3bc}s", Duration::from_micros(1)),
            ("7ns", Duration::from_nanos(7)),
            ("2562047h47m16.854775807s", Duration::from_nanos(9_223_372_036_854_775_807)),
            ("forever", FOREVER),
        ];
        for (text, span) in cases {
            assert_eq!(Lifetime::parse(text), Ok(Lifetime { text: text.to_owned(), span }));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "30d",
            "1y",
            "1w",
            "8760",
            "h",
            "-1h",
            "+1h",
            "0",
            "0s",
            "1 h",
            "1h ",
            "1.2.3h",
            ".h",
            "Forever",
            "1H",
            "2562047h47m16.854775808s",
            "99999999999999999999999999999999999999999h",
            "1h2",
        ] {
            assert!(Lifetime::parse(text).is_err(), "{text:?}");
        }
    }
}
