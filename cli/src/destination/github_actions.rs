//! The environment or the outputs of a step of GitHub Actions.
//!
//! The runner is told first to mask the secret in the log. Then the pair is appended to the file that `GITHUB_ENV` or `GITHUB_OUTPUT`
//! names. No value has a line end, so each stands on a line `NAME=value`.

#![allow(clippy::doc_markdown, reason = "some comments are help texts, where backticks would be shown")]

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use clap::ValueEnum;
use cloudflare_access_host::{Destination, DestinationError, DestinationFuture, ExposeSecret, Pair};

use crate::arguments::Output;
use crate::destination::format::refuse_control_characters;
use crate::destination::names::Names;

/// What the pair becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GithubFile {
    /// Variables of the later steps, by GITHUB_ENV
    Env,
    /// Outputs of the step, by GITHUB_OUTPUT
    Output,
}

impl GithubFile {
    fn variable(self) -> &'static str {
        match self {
            Self::Env => "GITHUB_ENV",
            Self::Output => "GITHUB_OUTPUT",
        }
    }
}

/// A step of GitHub Actions.
#[derive(Debug)]
pub struct GithubActions {
    pub file: GithubFile,
    pub names: Names,
    /// The form of the output, which the mask is kept out of where a program reads it.
    pub output: Output,
}

impl Destination for GithubActions {
    fn name(&self) -> String {
        format!("GitHub Actions ({})", self.file.variable())
    }

    fn check<'a>(&'a self, _: Option<&'a str>) -> DestinationFuture<'a> {
        Box::pin(async { self.refuse_names_of_the_runner().and_then(|()| self.open()).map(drop) })
    }

    fn deliver<'a>(&'a self, pair: &'a Pair) -> DestinationFuture<'a> {
        Box::pin(async { self.append(pair) })
    }
}

impl GithubActions {
    /// The runner ignores variables with these names.
    fn refuse_names_of_the_runner(&self) -> Result<(), DestinationError> {
        let is_ignored = |name: &&String| {
            let name = name.to_ascii_uppercase();
            name == "CI" || name == "NODE_OPTIONS" || name.starts_with("GITHUB_") || name.starts_with("RUNNER_")
        };
        match [&self.names.client_id, &self.names.client_secret].into_iter().find(is_ignored) {
            Some(name) if self.file == GithubFile::Env => {
                Err(DestinationError::new(format!("GitHub Actions lets no step set the variable {name}"))
                    .with_advice("Give other names by --secret-names."))
            }
            _ => Ok(()),
        }
    }

    fn append(&self, pair: &Pair) -> Result<(), DestinationError> {
        refuse_control_characters(pair)?;
        let mut file = self.open()?;
        let secret = pair.client_secret.expose_secret();
        self.mask(secret).map_err(|error| {
            DestinationError::new(format!("GitHub Actions could not be told to mask the secret: {error}"))
        })?;
        let lines = format!("{}={}\n{}={secret}\n", self.names.client_id, pair.client_id, self.names.client_secret);
        let begun = begun_line(&mut file).unwrap_or(false);
        let written = file.write_all((if begun { "\n".to_owned() + &lines } else { lines }).as_bytes());
        written.map_err(|error| self.wrong(format_args!("cannot be written: {error}")))
    }

    /// Has the runner mask the secret, by standard output as its documentation says; or by standard error, which it reads, too, where a
    /// program reads the output.
    fn mask(&self, secret: &str) -> io::Result<()> {
        let command = format!("::add-mask::{}\n", secret.replace('%', "%25"));
        let mut stream: Box<dyn Write> = match self.output {
            Output::Table => Box::new(io::stdout()),
            Output::Json | Output::Env => Box::new(io::stderr()),
        };
        stream.write_all(command.as_bytes()).and_then(|()| stream.flush())
    }

    fn open(&self) -> Result<File, DestinationError> {
        let variable = self.file.variable();
        let path = std::env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from).ok_or_else(|| {
            DestinationError::new(format!("{variable} is not set, so this is no step of GitHub Actions"))
                .with_advice("Leave --github-actions out, or run the command in a step.")
        })?;
        OpenOptions::new()
            .read(true)
            .append(true)
            .open(path)
            .map_err(|error| self.wrong(format_args!("cannot be opened: {error}")))
    }

    fn wrong(&self, what: impl std::fmt::Display) -> DestinationError {
        DestinationError::new(format!("the file that {} names {what}", self.file.variable()))
    }
}

/// Tells whether a file ends in a line that has no end yet.
fn begun_line(file: &mut File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}
