//! Aligned text for a person: times in words, and colour for what is off or ends soon (standard output takes the colour out
//! where no terminal looks on, or `NO_COLOR` is set).

use anstyle::{AnsiColor, Style};
use cloudflare_access_host::{ExpiryReport, ExposeSecret, RefreshReport, SecretString, ServiceToken};
use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use jiff::Timestamp;

use crate::words::{Nearness, nearness, relative};

const BOLD: Style = Style::new().bold();
const DIMMED: Style = Style::new().dimmed();
const RED: Style = AnsiColor::Red.on_default();
/// How much of a name is shown at least.
const LEAST_OF_A_NAME: usize = 4;
const YELLOW: Style = AnsiColor::Yellow.on_default();

pub fn list(tokens: &[ServiceToken], now: Timestamp) -> String {
    if tokens.is_empty() {
        return "No tokens.\n".to_owned();
    }
    rows(tokens, now)
}

/// What expires, soonest first, then what is off or cannot be read, then how many more there are.
pub fn expiry_report(report: &ExpiryReport) -> String {
    let due = report.expiring.iter().chain(&report.disabled).map(|due| &due.token);
    let shown: Vec<&ServiceToken> = due.chain(&report.unreadable).collect();
    let shown = if shown.is_empty() {
        "No token expires in this time.\n".to_owned()
    } else {
        rows(shown, time_of(&report.now))
    };
    let others: Vec<String> = [
        (usize::try_from(report.later).unwrap_or(usize::MAX), "lives longer", "live longer"),
        (report.forever.len(), "never expires", "never expire"),
        (report.unreadable.len(), "has no expiry that can be read", "have no expiry that can be read"),
    ]
    .into_iter()
    .filter(|(count, ..)| *count > 0)
    .map(|(count, one, several)| format!("{count} {}", if count == 1 { one } else { several }))
    .collect();
    if others.is_empty() { shown } else { format!("{shown}\n{}.\n", others.join(", ")) }
}

/// What was due, and what came of each.
pub fn renewal(report: &RefreshReport) -> String {
    if report.tokens.is_empty() {
        return "Nothing was due.\n".to_owned();
    }
    let now = time_of(&report.now);
    let mut table = plain_table();
    table.set_header(["NAME", "ID", "EXPIRES", "RESULT"].map(|title| styled(BOLD, title)));
    for due in &report.tokens {
        let (expires, result) = match &due.refreshed {
            Ok(token) => (expiry(token, now), "renewed".to_owned()),
            Err(error) => (text(None), styled(RED, &printable(&error.message))),
        };
        table.add_row([text(due.name.as_deref()), printable(&due.id), expires, result]);
    }
    lines(&table)
}

/// Rows with titles above; none where there are no rows.
pub fn of_rows<const N: usize>(titles: [&str; N], rows: impl Iterator<Item = [String; N]>) -> Option<String> {
    let mut table = plain_table();
    table.set_header(titles.map(|title| styled(BOLD, title)));
    let mut rows = rows.peekable();
    rows.peek()?;
    table.add_rows(rows.map(|row| row.map(|cell| printable(&cell))));
    Some(lines(&table))
}

/// The time that a report was made at, which need not be this machine's.
fn time_of(now: &str) -> Timestamp {
    now.parse().unwrap_or_else(|_| Timestamp::now())
}

fn rows<'a>(tokens: impl IntoIterator<Item = &'a ServiceToken>, now: Timestamp) -> String {
    let tokens: Vec<&ServiceToken> = tokens.into_iter().collect();
    let whole = whole_rows(&tokens, now);
    match columns() {
        Some(columns) if widest(&whole) > columns => narrow_rows(&tokens, now, columns),
        _ => whole,
    }
}

fn whole_rows(tokens: &[&ServiceToken], now: Timestamp) -> String {
    let mut table = plain_table();
    table.set_header(["NAME", "ID", "CLIENT ID", "EXPIRES", "LAST USED", "STATE"].map(|title| styled(BOLD, title)));
    for token in tokens {
        table.add_row([
            text(token.name.as_deref()),
            printable(&token.id),
            text(token.client_id.as_deref()),
            expiry(token, now),
            last_used(token, now),
            state(token),
        ]);
    }
    lines(&table)
}

/// Without the client id, with short times, and with names cut where they are too long for the terminal.
fn narrow_rows(tokens: &[&ServiceToken], now: Timestamp, columns: usize) -> String {
    let rows = |longest_name: usize| {
        let mut table = plain_table();
        table.set_header(["NAME", "ID", "EXPIRES", "USED", "STATE"].map(|title| styled(BOLD, title)));
        for token in tokens {
            table.add_row([
                text(token.name.as_deref().map(|name| cut(name, longest_name)).as_deref()),
                printable(&token.id),
                short(&expiry(token, now)),
                short(&last_used(token, now)),
                state(token),
            ]);
        }
        lines(&table)
    };
    let longest_name = tokens.iter().map(|token| token.name.as_deref().unwrap_or_default().chars().count()).max();
    let longest_name = longest_name.unwrap_or_default();
    let too_wide = widest(&rows(longest_name)).saturating_sub(columns);
    rows(longest_name.saturating_sub(too_wide).max(LEAST_OF_A_NAME))
}

