//! Variables of the environment, and of a file that has lines such as `NAME=value`.
//!
//! White space, a carriage return and a byte-order mark at the ends of a value are taken off: editors, `echo` and Windows leave them
//! there. A variable without a value counts as absent.

use std::env::VarError;

use crate::failure::Failure;

/// Reads a variable of the environment.
pub fn variable(name: &str) -> Result<Option<String>, Failure> {
    match std::env::var(name) {
        Ok(value) => Ok(some(&value)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(Failure::configuration(&format!("{name} is not valid Unicode"))),
    }
}

/// The value without what is not part of it; none where nothing is left.
pub fn some(value: &str) -> Option<String> {
    let value = without_ends(value);
    (!value.is_empty()).then(|| value.to_owned())
}

/// Text without white space and byte-order marks at its ends.
pub fn without_ends(text: &str) -> &str {
    text.trim_matches(|character: char| character.is_whitespace() || character == '\u{feff}')
}

/// Finds the value of a line `NAME=value`, `export NAME=value` or `NAME="value"`.
pub fn variable_in(text: &str, wanted: &str) -> Option<String> {
    variables_in(text).into_iter().find_map(|(name, value)| if name == wanted { some(&value) } else { None })
}

/// Lists the names and values of such lines, in their order.
pub fn variables_in(text: &str) -> Vec<(String, String)> {
    let variables = text.lines().filter_map(|line| {
        let line = without_ends(line);
        let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
        let name = name.trim();
        (!name.starts_with('#')).then(|| (name.to_owned(), unquoted(value.trim())))
    });
    variables.collect()
}

/// A value without the quotes of a shell: a whole in one kind of quotes, where `'\''` in single ones is a quote.
fn unquoted(value: &str) -> String {
    let inside = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    match (inside('"'), inside('\'')) {
        (Some(inside), _) => inside.to_owned(),
        (_, Some(inside)) => inside.replace(r"'\''", "'"),
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_hold_variables_as_a_shell_has_them() {
        let text =
            "\u{feff}# comment\r\nexport CLOUDFLARE_EMAIL='me@example.com'\r\nCLOUDFLARE_API_KEY = \"abc\" \nEMPTY=\n";
        assert_eq!(variable_in(text, "CLOUDFLARE_EMAIL").as_deref(), Some("me@example.com"));
        assert_eq!(variable_in(text, "CLOUDFLARE_API_KEY").as_deref(), Some("abc"));
        assert_eq!(variable_in(text, "CLOUDFLARE_API_TOKEN"), None);
        assert_eq!(variable_in(text, "EMPTY"), None);
        assert_eq!(variable_in("\u{feff}A=b", "A").as_deref(), Some("b"));
    }

    #[test]
    fn what_editors_and_windows_leave_at_the_ends_is_taken_off() {
        for text in ["tok\n", "tok\r\n", " tok\t", "\u{feff}tok", "tok"] {
            assert_eq!(some(text).as_deref(), Some("tok"), "{text:?}");
        }
        for text in ["", " ", "\r\n", "\u{feff}"] {
            assert_eq!(some(text), None, "{text:?}");
        }
    }
}
