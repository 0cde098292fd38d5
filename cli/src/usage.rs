//! A command line that is wrong: told as clap words it, or as JSON where the line asks for that.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::{Error, ErrorKind};

use crate::arguments::Output;
use crate::command_line::command;
use crate::failure::{Failure, report};

/// Writes what clap has to say: the help or the version to standard output, an error to standard error.
pub fn end(error: &Error) -> ExitCode {
    if error.use_stderr() && asks_for_json(std::env::args_os().skip(1)) {
        return report(&failure(error), Output::Json);
    }
    // Nothing is left to say it on where this fails.
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(1))
}

/// Whether a command line that is wrong asks for JSON, as far as it can be read.
fn asks_for_json(arguments: impl Iterator<Item = OsString>) -> bool {
    let arguments = arguments.map(|argument| argument.to_string_lossy().into_owned());
    let words: Vec<String> = arguments.take_while(|word| word != "--").collect();
    let value = |index: usize| words.get(index + 1).map(String::as_str);
    words.iter().enumerate().any(|(index, word)| {
        let given = match (word.strip_prefix("--output"), word.strip_prefix('-')) {
            (Some(""), _) => value(index),
            (Some(rest), _) => rest.strip_prefix('='),
            // -o may stand behind the options of one letter that take no value.
            (None, Some(letters)) => match letters.trim_start_matches(['v', 'y']).strip_prefix('o') {
                Some("") => value(index),
                Some(rest) => Some(rest.trim_start_matches('=')),
                None => None,
            },
            (None, None) => None,
        };
        given == Some("json")
    })
}

/// The message is what clap says first; what it says of the usage is advice.
fn failure(error: &Error) -> Failure {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Failure::usage("a command is missing").advice(format!("  {}", command(&["--help"])));
    }
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let (message, advice) = text.split_once("\n\n").unwrap_or((text, ""));
    let lines = |text: &str| text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
    Failure::usage(lines(message).replace('\n', " ")).advice(lines(advice))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_asks_for_json_is_known_though_it_is_wrong() {
        for (line, is_json) in [
            ("get -o json", true),
            ("get -ojson", true),
            ("get -o=json", true),
            ("-vvo json get", true),
            ("--output json", true),
            ("--output=json get a b", true),
            ("get --output table", false),
            ("get --output", false),
            ("get json", false),
            ("get -- --output json", false),
            ("get --output-json json", false),
        ] {
            assert_eq!(asks_for_json(line.split(' ').map(OsString::from)), is_json, "{line}");
        }
    }
}
