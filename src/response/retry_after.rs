//! How long an answer asks to wait: `Retry-After` in seconds or as a date, else `Ratelimit`.
//!
//! A date is measured from the answer's own `Date`, so no clock of ours can be wrong about it. What is not understood
//! is no wait at all (never zero by accident, never negative, never not-a-number), and then the ordinary waits apply.

use std::time::Duration;

use crate::exchange::Headers;
use crate::timestamp::Timestamp;

/// Returns the wait that an answer names, if it names one.
pub fn asked_wait(headers: &dyn Headers) -> Option<Duration> {
    match headers.get("retry-after") {
        Some(value) => seconds(&value).or_else(|| until(&value, &headers.get("date")?)),
        None => headers.get("ratelimit").and_then(|value| ratelimit(&value)),
    }
}

/// Reads whole seconds. More digits than a `u64` has are still seconds: more than anyone waits.
fn seconds(value: &str) -> Option<Duration> {
    let digits = value.trim_ascii();
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| Duration::from_secs(digits.parse().unwrap_or(u64::MAX)))
}

/// Returns the time from one date to the other; zero if it has passed.
fn until(value: &str, from: &str) -> Option<Duration> {
    let wait = Timestamp::from_http_date(value)?.seconds_since(Timestamp::from_http_date(from)?);
    Some(Duration::from_secs(u64::try_from(wait).unwrap_or(0)))
}

/// Returns the latest reset of the windows that are used up: `"default";r=0;t=30`. A window with requests left asks for
/// no wait.
fn ratelimit(value: &str) -> Option<Duration> {
    let used_up = value.split(',').filter(|window| parameter(window, "r") == Some("0"));
    used_up.filter_map(|window| seconds(parameter(window, "t")?)).max()
}

fn parameter<'a>(window: &'a str, name: &str) -> Option<&'a str> {
    window.split(';').find_map(|part| part.trim_ascii().strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Pairs(Vec<(&'static str, &'static str)>);

    impl Headers for Pairs {
        fn get(&self, name: &str) -> Option<String> {
            self.0.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        }
    }

    #[test]
    fn waits_are_read_from_every_form_and_garbage_is_none() {
        const DATE: (&str, &str) = ("date", "Tue, 24 Nov 2026 10:00:00 GMT");
        for (headers, expected) in [
            (vec![("retry-after", "0")], Some(0)),
            (vec![("retry-after", " 300 ")], Some(300)),
            (vec![("retry-after", "7200")], Some(7200)),
            (vec![("retry-after", "99999999999999999999999")], Some(u64::MAX)),
            (vec![("retry-after", "-5")], None),
            (vec![("retry-after", "+5")], None),
            (vec![("retry-after", "1.5")], None),
            (vec![("retry-after", "NaN")], None),
            (vec![("retry-after", "")], None),
            (vec![("retry-after", "soon")], None),
            (vec![DATE, ("retry-after", "Tue, 24 Nov 2026 10:05:00 GMT")], Some(300)),
            (vec![DATE, ("retry-after", "Tue, 24 Nov 2026 09:00:00 GMT")], Some(0)),
            (vec![DATE, ("retry-after", "Tue, 99 Nov 2026 09:00:00 GMT")], None),
            (vec![DATE, ("retry-after", "Tue, 24 Nov 2026 25:00:00 GMT")], None),
            (vec![DATE, ("retry-after", "Tue, 24 Nov 2026 10:05:00 CET")], None),
            (vec![("retry-after", "Tue, 24 Nov 2026 10:05:00 GMT")], None),
            (vec![("ratelimit", "\"default\";r=0;t=30")], Some(30)),
            (vec![("ratelimit", "\"burst\";r=5;t=60, \"default\";r=0;t=30")], Some(30)),
            (vec![("ratelimit", "\"burst\";r=0;t=5, \"default\";r=0;t=300")], Some(300)),
            (vec![("ratelimit", "\"burst\";r=0;t=300, \"default\";r=0;t=5")], Some(300)),
            (vec![("ratelimit", "\"burst\";r=0, \"default\";r=0;t=5")], Some(5)),
            (vec![("ratelimit", "\"default\";r=50;t=30")], None),
            (vec![("ratelimit", "\"default\";r=0")], None),
            (vec![("retry-after", "7"), ("ratelimit", "\"default\";r=0;t=30")], Some(7)),
            (vec![], None),
        ] {
            let shown = format!("{headers:?}");
            assert_eq!(asked_wait(&Pairs(headers)), expected.map(Duration::from_secs), "{shown}");
        }
    }
}
