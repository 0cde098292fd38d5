//! Moments: seconds since 1970, out of the two ways in which an answer writes them and into the one of the contract.
//!
//! Own code, since the `time` crate took 8 kB of the component for these three functions; it stands beside them in the tests.

use std::num::Wrapping;

use crate::text::{self, decimal, joined, split_once};

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// From the first day of the year 0 to that of 1970.
const DAYS_TO_1970: i64 = 719_528;
const DAY: i64 = 86_400;

/// A moment as RFC 3339 writes it; fractions of a second are cut off.
pub fn parse(text: &str) -> Option<i64> {
    let mut rest = text;
    let (year, month, day) = (number(&mut rest, 4)?, after(&mut rest, "-")?, after(&mut rest, "-")?);
    one_of(&mut rest, b"Tt ")?;
    let (hour, minute, second) = (number(&mut rest, 2)?, after(&mut rest, ":")?, after(&mut rest, ":")?);
    if let Some(fraction) = rest.strip_prefix('.') {
        rest = fraction.trim_start_matches(|character: char| character.is_ascii_digit());
        (rest.len() < fraction.len()).then_some(())?;
    }
    let offset = match one_of(&mut rest, b"Zz+-")? {
        b'Z' | b'z' => 0,
        sign => {
            let (hours, minutes) = (number(&mut rest, 2)?, after(&mut rest, ":")?);
            let offset = time_of_day(hours, minutes, 0)?;
            if sign == b'-' { offset.checked_neg()? } else { offset }
        }
    };
    // A leap second counts as the last one before it, and is only at the end of a month.
    let seconds = |second| date(year, month, day)?.checked_add(time_of_day(hour, minute, second)?)?.checked_sub(offset);
    let moment = if second == 60 { seconds(59).filter(|last| is_end_of_month(*last))? } else { seconds(second)? };
    rest.is_empty().then_some(moment)
}

/// A moment in RFC 3339, in UTC and whole seconds; none beyond the year 9999.
pub fn text(seconds: i64) -> Option<String> {
    let (year, month, day) = civil(seconds.div_euclid(DAY))?;
    let second = seconds.rem_euclid(DAY);
    let (hour, minute, second) = (second.div_euclid(3600), second.div_euclid(60).rem_euclid(60), second.rem_euclid(60));
    let [month, day, hour, minute, second] = [month, day, hour, minute, second].map(|number| padded(number, 100));
    Some(joined(&[&padded(year, 10_000), "-", &month, "-", &day, "T", &hour, ":", &minute, ":", &second, "Z"]))
}

/// A number below this power of ten, in as many digits as that has noughts.
fn padded(number: i64, power: i64) -> String {
    decimal(number.saturating_add(power)).get(1..).unwrap_or_default().to_owned()
}

/// A date as HTTP writes it today: `Sun, 06 Nov 1994 08:49:37 GMT`. The two older forms are not in use on this API.
pub fn http_date(value: &str) -> Option<i64> {
    let mut rest = split_once(value.trim_ascii(), ", ")?.1;
    let day = number(&mut rest, 2)?;
    let (name, after_name) = rest.strip_prefix(' ')?.split_at_checked(3)?;
    let month = (1..).zip(MONTHS).find_map(|(number, month)| (month == name).then_some(number))?;
    rest = after_name.strip_prefix(' ')?;
    let year = number(&mut rest, 4)?;
    rest = rest.strip_prefix(' ')?;
    let (hour, minute, second) = (number(&mut rest, 2)?, after(&mut rest, ":")?, after(&mut rest, ":")?);
    (rest == " GMT").then_some(())?;
    date(year, month, day)?.checked_add(time_of_day(hour, minute, second)?)
}

/// A number of two digits behind a separator.
fn after(rest: &mut &str, separator: &str) -> Option<i64> {
    *rest = rest.strip_prefix(separator)?;
    number(rest, 2)
}

/// A number of so many digits.
fn number(rest: &mut &str, length: usize) -> Option<i64> {
    let (digits, after) = rest.split_at_checked(length)?;
    *rest = after;
    i64::try_from(text::number(digits)?).ok()
}

/// One character of these.
fn one_of(rest: &mut &str, any: &[u8]) -> Option<u8> {
    let (first, after) = rest.split_at_checked(1)?;
    *rest = after;
    first.bytes().next().filter(|first| any.contains(first))
}

/// Seconds since midnight.
fn time_of_day(hour: i64, minute: i64, second: i64) -> Option<i64> {
    let is_time = hour < 24 && minute < 60 && second < 60;
    is_time.then_some((Wrapping(hour) * Wrapping(3600) + Wrapping(minute) * Wrapping(60) + Wrapping(second)).0)
}

/// Seconds from 1970 to the start of a day of the Gregorian calendar.
fn date(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_date = (1..=12).contains(&month) && (1..=days_of_month(year, month)).contains(&day);
    is_date.then_some((Wrapping(day_number(year, month, day)) * Wrapping(DAY)).0)
}

/// Days from 1970 to this one.
fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let months: Wrapping<i64> = (1..month).map(|month| Wrapping(days_of_month(year, month))).sum();
    let years = Wrapping(year) * Wrapping(365) + leap_days_before(Wrapping(year));
    (years + months + Wrapping(day) - Wrapping(1) - Wrapping(DAYS_TO_1970)).0
}

/// The leap days from the year 0, which has one, to the start of this year.
fn leap_days_before(year: Wrapping<i64>) -> Wrapping<i64> {
    let last = (year - Wrapping(1)).0;
    let each = |years| Wrapping(last.div_euclid(years));
    each(4) - each(100) + each(400) + Wrapping(1)
}

