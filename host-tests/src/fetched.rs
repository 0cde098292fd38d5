//! The programs that the tests run, which `host-tests/hosts/fetch` downloads, and the component as a file for them.
//!
//! `fetch` uses the ordinary client of each registry, and no network if the program is in the target folder already. A program
//! that cannot be fetched fails the test; it is never skipped.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::programs::{self, BUILD_LIMIT};
use crate::{code_cache, component_under_test};

/// The folder of the drivers, with one folder per host.
pub const HOSTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/hosts");

/// Returns the path of a program of `hosts/pins.json`, after fetching it if it is not in the target folder.
///
/// # Panics
/// It cannot be fetched; the panic shows the messages of `fetch`.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let mut fetch = Command::new(Path::new(HOSTS).join("fetch"));
    fetch.arg(name).env("CARGO_TARGET_DIR", target_directory());
    let fetched = programs::output(fetch, BUILD_LIMIT);
    assert!(fetched.status.success(), "{name} cannot be fetched:\n{}", String::from_utf8_lossy(&fetched.stderr));
    PathBuf::from(String::from_utf8(fetched.stdout).expect("a path").trim())
}

/// Returns a command that runs a program of `hosts/pins.json`. The code that it compiles goes to the code cache of the tests and
/// not to the user's.
///
/// # Panics
/// It cannot be fetched.
#[must_use]
pub fn command(name: &str) -> Command {
    let mut command = Command::new(program(name));
    command.env("XDG_CACHE_HOME", code_cache().parent().expect("the folder of the caches"));
    command
}

/// Returns the component under test as a file: the same bytes for every host.
///
/// # Panics
/// The file cannot be written.
#[must_use]
pub fn component() -> &'static Path {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| keep("hosts/component", "cloudflare_access.wasm", component_under_test()))
}

/// Writes bytes to `<target directory>/<folder>-<hash of the bytes>/<name>` and returns its path. The file is complete as soon as
/// it exists, also if several tests write it at once.
///
/// # Panics
/// The file cannot be written.
#[must_use]
pub fn keep(folder: &str, name: &str, bytes: &[u8]) -> PathBuf {
    let mut hash = DefaultHasher::new();
    bytes.hash(&mut hash);
    let folder = target_directory().join(format!("{folder}-{:016x}", hash.finish()));
    let file = folder.join(name);
    if !file.exists() {
        std::fs::create_dir_all(&folder).expect("a folder");
        let mut part = tempfile::NamedTempFile::new_in(&folder).expect("a temporary file");
        part.write_all(bytes).expect("the file is written");
        part.persist(&file).expect("the file has its name");
    }
    file
}

/// Returns cargo's target directory, in which this test lies as `<profile>/deps/<name>`.
///
/// # Panics
/// The test is not in a target directory.
#[must_use]
pub fn target_directory() -> PathBuf {
    let test = std::env::current_exe().expect("the test knows its path");
    test.ancestors().nth(3).expect("a target directory").to_owned()
}
