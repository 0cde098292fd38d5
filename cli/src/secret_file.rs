//! Where a new secret goes: to standard output, or to a file of its own.
//!
//! All that can fail is tried before the request is sent. A secret that comes and cannot be kept would be lost, so as the last
//! resort it is printed.

use std::fs::{File, OpenOptions, remove_file};
use std::io::Write;
use std::path::{Path, PathBuf};

use cloudflare_access_host::{ExposeSecret, SecretString, ServiceToken};

use crate::arguments::{Output, Secret};
use crate::failure::Failure;
use crate::message::tell;
use crate::output;

/// A place for a secret that will come.
#[derive(Debug)]
pub enum Destination {
    /// With the rest of the output.
    Output,
    /// A file that exists, is empty, and only its owner can read. Removed if it is dropped empty.
    File(SecretFile),
}

impl Destination {
    /// Finds the place before the request is sent.
    pub fn prepare(arguments: &Secret, output: Output) -> Result<Self, Failure> {
        match (&arguments.secret_file, output) {
            (Some(path), _) => Ok(Self::File(SecretFile::create(path)?)),
            (None, Output::Table) if !arguments.show_secret => Err(Failure::usage("where should the secret go? Nothing was sent.").advice(
                "The API shows it once. Give --secret-file FILE, or --show-secret to print it, or --output env or json.",
            )),
            (None, _) => Ok(Self::Output),
        }
    }

    /// The secret that the output shows: none where it goes to a file, which it is written to here.
    pub fn keep(self, token: &ServiceToken, secret: &SecretString) -> Result<Option<SecretString>, Failure> {
        match self {
            Self::Output => Ok(Some(secret.clone())),
            Self::File(file) => file.write(&output::env_lines(token, Some(secret))).map(|()| None),
        }
    }
}

/// A new file for one secret.
#[derive(Debug)]
pub struct SecretFile {
    path: PathBuf,
    file: File,
    written: bool,
}

impl SecretFile {
    fn create(path: &Path) -> Result<Self, Failure> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|error| {
            Failure::defect(format!("the secret file {} cannot be made: {error}; nothing was sent", path.display()))
        })?;
        Ok(Self { path: path.to_owned(), file, written: false })
    }

    fn write(mut self, lines: &SecretString) -> Result<(), Failure> {
        let written = self.file.write_all(lines.expose_secret().as_bytes()).and_then(|()| self.file.sync_all());
        match written {
            Ok(()) => {
                self.written = true;
                tell(format_args!("The client id and the secret are in {}.", self.path.display()));
                Ok(())
            }
            Err(error) => {
                output::print_secret(lines)?;
                Err(Failure::defect(format!(
                    "the secret could not be written to {}: {error}. It is printed above, this once; keep it.",
                    self.path.display()
                )))
            }
        }
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        if !self.written
            && let Err(error) = remove_file(&self.path)
        {
            tell(format_args!("warning: the empty file {} could not be removed: {error}", self.path.display()));
        }
    }
}
