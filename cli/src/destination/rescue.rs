//! Keeps a secret that did not reach its place.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

use cloudflare_access_host::{ExposeSecret, SecretString};
use tempfile::Builder;

use crate::failure::Failure;

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
