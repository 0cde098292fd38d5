//! The options that say where a new secret goes, and the destinations that they name.

#![allow(clippy::doc_markdown, reason = "these comments are help texts, where backticks would be shown")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{ArgGroup, Args};
use cloudflare_access_host::{Destination, ServiceToken};

use crate::arguments::Output;
use crate::destination::command::SecretCommand;
use crate::destination::contents::Contents;
use crate::destination::file::SecretFile;
use crate::destination::format::{Form, Format};
use crate::destination::github_actions::{GithubActions, GithubFile};
use crate::destination::names::Names;
use crate::failure::Failure;
use crate::words::parse_some_time;

/// Where a new secret goes. The API shows it once.
#[derive(Debug, Args)]
#[command(next_help_heading = "Where the new secret goes", group = ArgGroup::new("destination").multiple(true))]
pub struct SecretArguments {
    /// Write the client id and the secret to a new file that only you can read; on Windows, who may read its folder
    #[arg(long, value_name = "FILE", group = "destination")]
    pub secret_file: Option<PathBuf>,
    /// Replace the secret file in one step if it is there, and keep its owner and mode; not if it holds the pair of another token
    #[arg(long, requires = "secret_file")]
    pub replace: bool,
    /// Give the pair to this command on its standard input, by the shell; more than once for several commands
    #[arg(long, value_name = "COMMAND", group = "destination")]
    pub secret_command: Vec<String>,
    /// Time for each secret command, which is run again until it succeeds
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = parse_some_time,
        default_value = "60s",
        requires = "secret_command"
    )]
    pub secret_command_timeout: Duration,
    /// Have GitHub Actions mask the secret, and set variables of the later steps, or outputs of this step
    #[arg(
        long,
        value_name = "env|output",
        value_enum,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "env",
        group = "destination"
    )]
    pub github_actions: Option<GithubFile>,
    /// How the pair is written to the file and to the commands
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "env", requires = "destination")]
    pub secret_format: Format,
    /// The names that the client id and the secret get; wrangler stands for the two that wrangler and cf read
    #[arg(
        long,
        value_name = "CLIENT_ID_NAME,CLIENT_SECRET_NAME",
        default_value_t = Names::of_scripts(),
        requires = "destination"
    )]
    pub secret_names: Names,
    /// Show the secret below the table
    #[arg(long, conflicts_with_all = ["destination", "replace", "secret_command_timeout", "secret_format", "secret_names"])]
    pub show_secret: bool,
}

impl SecretArguments {
    /// Makes the destinations; none where the secret goes to the output. `output` is the form of that.
    pub fn destinations(&self, output: Output) -> Result<Vec<Box<dyn Destination>>, Failure> {
        let mut destinations: Vec<Box<dyn Destination>> = Vec::new();
        if let Some(path) = &self.secret_file {
            destinations.push(Box::new(SecretFile { path: absolute(path)?, replace: self.replace, form: self.form() }));
        }
        if let Some(file) = self.github_actions {
            destinations.push(Box::new(GithubActions { file, names: self.secret_names.clone(), output }));
        }
        for (index, command) in self.secret_command.iter().enumerate() {
            if self.secret_command[..index].contains(command) {
                return Err(Failure::usage(format!("the secret command {command} is given twice")));
            }
            let (command, timeout) = (command.clone(), self.secret_command_timeout);
            destinations.push(Box::new(SecretCommand { command, timeout, form: self.form() }));
        }
        Ok(destinations)
    }

    /// Tells whether the secret file holds the pair of a token.
    pub fn holds_pair_of(&self, path: &Path, token: &ServiceToken) -> Result<bool, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::defect(format!("the secret file {} cannot be read: {error}; nothing was changed", path.display()))
        })?;
        let Contents { client_id, client_secret, .. } = Contents::of(&text, &self.secret_names);
        Ok(client_id.is_some() && client_id == token.client_id && client_secret.is_some())
    }

    /// Refuses a file that will not tell whose secret it holds, for a command that has to know.
    pub fn refuse_bare_secret_file(&self) -> Result<(), Failure> {
        if self.secret_file.is_some() && self.secret_format == Format::Secret {
            return Err(Failure::usage(
                "a file with the secret alone does not tell whose it is, so the next run could not; give another --secret-format",
            ));
        }
        Ok(())
    }

    /// Tells whether there are destinations of which it is not known what they hold.
    pub fn has_more_than_a_file(&self) -> bool {
        self.github_actions.is_some() || !self.secret_command.is_empty()
    }

    fn form(&self) -> Form {
        Form { format: self.secret_format, names: self.secret_names.clone() }
    }
}

/// The path from the root, which means the same file wherever a rotation is gone on with.
fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path)
        .map_err(|error| Failure::usage(format!("the secret file {} has no place: {error}", path.display())))
}
