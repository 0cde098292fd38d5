//! Times and durations as people write and read them.

use std::time::Duration;

use cloudflare_access_host::TokenDuration;
use jiff::{Span, SpanRelativeTo, Timestamp};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// `30s`, `2m`, `24h`, `7d`, `2w`, and sums such as `1d 12h`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = |reason: String| format!("{reason}; write it like 30s, 15m, 24h or 30d");
    let span: Span = text.parse().map_err(|error| wrong(format!("{error}")))?;
    let duration = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| wrong("months and years have no fixed length".to_owned()))?;
    Duration::try_from(duration).map_err(|_| wrong("a negative duration".to_owned()))
}

/// What [`parse_duration`] takes, but not nothing.
pub fn parse_some_time(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        duration if duration < Duration::from_secs(1) => Err("it must be at least a second".to_owned()),
        duration => Ok(duration),
    }
}

/// What [`parse_duration`] takes, from a millisecond to 49 days.
pub fn parse_timeout(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_hours(49 * 24);
    match parse_duration(text)? {
        duration if duration < Duration::from_millis(1) => Err("it must be at least a millisecond".to_owned()),
        duration if duration > LONGEST => Err("it can be at most 49 days".to_owned()),
        duration => Ok(duration),
    }
}

/// The API's own notation (`8760h`, `forever`), and what [`parse_duration`] takes, in hours or seconds.
pub fn parse_token_duration(text: &str) -> Result<TokenDuration, String> {
    match text {
        "forever" => Ok(TokenDuration::forever()),
        _ => parse_duration(text).map(token_duration),
    }
}

/// Hours or seconds, or where these do not suffice the largest unit of the API that leaves nothing out.
fn token_duration(duration: Duration) -> TokenDuration {
    match duration.as_nanos() {
        _ if duration.subsec_nanos() == 0 => duration.into(),
        nanos if nanos % 1_000_000 == 0 => TokenDuration::notation(format!("{}ms", nanos / 1_000_000)),
        nanos if nanos % 1_000 == 0 => TokenDuration::notation(format!("{}us", nanos / 1_000)),
        nanos => TokenDuration::notation(format!("{nanos}ns")),
    }
}

/// `in 3 days`, `2 hours ago`; the text itself where it is no time.
pub fn relative(time: &str, now: Timestamp) -> String {
    let Ok(timestamp) = time.parse::<Timestamp>() else {
        return time.to_owned();
    };
    let seconds = timestamp.as_second() - now.as_second();
    let amount = rough(seconds.abs());
    if seconds <= 0 { format!("{amount} ago") } else { format!("in {amount}") }
}

/// How near an end is, for the colour it is shown in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nearness {
    Past,
    Within30Days,
    Later,
}

pub fn nearness(time: &str, now: Timestamp) -> Option<Nearness> {
    let seconds = time.parse::<Timestamp>().ok()?.as_second() - now.as_second();
    Some(match seconds {
        ..0 => Nearness::Past,
        _ if seconds < 30 * DAY => Nearness::Within30Days,
        _ => Nearness::Later,
    })
}

/// `30 days`, `6 hours`, `10 seconds`: roughly.
pub fn spoken(duration: Duration) -> String {
    match duration.as_secs() {
        1 => "1 second".to_owned(),
        seconds @ ..60 => format!("{seconds} seconds"),
        seconds => rough(i64::try_from(seconds).unwrap_or(i64::MAX)),
    }
}

fn rough(seconds: i64) -> String {
    let (length, unit) = match seconds {
        ..MINUTE => return "less than a minute".to_owned(),
        _ if seconds < 2 * HOUR => (MINUTE, "minute"),
        _ if seconds < 2 * DAY => (HOUR, "hour"),
        _ if seconds < 90 * DAY => (DAY, "day"),
        _ if seconds < 730 * DAY => (30 * DAY, "month"),
        _ => (365 * DAY, "year"),
    };
    let amount = seconds.saturating_add(length / 2) / length;
    if amount == 1 { format!("1 {unit}") } else { format!("{amount} {unit}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, seconds) in
            [("30s", 30), ("15m", 900), ("24h", 86_400), ("30d", 30 * 86_400), ("1d 12h", 129_600), ("2w", 1_209_600)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "soon", "1y", "2mo", "-3h", "10"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn some_time_is_at_least_a_second() {
        assert_eq!(parse_some_time("1s"), Ok(Duration::from_secs(1)));
        for text in ["0s", "0h", "999ms", "-1h", "soon"] {
            assert!(parse_some_time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_timeout_is_a_time_that_the_component_takes() {
        assert_eq!(parse_timeout("1ms"), Ok(Duration::from_millis(1)));
        assert_eq!(parse_timeout("49d"), Ok(Duration::from_hours(49 * 24)));
        for text in ["0s", "1us", "50d", "-1s"] {
            assert!(parse_timeout(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_duration_is_told_in_words() {
        for (duration, words) in [
            (Duration::from_secs(1), "1 second"),
            (Duration::from_secs(59), "59 seconds"),
            (Duration::from_mins(1), "1 minute"),
            (Duration::from_hours(6), "6 hours"),
            (Duration::from_hours(30 * 24), "30 days"),
        ] {
            assert_eq!(spoken(duration), words);
        }
        assert!(spoken(Duration::MAX).ends_with("years"));
    }

    #[test]
    fn a_token_duration_becomes_the_notation_of_the_api() {
        for (text, notation) in [
            ("365d", "8760h"),
            ("8760h", "8760h"),
            ("90m", "5400s"),
            ("forever", "forever"),
            ("1500ms", "1500ms"),
            ("1us", "1us"),
            ("1ns", "1ns"),
        ] {
            assert_eq!(parse_token_duration(text).unwrap().as_str(), notation, "{text}");
        }
    }

    #[test]
    fn times_are_told_in_words() {
        let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        for (time, words) in [
            ("2026-11-24T12:00:00Z", "less than a minute ago"),
            ("2026-11-24T12:00:30Z", "in less than a minute"),
            ("2026-11-24T13:30:00Z", "in 90 minutes"),
            ("2026-11-25T12:00:00Z", "in 24 hours"),
            ("2026-12-24T11:59:50Z", "in 30 days"),
            ("2027-11-24T12:00:00Z", "in 12 months"),
            ("2036-11-24T12:00:00Z", "in 10 years"),
            ("2026-11-22T11:00:00.12345Z", "2 days ago"),
            ("never", "never"),
        ] {
            assert_eq!(relative(time, now), words, "{time}");
        }
        assert_eq!(nearness("2026-11-24T11:59:59Z", now), Some(Nearness::Past));
        assert_eq!(nearness("2026-12-24T11:59:59Z", now), Some(Nearness::Within30Days));
        assert_eq!(nearness("2027-11-24T12:00:00Z", now), Some(Nearness::Later));
        assert_eq!(nearness("never", now), None);
    }
}