fn days_of_month(year: i64, month: i64) -> i64 {
    let is_leap = year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0);
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Year, month and day of so many days since 1970; none outside of the years 0 to 9999.
fn civil(days: i64) -> Option<(i64, i64, i64)> {
    // 400 years have 146,097 days, so this is the year or the one after it.
    let guess = days.checked_add(DAYS_TO_1970)?.checked_mul(400)?.div_euclid(146_097);
    let starts = |year: &i64| day_number(*year, 1, 1) <= days;
    let year = [guess.checked_add(1)?, guess].into_iter().find(starts).unwrap_or(guess.checked_sub(1)?);
    let month = (1..=12).rev().find(|month| day_number(year, *month, 1) <= days)?;
    let day = days.checked_sub(day_number(year, month, 1))?.checked_add(1)?;
    (0..=9999).contains(&year).then_some((year, month, day))
}

fn is_end_of_month(seconds: i64) -> bool {
    let is_last_day =
        civil(seconds.div_euclid(DAY)).is_some_and(|(year, month, day)| day == days_of_month(year, month));
    is_last_day && seconds.rem_euclid(DAY) == DAY.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;
    use time::format_description::well_known::{Rfc2822, Rfc3339};
    use time::{Date, Month, OffsetDateTime};

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

    fn theirs(text: &str) -> Option<i64> {
        OffsetDateTime::parse(text, &Rfc3339).ok().map(OffsetDateTime::unix_timestamp)
    }

    #[test]
    fn days_of_ten_thousand_years_are_counted_as_the_time_crate_does() {
        const BORDERS: [(u8, u8); 5] = [(1, 1), (2, 28), (3, 1), (10, 31), (12, 31)];
        let each = |year| Date::from_calendar_date(year, Month::January, 1).expect("a day");
        let days = |year| {
            std::iter::successors(Some(each(year)), |day| day.next_day()).take_while(move |day| day.year() == year)
        };
        let is_border = |day: &Date| BORDERS.contains(&(u8::from(day.month()), day.day()));
        for year in 0..=9999 {
            let all = (1890..=2110).contains(&year);
            for day in days(year).filter(|day| all || is_border(day)) {
                let seconds = day.midnight().assume_utc().unix_timestamp();
                let shown = format!("{:04}-{:02}-{:02}T00:00:00Z", day.year(), u8::from(day.month()), day.day());
                assert_eq!((text(seconds).as_deref(), parse(&shown)), (Some(shown.as_str()), Some(seconds)), "{day}");
            }
        }
        assert_eq!((text(-62_167_219_201), text(253_402_300_800), text(i64::MIN)), (None, None, None));
    }

    #[test]
    fn leap_seconds_and_offsets_are_read_as_the_time_crate_does() {
        for text in [
            "2016-12-31T23:59:60Z",
            "2016-12-31T23:59:60.5Z",
            "2017-01-01T05:29:60+05:30",
            "2016-12-31T18:59:60-05:00",
            "2016-12-30T23:59:60Z",
            "2016-12-31T22:59:60Z",
            "2016-12-31T23:58:60Z",
            "2016-12-31T23:59:61Z",
            "2026-02-29T00:00:00Z",
            "2028-02-29T00:00:00z",
            "2026-11-24t24:00:00Z",
            "2026-11-24 10:00:00+23:59",
            "2026-11-24T10:00:00+24:00",
            "2026-11-24T10:00:00-00:60",
            "2026-11-24T10:00:00.Z",
            "2026-11-24T10:00:00.123456789012Z",
            "2026-11-24T10:00:00",
            "2026-11-24T10:00Z",
            "2026-11-24",
            "+026-11-24T10:00:00Z",
        ] {
            assert_eq!(parse(text), theirs(text), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn any_moment_is_read_as_the_time_crate_does(
            date in "[0-9]{4}-[01][0-9]-[0-3][0-9]", separator in select(vec!["T", "t", " "]), hour in "[0-2][0-9]",
            clock in ":[0-6][0-9]:[0-6][0-9]", fraction in "(\\.[0-9]{0,10})?", offset in "(Z|z|[+-][0-2][0-9]:[0-6][0-9])?",
            tail in ".{0,1}",
        ) {
            let text = format!("{date}{separator}{hour}{clock}{fraction}{offset}{tail}");
            // They fail where the moment is before the year 0 or after 9999 in UTC; such a one is of no use here either.
            if let Some(seconds) = theirs(&text) {
                assert_eq!(parse(&text), Some(seconds), "{text}");
            } else if let Some(seconds) = parse(&text) {
                assert_eq!(super::text(seconds), None, "{text}");
            }
        }

        #[test]
        fn a_date_of_http_is_read_as_the_time_crate_does(
            day in "[0-3][0-9]", month in select(MONTHS.to_vec()), year in "(19|20)[0-9]{2}", clock in "[0-2][0-9]:[0-6][0-9]:[0-5][0-9]",
        ) {
            let text = format!("Sun, {day} {month} {year} {clock}");
            // Theirs checks the name of the day, which ours does not read.
            let theirs = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"].into_iter().find_map(|name| {
                let text = format!("{name}, {day} {month} {year} {clock} +0000");
                OffsetDateTime::parse(&text, &Rfc2822).ok()
            });
            assert_eq!(http_date(&format!("{text} GMT")), theirs.map(OffsetDateTime::unix_timestamp), "{text}");
        }
    }
}
