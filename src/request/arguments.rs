//! The rules of arguments that are no identifiers.

use crate::contract::lifecycle::RefreshParams;
use crate::contract::types::{CreateParams, UpdateParams};
use crate::request::{Invalid, go_duration};
use crate::timestamp::Timestamp;

pub const NAME_LIMIT: usize = 350;
const SEARCH_LIMIT: usize = 1024;
/// A refresh gives 365 days; a day between is enough for clocks that differ.
const LONGEST_WINDOW: u32 = 364 * 86_400;

/// Checks a name: 1 to 350 characters.
pub fn name(name: &str) -> Result<(), Invalid> {
    text("name", name, NAME_LIMIT)
}

/// Checks a client id: 1 to 350 characters.
pub fn client_id(client_id: &str) -> Result<(), Invalid> {
    text("client-id", client_id, NAME_LIMIT)
}

/// Checks a text to search for: 1 to 1024 characters, so that it fits into a URL.
pub fn search(search: &str) -> Result<(), Invalid> {
    text("search", search, SEARCH_LIMIT)
}

fn text(argument: &str, text: &str, limit: usize) -> Result<(), Invalid> {
    match text.chars().count() {
        0 => Err(Invalid::argument(argument, text, "leave it out or give it at least one character")),
        length if length > limit => {
            Err(Invalid::argument(argument, text, format_args!("at most {limit} characters, this has {length}")))
        }
        _ => Ok(()),
    }
}

/// Checks what `list-page` and `list-all` filter by.
pub fn filters(name: Option<&str>, search: Option<&str>, per_page: Option<u32>) -> Result<(), Invalid> {
    name.map_or(Ok(()), self::name)?;
    search.map_or(Ok(()), self::search)?;
    from_one("per-page", per_page)
}

/// Checks a number that starts at one.
pub fn from_one(argument: &str, number: Option<u32>) -> Result<(), Invalid> {
    match number {
        Some(0) => Err(Invalid::number(argument, 0, "counting starts at 1")),
        _ => Ok(()),
    }
}

/// Checks what a token is made from.
pub fn create_params(params: &CreateParams) -> Result<(), Invalid> {
    name(&params.name)?;
    changes(params.duration.as_deref(), params.previous_client_secret_expires_at.as_deref())
}

/// Checks what is to be changed, which must be something.
pub fn update_params(params: &UpdateParams) -> Result<(), Invalid> {
    let UpdateParams { name, duration, enabled, client_secret_version, previous_client_secret_expires_at } = params;
    let is_empty = name.is_none()
        && duration.is_none()
        && enabled.is_none()
        && client_secret_version.is_none()
        && previous_client_secret_expires_at.is_none();
    if is_empty {
        return Err(Invalid::arguments("params has no field: there is nothing to change"));
    }
    name.as_deref().map_or(Ok(()), self::name)?;
    changes(duration.as_deref(), previous_client_secret_expires_at.as_deref())
}

fn changes(duration: Option<&str>, previous: Option<&str>) -> Result<(), Invalid> {
    duration.map_or(Ok(()), self::duration)?;
    previous.map_or(Ok(()), |time| self::time("previous-client-secret-expires-at", time).map(drop))
}

/// Checks a duration in the grammar of Go that the API uses, or `forever`.
pub fn duration(duration: &str) -> Result<(), Invalid> {
    if duration == "forever" {
        return Ok(());
    }
    let rule = match go_duration::nanoseconds(duration) {
        None => "use `forever`, or numbers with the units ns, us, ms, s, m, h such as \"8760h\" or \"2h45m\"",
        Some(0) => "a token must live for some time",
        Some(nanoseconds) if i64::try_from(nanoseconds).is_err() => {
            "the longest duration is 2562047h (292 years); use `forever`"
        }
        Some(_) => return Ok(()),
    };
    Err(Invalid::argument("duration", duration, rule))
}

/// Reads a time in RFC 3339.
pub fn time(argument: &str, text: &str) -> Result<Timestamp, Invalid> {
    let rule = "a time is written as in RFC 3339: \"2030-01-31T12:00:00Z\"";
    Timestamp::from_rfc3339(text).ok_or_else(|| Invalid::argument(argument, text, rule))
}

/// Checks which tokens are to be refreshed.
pub fn refresh_params(params: &RefreshParams) -> Result<(), Invalid> {
    if params.within_seconds > LONGEST_WINDOW {
        let rule = format_args!(
            "at most {LONGEST_WINDOW}, 364 days, since refreshing gives a year: else each run would refresh every token"
        );
        return Err(Invalid::number("within-seconds", params.within_seconds, rule));
    }
    params.name.as_deref().map_or(Ok(()), name)
}

/// Checks the length of an overlap: at least a second.
pub fn overlap_seconds(seconds: u32) -> Result<(), Invalid> {
    let rule = "to end the old secret at once, call `end-overlap`, or `service-tokens.rotate` with `expires-now`";
    if seconds == 0 { Err(Invalid::number("overlap-seconds", seconds, rule)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<T>(result: Result<T, Invalid>) -> String {
        result.map_or_else(|invalid| invalid.message, |_| "accepted".to_owned())
    }

    #[test]
    fn durations_follow_the_grammar_of_go() {
        for accepted in ["8760h", "2h45m", "1.5h", ".5s", "1ns", "forever", "2562047h", "9223372036854775807ns"] {
            assert_eq!(message(duration(accepted)), "accepted", "{accepted}");
        }
        for refused in ["", "30d", "8760", "-1h", "1h ", "Forever"] {
            assert!(message(duration(refused)).contains("units ns, us, ms, s, m, h"), "{refused}");
        }
        for zero in ["0s", "0h0m", ".0000000001ns"] {
            assert!(message(duration(zero)).contains("must live"), "{zero}");
        }
        for long in ["2562048h", "99999999999999999999999999999999999999999999h", "9223372037s"] {
            assert!(message(duration(long)).contains("292 years"), "{long}");
        }
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
        for refused in ["", "2030-01-01", "2030-01-01T00:00:00", "2030-13-01T00:00:00Z", "1900000000", "tomorrow"] {
            assert!(message(time("t", refused)).starts_with("t is "), "{refused}");
        }
    }

    #[test]
    fn pages_and_overlaps_start_at_one() {
        assert!(message(from_one("page", Some(0))).starts_with("page is 0"));
        assert_eq!(message(from_one("page", Some(1))), "accepted");
        assert_eq!(message(from_one("page", None)), "accepted");
        assert!(message(overlap_seconds(0)).starts_with("overlap-seconds is 0"));
        assert_eq!(message(overlap_seconds(1)), "accepted");
    }

    #[test]
    fn an_update_changes_something() {
        let nothing = UpdateParams {
            name: None,
            duration: None,
            enabled: None,
            client_secret_version: None,
            previous_client_secret_expires_at: None,
        };
        assert!(message(update_params(&nothing)).contains("nothing to change"));
        assert_eq!(message(update_params(&UpdateParams { enabled: Some(true), ..nothing })), "accepted");
    }
}