/// How many columns there are: those of `COLUMNS` or of the terminal. None where the output goes elsewhere, which cuts nothing.
fn columns() -> Option<usize> {
    let given = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    given.or_else(|| plain_table().width().map(usize::from))
}

fn widest(text: &str) -> usize {
    let text = anstream::adapter::strip_str(text).to_string();
    text.lines().map(|line| line.chars().count()).max().unwrap_or_default()
}

fn cut(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    let kept = text.chars().take(longest.saturating_sub(1));
    kept.chain(['\u{2026}']).collect()
}

/// Times in words, shorter.
fn short(words: &str) -> String {
    [
        ("in less than a minute", "now"),
        ("less than a minute ago", "now"),
        (" minutes", "min"),
        (" minute", "min"),
        (" hours", "h"),
        (" hour", "h"),
        (" days", "d"),
        (" day", "d"),
        (" months", "mo"),
        (" month", "mo"),
        (" years", "y"),
        (" year", "y"),
    ]
    .into_iter()
    .fold(words.to_owned(), |words, (long, short)| words.replace(long, short))
}

fn last_used(token: &ServiceToken, now: Timestamp) -> String {
    let time = token.last_seen_at.as_deref();
    time.map_or_else(|| styled(DIMMED, "never"), |time| printable(&relative(time, now)))
}

pub fn token(token: &ServiceToken, secret: Option<&SecretString>, now: Timestamp) -> String {
    let mut table = plain_table();
    let mut row = |title: &str, value: String| {
        table.add_row([styled(DIMMED, title), value]);
    };
    let time = |time: &str| format!("{} ({})", printable(time), printable(&relative(time, now)));
    row("name", text(token.name.as_deref()));
    row("id", printable(&token.id));
    row("client id", text(token.client_id.as_deref()));
    row("state", state(token));
    row(
        "expires",
        token
            .expires_at
            .as_deref()
            .map_or_else(|| text(None), |at| format!("{} ({})", printable(at), expiry_words(at, token, now))),
    );
    row("duration", text(token.duration.as_deref()));
    row("last used", token.last_seen_at.as_deref().map_or_else(|| styled(DIMMED, "never"), time));
    for (title, value) in [("created", &token.created_at), ("updated", &token.updated_at)] {
        row(title, value.as_deref().map_or_else(|| text(None), time));
    }
    if let Some(version) = token.client_secret_version {
        row("secret version", version.to_string());
    }
    if let Some(until) = &token.previous_client_secret_expires_at {
        row("previous secret", format!("until {}", time(until)));
    }
    for field in &token.additional_fields {
        row(&printable(&field.name), printable(&field.json));
    }
    if let Some(secret) = secret {
        row("client secret", printable(secret.expose_secret()));
    }
    let mut shown = lines(&table);
    if secret.is_some() {
        shown.push_str("\nThe secret is shown this once. Keep it now.\n");
    }
    shown
}

/// Without borders, and never wrapped: ids are there to be copied.
fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table
}

/// The table's lines without the space at either end.
fn lines(table: &Table) -> String {
    table.lines().fold(String::new(), |text, line| text + line.trim() + "\n")
}

fn expiry(token: &ServiceToken, now: Timestamp) -> String {
    token.expires_at.as_deref().map_or_else(|| text(None), |at| expiry_words(at, token, now))
}

fn expiry_words(at: &str, token: &ServiceToken, now: Timestamp) -> String {
    if token.duration.as_deref() == Some("forever") {
        return "never".to_owned();
    }
    let words = printable(&relative(at, now));
    match nearness(at, now) {
        Some(Nearness::Past) => styled(RED, &words),
        Some(Nearness::Within30Days) => styled(YELLOW, &words),
        Some(Nearness::Later) | None => words,
    }
}

fn state(token: &ServiceToken) -> String {
    match token.enabled {
        Some(false) => styled(RED, "off"),
        Some(true) | None => "on".to_owned(),
    }
}

fn text(value: Option<&str>) -> String {
    value.map_or_else(|| styled(DIMMED, "–"), printable)
}

/// Without the characters that a terminal would obey: names are free text of whoever may make tokens.
fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { char::REPLACEMENT_CHARACTER } else { character }).collect()
}

fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_command_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\r\nc"), "a\u{fffd}[2Jb\u{fffd}\u{fffd}c");
    }
}
