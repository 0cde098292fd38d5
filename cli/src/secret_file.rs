//! Where a new secret goes: to standard output, or to a file of its own.
//!
//! All that can be tried is tried before the request is sent. The file is made only when the secret has come: it is written beside its
//! place, synced and renamed, so that nothing stops the command with an empty file left. A secret that cannot be written to its place
//! is not lost: it is kept in a file that only the user can read, or as the last resort shown on standard error.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use cloudflare_access_host::{ExposeSecret, SecretString, ServiceToken};
use tempfile::{Builder, NamedTempFile};

use crate::arguments::{Output, Secret};
use crate::environment::variable_in;
use crate::failure::Failure;
use crate::message::tell;
use crate::output::{self, CLIENT_ID, CLIENT_SECRET};

/// A place for a secret that will come.
#[derive(Debug)]
pub enum Destination {
    /// With the rest of the output.
    Output,
    /// A file that does not exist yet.
    File(PathBuf),
}

impl Destination {
    /// Finds the place before the request is sent.
    pub fn prepare(arguments: &Secret, output: Output) -> Result<Self, Failure> {
        match (&arguments.secret_file, output) {
            (Some(path), _) => {
                try_place(path)?;
                Ok(Self::File(path.clone()))
            }
            (None, Output::Table) if !arguments.show_secret => {
                Err(Failure::usage("where should the secret go? Nothing was sent.").advice(
                    "The API shows it once. Give --secret-file FILE, or --show-secret to print it, or --output env or json.",
                ))
            }
            (None, _) if output::goes_nowhere() => Err(Failure::usage(
                "standard output is closed or goes to the null device, where the secret would be lost; nothing was sent",
            )),
            (None, _) => Ok(Self::Output),
        }
    }

    /// The secret that the output shows: none where it goes to a file, which it is written to here.
    pub fn keep(self, token: &ServiceToken, secret: &SecretString) -> Result<Option<SecretString>, Failure> {
        let Self::File(path) = self else { return Ok(Some(secret.clone())) };
        let lines = output::lines_or_rescue(token, Some(secret))?;
        if let Err(error) = write(&path, &lines) {
            let failure = Failure::defect(format!("the secret could not be written to {}: {error}", path.display()));
            return Err(rescue(failure, &lines));
        }
        tell(format_args!("The client id and the secret are in {}.", path.display()));
        Ok(None)
    }
}

/// Whether the pair in a file is that of a token. An error where there is a file that cannot be read.
pub fn holds_pair_of(path: &Path, token: &ServiceToken) -> Result<bool, Failure> {
    let text = fs::read_to_string(path).map_err(|error| {
        Failure::defect(format!("the secret file {} cannot be read: {error}; nothing was sent", path.display()))
    })?;
    let client_id = variable_in(&text, CLIENT_ID);
    Ok(client_id.is_some() && client_id == token.client_id && variable_in(&text, CLIENT_SECRET).is_some())
}

/// Keeps a secret that could not be written to its place, and says in the failure where it is.
pub fn rescue(failure: Failure, lines: &SecretString) -> Failure {
    let failure = failure.applied();
    match keep_in_state_folder(lines) {
        Ok(path) => {
            failure.advice(format!("The secret is not lost. The client id and the secret are in {}.", path.display()))
        }
        Err(_) => match io::stderr().write_all(lines.expose_secret().as_bytes()) {
            Ok(()) => failure.advice("The client id and the secret are printed above, this once; keep them."),
            Err(_) => failure,
        },
    }
}

fn try_place(path: &Path) -> Result<(), Failure> {
    let wrong = |what: String| Failure::defect(format!("the secret file {} {what}; nothing was sent", path.display()));
    // A link to nowhere is something, too.
    if path.symlink_metadata().is_ok() {
        return Err(wrong("exists".to_owned()).advice("Give the name of a new file, or move this one away."));
    }
    beside(path).map(drop).map_err(|error| wrong(format!("cannot be made: {error}")))
}

/// An empty file in the folder of another, which only its owner can read. Removed if it is dropped.
fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    Builder::new().prefix(".access-tokens-").tempfile_in(folder)
}

fn write(path: &Path, lines: &SecretString) -> io::Result<()> {
    let mut file = beside(path)?;
    file.write_all(lines.expose_secret().as_bytes())?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path)?;
    // The file is kept whatever becomes of this; not every file system can do it.
    sync_folder(path).unwrap_or_default();
    Ok(())
}

/// Makes the name of a new file survive a loss of power.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

fn keep_in_state_folder(lines: &SecretString) -> io::Result<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let state = state.or_else(|| std::env::home_dir().map(|home| home.join(".local").join("state")));
    let folder = state.unwrap_or_else(std::env::temp_dir).join("access-tokens");
    fs::create_dir_all(&folder)?;
    let mut file = Builder::new().prefix("secret-").suffix(".env").tempfile_in(folder)?;
    file.write_all(lines.expose_secret().as_bytes())?;
    file.as_file().sync_all()?;
    let (_, path): (File, PathBuf) = file.keep()?;
    Ok(path)
}
