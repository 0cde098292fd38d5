//! Moments: seconds since 1970, out of the two ways in which an answer writes them and into the one of the contract.

use time::format_description::well_known::Rfc3339;
use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time};

/// A moment as RFC 3339 writes it; fractions of a second are cut off.
pub fn parse(text: &str) -> Option<i64> {
    OffsetDateTime::parse(text, &Rfc3339).ok().map(OffsetDateTime::unix_timestamp)
}

/// A moment in RFC 3339, in UTC and whole seconds; none beyond the year 9999.
pub fn text(seconds: i64) -> Option<String> {
    let moment =
        OffsetDateTime::from_unix_timestamp(seconds).ok().filter(|moment| (0..=9999).contains(&moment.year()))?;
    let (date, time) = (moment.date(), moment.time());
    Some(format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second()
    ))
}

/// A date as HTTP writes it today: `Sun, 06 Nov 1994 08:49:37 GMT`. The two older forms are not in use on this API.
pub fn http_date(value: &str) -> Option<i64> {
    let mut parts = value.trim().split_once(", ")?.1.split(' ');
    let day = parts.next()?.parse().ok()?;
    let month = match parts.next()? {
        "Jan" => Month::January,
        "Feb" => Month::February,
        "Mar" => Month::March,
        "Apr" => Month::April,
        "May" => Month::May,
        "Jun" => Month::June,
        "Jul" => Month::July,
        "Aug" => Month::August,
        "Sep" => Month::September,
        "Oct" => Month::October,
        "Nov" => Month::November,
        "Dec" => Month::December,
        _ => return None,
    };
    let year = parts.next()?.parse().ok()?;
    let mut clock = parts.next()?.split(':').map(str::parse::<u8>);
    let mut next = || clock.next()?.ok();
    let time = Time::from_hms(next()?, next()?, next()?).ok()?;
    (parts.next() == Some("GMT")).then_some(())?;
    let date = Date::from_calendar_date(year, month, day).ok()?;
    Some(PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ways_to_write_a_moment_agree() {
        for (rfc, http, seconds) in [
            ("1994-11-06T08:49:37Z", "Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("2026-11-24T10:00:00Z", "Tue, 24 Nov 2026 10:00:00 GMT", 1_795_514_400),
        ] {
            assert_eq!((parse(rfc), http_date(http)), (Some(seconds), Some(seconds)));
            assert_eq!(text(seconds).as_deref(), Some(rfc));
        }
        assert_eq!(parse("2026-11-24T12:00:00.99+02:00"), parse("2026-11-24T10:00:00Z"));
        assert_eq!((parse("today"), http_date("today"), text(i64::MAX)), (None, None, None));
    }
}
