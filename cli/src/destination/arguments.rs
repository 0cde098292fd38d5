//! The options that say where a new secret goes, and the destinations that they name.

#![allow(clippy::doc_markdown, reason = "these comments are help texts, where backticks would be shown")]

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use cloudflare_access_host::{Destination, ServiceToken};

use crate::destination::contents::Contents;
use crate::destination::file::SecretFile;
use crate::destination::format::{Form, Format};
use crate::destination::names::Names;
use crate::failure::Failure;

/// Where a new secret goes. The API shows it once.
#[derive(Debug, Args)]
#[command(next_help_heading = "Where the new secret goes", group = ArgGroup::new("destination").multiple(true))]
pub struct SecretArguments {
    /// Write the client id and the secret to a new file that only you can read
    #[arg(long, value_name = "FILE", group = "destination")]
    pub secret_file: Option<PathBuf>,
    /// Replace the secret file in one step if it is there, and keep its owner and mode; not if it holds the pair of another token
    #[arg(long, requires = "secret_file")]
    pub replace: bool,
    /// How the pair is written
    #[arg(
        long,
        value_name = "FORMAT",
        value_enum,
        default_value = "env",
        hide_possible_values = false,
        requires = "destination"
    )]
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
    #[arg(long, conflicts_with_all = ["destination", "replace", "secret_format", "secret_names"])]
    pub show_secret: bool,
}

impl SecretArguments {
    /// Makes the destinations; none where the secret goes to the output.
    pub fn destinations(&self) -> Result<Vec<Box<dyn Destination>>, Failure> {
        let mut destinations: Vec<Box<dyn Destination>> = Vec::new();
        if let Some(path) = &self.secret_file {
            destinations.push(Box::new(SecretFile { path: absolute(path)?, replace: self.replace, form: self.form() }));
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

    fn form(&self) -> Form {
        Form { format: self.secret_format, names: self.secret_names.clone() }
    }
}

/// The path from the root, which means the same file wherever a rotation is gone on with.
fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path)
        .map_err(|error| Failure::usage(format!("the secret file {} has no place: {error}", path.display())))
}
