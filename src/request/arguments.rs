//! The rules of arguments that are no identifiers. What passes becomes a part of a request.

use crate::contract::lifecycle::RefreshParams;
use crate::contract::types::{CreateParams, ErrorKind, ListAllParams, ListPageParams, PreviousSecret, UpdateParams};
use crate::failure::{Failure, Result};
use crate::request::{BodyFields, Query, go_duration};
use crate::timestamp::Timestamp;

/// The most characters of a name and of a client id.
pub const NAME_LIMIT: usize = 350;
/// The most characters to search for, so that they fit into a URL.
const SEARCH_LIMIT: usize = 1024;
/// A refresh gives 365 days; a day between is enough for clocks that differ.
const LONGEST_WINDOW: u32 = 364 * 86_400;

/// Checks a name.
pub fn name(name: &str) -> Result<()> {
    text("name", name, NAME_LIMIT)
}

/// Checks a text: one character at least, and so many at most.
pub fn text(argument: &str, text: &str, limit: usize) -> Result<()> {
    match text.chars().count() {
        0 => Err(Failure::argument(argument, text, "give at least one character")),
        length if length > limit => {
            Err(Failure::argument(argument, text, format_args!("at most {limit} characters, this has {length}")))
        }
        _ => Ok(()),
    }
}

/// Checks what `list-page` is to list.
pub fn list_page(params: &ListPageParams) -> Result<Query<'_>> {
    let ListPageParams { name, search, page, per_page } = params;
    let query = Query { name: name.as_deref(), search: search.as_deref(), page: *page, per_page: *per_page };
    list(query)
}

/// Checks what `list-all` is to list.
pub fn list_all(params: &ListAllParams) -> Result<Query<'_>> {
    let ListAllParams { name, search, per_page } = params;
    list(Query { name: name.as_deref(), search: search.as_deref(), page: None, per_page: *per_page })
}

fn list(query: Query<'_>) -> Result<Query<'_>> {
    query.name.map_or(Ok(()), name)?;
    query.search.map_or(Ok(()), |search| text("search", search, SEARCH_LIMIT))?;
    for (argument, number) in [("per-page", query.per_page), ("page", query.page)] {
        if number == Some(0) {
            return Err(Failure::number(argument, 0, "counting starts at 1"));
        }
    }
    Ok(query)
}

/// Checks what a token is made from.
pub fn create(params: &CreateParams) -> Result<BodyFields<'_>> {
    let CreateParams { name, duration, enabled, client_secret_version, previous_client_secret_expires_at } = params;
    body(BodyFields {
        name: Some(name),
        duration: duration.as_deref(),
        enabled: *enabled,
        client_secret_version: *client_secret_version,
        previous_client_secret_expires_at: previous_client_secret_expires_at.as_deref(),
    })
}

/// Checks what is to be changed, which must be something.
pub fn update(params: &UpdateParams) -> Result<BodyFields<'_>> {
    let UpdateParams { name, duration, enabled, client_secret_version, previous_client_secret_expires_at } = params;
    let fields = BodyFields {
        name: name.as_deref(),
        duration: duration.as_deref(),
        enabled: *enabled,
        client_secret_version: *client_secret_version,
        previous_client_secret_expires_at: previous_client_secret_expires_at.as_deref(),
    };
    if fields == BodyFields::default() {
        let message = "params has no field: there is nothing to change";
        return Err(Failure::new(ErrorKind::InvalidArgument, message));
    }
    body(fields)
}

fn body(fields: BodyFields<'_>) -> Result<BodyFields<'_>> {
    fields.name.map_or(Ok(()), name)?;
    fields.duration.map_or(Ok(()), duration)?;
    let end = fields.previous_client_secret_expires_at;
    end.map_or(Ok(()), |end| time("previous-client-secret-expires-at", end).map(drop))?;
    Ok(fields)
}

/// Checks until when the old secret is to pass after a rotation; none ends it.
pub fn previous_secret(previous: &PreviousSecret) -> Result<Option<&str>> {
    match previous {
        PreviousSecret::ExpiresNow => Ok(None),
        PreviousSecret::ExpiresAt(end) => time("previous.expires-at", end).map(|_| Some(end.as_str())),
    }
}

/// Checks a duration in the grammar of Go that the API uses, or `forever`.
fn duration(duration: &str) -> Result<()> {
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
    Err(Failure::argument("duration", duration, rule))
}

/// Reads a time in RFC 3339.
pub fn time(argument: &str, text: &str) -> Result<Timestamp> {
    let rule = "a time is written as in RFC 3339: \"2030-01-31T12:00:00Z\"";
    Timestamp::from_rfc3339(text).ok_or_else(|| Failure::argument(argument, text, rule))
}

/// Checks which tokens are to be refreshed.
pub fn refresh(params: &RefreshParams) -> Result<()> {
    if params.within_seconds > LONGEST_WINDOW {
        let rule = format_args!(
            "at most {LONGEST_WINDOW}, 364 days, since refreshing gives a year: else each run would refresh every token"
        );
        return Err(Failure::number("within-seconds", params.within_seconds, rule));
    }
    params.name.as_deref().map_or(Ok(()), name)
}

/// Checks the length of an overlap: at least a second.
pub fn overlap_seconds(seconds: u32) -> Result<()> {
    let rule = "to end the old secret at once, call `end-overlap`, or `service-tokens.rotate` with `expires-now`";
    if seconds == 0 { Err(Failure::number("overlap-seconds", seconds, rule)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::response::Redactor;

    fn message<T>(result: Result<T>) -> String {
        result.map_or_else(|failure| Redactor::new([]).message(&failure), |_| "accepted".to_owned())
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
        let page = |page| ListPageParams { name: None, search: None, page, per_page: None };
        assert!(message(list_page(&page(Some(0)))).starts_with("page is 0"));
        assert_eq!(message(list_page(&page(Some(1)))), "accepted");
        assert_eq!(message(list_page(&page(None))), "accepted");
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
        assert!(message(update(&nothing)).contains("nothing to change"));
        assert_eq!(message(update(&UpdateParams { enabled: Some(true), ..nothing })), "accepted");
    }
}
