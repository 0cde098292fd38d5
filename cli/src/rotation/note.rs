//! What the state folder keeps with an unfinished change, so that `resume` can do what the command would have done.

use std::path::PathBuf;

use clap::Parser;
use serde::{Deserialize, Serialize};

use crate::arguments::{Arguments, Command};
use crate::failure::Failure;
use crate::rotation::arguments as rotation;

/// The command line that began a change, and the folder that its paths are relative to. It holds no credential, since no argument does.
#[derive(Debug, Serialize, Deserialize)]
pub struct Note {
    folder: PathBuf,
    arguments: Vec<String>,
}

impl Note {
    /// That of this process; none for `resume`, which goes on with the command line of another.
    pub fn of_this_command() -> Option<String> {
        if matches!(Arguments::try_parse().ok()?.command, Command::Rotation(rotation::Command::Resume(_))) {
            return None;
        }
        let arguments = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
        let note = Self { folder: std::env::current_dir().unwrap_or_default(), arguments };
        serde_json::to_string(&note).ok()
    }

    pub fn read(text: &str) -> Result<Self, Failure> {
        serde_json::from_str(text).map_err(|_| {
            Failure::refused(
                "another program began it, and keeps how to go on in its own form: go on with that program",
            )
        })
    }

    /// Goes to the folder, and reads the command line again.
    pub fn arguments(&self) -> Result<Arguments, Failure> {
        std::env::set_current_dir(&self.folder).map_err(|error| {
            Failure::configuration(&format!("the folder {} cannot be gone to: {error}", self.folder.display()))
        })?;
        let arguments = std::iter::once("access-tokens").chain(self.arguments.iter().map(String::as_str));
        Arguments::try_parse_from(arguments).map_err(|_| {
            Failure::usage(format!(
                "the command that began it is not one of this version: {}",
                self.arguments.join(" ")
            ))
        })
    }
}
