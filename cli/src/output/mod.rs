//! What a command prints on standard output: a table for a person, JSON for scripts, or lines for a shell.
//!
//! The secret is in JSON and in the lines because that is what they are for; below a table only where the user asked for it.
//! Everything is written once, at the end. Where that fails after a change was made, the failure says so.

mod json;
mod table;

use std::io::{ErrorKind, Write};

use cloudflare_access_host::{
    Clock, Deletion, Ensured, ExpiryReport, ExposeSecret, RefreshReport, SecretString, ServiceToken,
};

use crate::arguments::Output;
use crate::command_line::quoted;
use crate::destination::{Names, line};
use crate::failure::Failure;
use crate::message::tell;

pub fn print_list(tokens: &[ServiceToken], output: Output) -> Result<(), Failure> {
    write(&match output {
        Output::Json => json::list(tokens)?,
        Output::Table | Output::Env => table::list(tokens, jiff::Timestamp::now()),
    })
}

/// For commands that give no single token.
pub fn refuse_env(output: Output, command: &str) -> Result<(), Failure> {
    match output {
        Output::Env => Err(Failure::usage(format!("--output env is for one token; use table or json with {command}"))),
        Output::Table | Output::Json => Ok(()),
    }
}

pub fn print_expiry(report: &ExpiryReport, output: Output) -> Result<(), Failure> {
    warn_if_clock_is_off(report.clock);
    write(&match output {
        Output::Json => json::expiry(report)?,
        Output::Table | Output::Env => table::expiry_report(report),
    })
}

pub fn print_renewal(report: &RefreshReport, output: Output) -> Result<(), Failure> {
    let is_any_renewed = report.tokens.iter().any(|token| token.refreshed.is_ok());
    let printed = write(&match output {
        Output::Json => json::renewal(report)?,
        Output::Table | Output::Env => table::renewal(report),
    });
    printed.map_err(|failure| if is_any_renewed { failure.applied() } else { failure })
}

/// A time that was taken from the API is right; a machine whose clock is off has other troubles.
fn warn_if_clock_is_off(clock: Clock) {
    if clock == Clock::Server {
        tell("warning: this machine's clock is off by more than a minute; the API's time was taken");
    }
}

/// What was done, for a person; for a script the token.
pub fn print_done(message: &str, token: &ServiceToken, output: Output) -> Result<(), Failure> {
    match output {
        Output::Table => write(&format!("{message}\n")).map_err(Failure::applied),
        Output::Json | Output::Env => print_changed(token, None, output),
    }
}

/// What became of a token that was to be deleted.
pub fn print_deletion(message: &str, id: &str, deletion: &Deletion, output: Output) -> Result<(), Failure> {
    let printed = match (output, deletion) {
        (Output::Table, _) => write(&format!("{message}\n")),
        (Output::Json, _) => write(&json::deletion(id, deletion)?),
        (Output::Env, Deletion::Deleted(token)) => print_token(token, output),
        (Output::Env, Deletion::AlreadyGone) => {
            tell(message);
            Ok(())
        }
    };
    printed.map_err(Failure::applied)
}

/// One token.
pub fn print_token(token: &ServiceToken, output: Output) -> Result<(), Failure> {
    print_pair(token, None, output)
}

/// One token after a change of it, with its new secret where one is to be shown.
pub fn print_changed(token: &ServiceToken, secret: Option<&SecretString>, output: Output) -> Result<(), Failure> {
    print_pair(token, secret, output).map_err(Failure::applied)
}

fn print_pair(token: &ServiceToken, secret: Option<&SecretString>, output: Output) -> Result<(), Failure> {
    let text = match output {
        Output::Json => json::token(token, secret)?,
        Output::Env => env_lines(token, secret)?.expose_secret().to_owned(),
        Output::Table => table::token(token, secret, jiff::Timestamp::now()),
    };
    write_token(&text, secret.is_some())
}

/// One token and how it came about, with its secret where one is to be shown.
pub fn print_ensured(ensured: &Ensured, secret: Option<&SecretString>, output: Output) -> Result<(), Failure> {
    let token = ensured.token();
    let printed = match output {
        Output::Json => write_token(&json::ensured(ensured, secret)?, secret.is_some()),
        Output::Table | Output::Env => {
            tell(format_args!("The token {} was {}.", token.id, ensured.as_str()));
            print_pair(token, secret, output)
        }
    };
    printed.map_err(|failure| if matches!(ensured, Ensured::Unchanged(_)) { failure } else { failure.applied() })
}

/// A text with a secret must be written, whoever reads it.
fn write_token(text: &str, has_secret: bool) -> Result<(), Failure> {
    if has_secret { write_all(text).map_err(|error| cannot_be_written(&error)) } else { write(text) }
}

/// Rows with titles above; none where there are no rows.
pub fn rows<const N: usize>(titles: [&str; N], rows: impl Iterator<Item = [String; N]>) -> Option<String> {
    table::of_rows(titles, rows)
}

/// As a shell or `docker run --env-file` reads them. What a shell would run or change is quoted; what no request header can carry is an
/// error.
pub fn env_lines(token: &ServiceToken, secret: Option<&SecretString>) -> Result<SecretString, Failure> {
    let secret = secret.map(ExposeSecret::expose_secret);
    let names = Names::of_scripts();
    let mut lines = String::new();
    for (name, value) in [(&names.client_id, token.client_id.as_deref()), (&names.client_secret, secret)] {
        let Some(value) = value else { continue };
        if value.chars().any(char::is_control) {
            return Err(Failure::defect(format!(
                "the API sent a {} with control characters for the token {}, which no request header can carry",
                if *name == names.client_id { "client id" } else { "secret" },
                quoted(&token.id)
            )));
        }
        lines += &line(name, value);
    }
    Ok(lines.into())
}

/// Whether what is written to standard output is lost. A closed output counts: Rust opens the null device in its place.
#[cfg(unix)]
pub fn goes_nowhere() -> bool {
    use std::os::fd::AsFd;
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    let output = std::io::stdout().as_fd().try_clone_to_owned().map(std::fs::File::from);
    match (output.and_then(|file| file.metadata()), std::fs::metadata("/dev/null")) {
        (Ok(output), Ok(null)) => output.file_type().is_char_device() && output.rdev() == null.rdev(),
        _ => false,
    }
}

#[cfg(not(unix))]
pub fn goes_nowhere() -> bool {
    false
}

/// Writes text that can be made again. A reader that has seen enough and closed its pipe is no failure.
pub fn write(text: &str) -> Result<(), Failure> {
    match write_all(text) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| cannot_be_written(&error)),
    }
}

fn write_all(text: &str) -> std::io::Result<()> {
    let mut output = anstream::stdout();
    output.write_all(text.as_bytes()).and_then(|()| output.flush())
}

fn cannot_be_written(error: &std::io::Error) -> Failure {
    Failure::defect(format!("standard output cannot be written: {error}"))
}
