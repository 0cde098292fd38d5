//! What a command prints on standard output: a table for a person, JSON for scripts, or lines for a shell.
//!
//! The secret is in JSON and in the lines because that is what they are for; below a table only where the user asked for it.
//! Everything is written once, at the end. Where that fails after a change was made, the failure says so.

mod json;
mod table;

use std::io::Write;

use cloudflare_access_host::{
    Clock, Deletion, Ensured, ExpiryReport, ExposeSecret, RefreshReport, SecretString, ServiceToken,
};

use crate::arguments::Output;
use crate::failure::Failure;
use crate::lost_secret::not_shown;
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
    write(&match output {
        Output::Json => json::renewal(report)?,
        Output::Table | Output::Env => table::renewal(report),
    })
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
        Output::Table => write(&format!("{message}\n")),
        Output::Json | Output::Env => print_token(token, None, output),
    }
}

/// What became of a token that was to be deleted.
pub fn print_deletion(message: &str, id: &str, deletion: &Deletion, output: Output) -> Result<(), Failure> {
    match (output, deletion) {
        (Output::Table, _) => write(&format!("{message}\n")),
        (Output::Json, _) => write(&json::deletion(id, deletion)?),
        (Output::Env, Deletion::Deleted(token)) => print_token(token, None, output),
        (Output::Env, Deletion::AlreadyGone) => {
            tell(message);
            Ok(())
        }
    }
}

/// One token, with its new secret where one is to be shown.
pub fn print_token(token: &ServiceToken, secret: Option<&SecretString>, output: Output) -> Result<(), Failure> {
    let text = match output {
        Output::Json => json::token(token, secret)?,
        Output::Env => env_lines(token, secret).expose_secret().to_owned(),
        Output::Table => table::token(token, secret, jiff::Timestamp::now()),
    };
    write_token(&text, token, secret)
}

/// One token and how it came about, with its secret where one is to be shown.
pub fn print_ensured(ensured: &Ensured, secret: Option<&SecretString>, output: Output) -> Result<(), Failure> {
    let token = ensured.token();
    match output {
        Output::Json => write_token(&json::ensured(ensured, secret)?, token, secret),
        Output::Table | Output::Env => {
            tell(format_args!("The token {} was {}.", token.id, ensured.as_str()));
            print_token(token, secret, output)
        }
    }
}

fn write_token(text: &str, token: &ServiceToken, secret: Option<&SecretString>) -> Result<(), Failure> {
    write(text).map_err(|failure| match secret {
        Some(_) => failure.advice(not_shown(token)),
        None => failure,
    })
}

/// As a shell or `docker run --env-file` reads them.
pub fn env_lines(token: &ServiceToken, secret: Option<&SecretString>) -> SecretString {
    let id = token.client_id.as_ref().map(|id| format!("CF_ACCESS_CLIENT_ID={id}\n"));
    let secret = secret.map(|secret| format!("CF_ACCESS_CLIENT_SECRET={}\n", secret.expose_secret()));
    [id, secret].into_iter().flatten().collect::<String>().into()
}

/// The last resort for a secret that has no other place.
pub fn print_secret(lines: &SecretString) -> Result<(), Failure> {
    write(lines.expose_secret())
}

fn write(text: &str) -> Result<(), Failure> {
    let mut output = anstream::stdout();
    output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
        .map_err(|error| Failure::defect(format!("standard output cannot be written: {error}")))
}
