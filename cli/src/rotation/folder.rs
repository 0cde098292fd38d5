//! The state folder of the user: `--state-dir`, or `access-tokens/rotations` in `$XDG_STATE_HOME`.

use std::path::PathBuf;

use cloudflare_access_host::rotation::StateFolder;

use crate::arguments::Connection;
use crate::environment::variable;
use crate::failure::Failure;
use crate::message::tell;

/// Opens the folder, which is made where there is none.
pub fn open(connection: &Connection) -> Result<StateFolder, Failure> {
    let (path, _) = path(connection)?;
    let folder = StateFolder::open(path).map_err(|error| {
        Failure::configuration(&format!("{error}; nothing was sent")).advice(
            "A new secret is kept there until it is delivered. Name a folder with --state-dir, on a disk that outlives this process.",
        )
    })?;
    Ok(with_hook(folder))
}

/// Says what it means where the folder is gone after a job of CI.
pub fn warn_if_it_does_not_last(connection: &Connection) -> Result<(), Failure> {
    let (path, is_chosen) = path(connection)?;
    if !is_chosen && variable("CI")?.is_some_and(|value| value != "false") {
        tell(format_args!(
            "note: CI is set and neither --state-dir nor XDG_STATE_HOME, so the state folder {} may be gone after this job. If the job \
             is stopped before the new secret is delivered, the secret is lost; the old one passes until its overlap ends. Keep a folder \
             between jobs and name it with --state-dir.",
            path.display()
        ));
    }
    Ok(())
}

/// Where it is, and whether somebody has chosen that.
fn path(connection: &Connection) -> Result<(PathBuf, bool), Failure> {
    if let Some(path) = &connection.state_dir {
        return Ok((path.clone(), true));
    }
    let below = |folder: PathBuf| folder.join("access-tokens").join("rotations");
    if let Some(state) = std::env::var_os("XDG_STATE_HOME").filter(|folder| !folder.is_empty()) {
        return Ok((below(state.into()), true));
    }
    match std::env::home_dir() {
        Some(home) => Ok((below(home.join(".local").join("state")), false)),
        None => Err(Failure::usage(
            "there is no home folder to keep a new secret in until it is delivered; name a folder with --state-dir",
        )),
    }
}

/// Ends the process with SIGKILL at the point that a test names, in builds with debug assertions, which a released program is not.
#[cfg(all(debug_assertions, unix))]
fn with_hook(folder: StateFolder) -> StateFolder {
    let Ok(point) = std::env::var("ACCESS_TOKENS_TEST_KILL_AT") else { return folder };
    folder.with_hook(std::sync::Arc::new(move |reached| {
        if reached == point {
            let myself = std::process::id().to_string();
            let killed = std::process::Command::new("/bin/kill").args(["-9", &myself]).status();
            // A kill that failed must not look like one.
            tell(format_args!("not killed: {killed:?}"));
        }
    }))
}

#[cfg(not(all(debug_assertions, unix)))]
fn with_hook(folder: StateFolder) -> StateFolder {
    folder
}
