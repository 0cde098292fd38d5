//! What a command prints on standard output: a table for a person, JSON for scripts, or lines for a shell.
//!
//! The secret is in JSON and in the lines because that is what they are for; below a table only where the user asked for it.
//! Everything is written once, at the end. Where that fails after a change was made, the failure says so.

mod json;
mod table;

use std::io::Write;

use cloudflare_access_host::{ExposeSecret, SecretString, ServiceToken};

use crate::arguments::Output;
use crate::failure::Failure;

pub fn print_list(tokens: &[ServiceToken], output: Output) -> Result<(), Failure> {
    write(&match output {
        Output::Json => json::list(tokens)?,
        Output::Table | Output::Env => table::list(tokens, jiff::Timestamp::now()),
    })
}

/// One token, with its new secret where one is to be shown.
pub fn print_token(token: &ServiceToken, secret: Option<&SecretString>, output: Output) -> Result<(), Failure> {
    let text = match output {
        Output::Json => json::token(token, secret)?,
        Output::Env => env_lines(token, secret).expose_secret().to_owned(),
        Output::Table => table::token(token, secret, jiff::Timestamp::now()),
    };
    write(&text).map_err(|failure| match secret {
        Some(_) => failure.advice(format!(
            "The token {} has a new secret that was not shown. Get another with `access-tokens rotate {}`.",
            token.id, token.id
        )),
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

pub fn print_line(line: &str) -> Result<(), Failure> {
    write(&format!("{line}\n"))
}

fn write(text: &str) -> Result<(), Failure> {
    let mut output = anstream::stdout();
    output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
        .map_err(|error| Failure::defect(format!("standard output cannot be written: {error}")))
}
