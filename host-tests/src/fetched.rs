//! What the tests run besides themselves: fetched hosts and tools, and the component as a file for them.
//!
//! `host-tests/hosts/fetch` does the fetching, by the ordinary client of each registry, and nothing when a host is there.
//! What cannot be fetched is a failed test, never a skipped one.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use cloudflare_access_host::COMPONENT;

/// The folder of the drivers, one folder per host.
pub const HOSTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/hosts");

/// The program of a host of `hosts/pins.json`, which is fetched if it is not here.
///
/// # Panics
/// It cannot be fetched; what the client of the registry said is on the test's standard error.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let fetched = Command::new(Path::new(HOSTS).join("fetch"))
        .arg(name)
        .env("CARGO_TARGET_DIR", target_directory())
        .stderr(Stdio::inherit())
        .output()
        .expect("python3 runs host-tests/hosts/fetch");
    assert!(fetched.status.success(), "the host {name} could not be fetched; see above");
    PathBuf::from(String::from_utf8(fetched.stdout).expect("a path").trim())
}

/// The component that this workspace builds, as a file. The same bytes for every host.
///
/// # Panics
/// The file cannot be written.
#[must_use]
pub fn component() -> &'static Path {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| keep("hosts/component", "cloudflare_access.wasm", COMPONENT))
}

/// Bytes as a file `<target directory>/<folder>-<hash of the bytes>/<name>`, whole as soon as it is there.
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
        let part = folder.join(format!("{name}.{}", std::process::id()));
        std::fs::write(&part, bytes).expect("the file is written");
        std::fs::rename(&part, &file).expect("the file has its name");
    }
    file
}

/// Cargo's target directory, in which this test lies as `<profile>/deps/<name>`.
///
/// # Panics
/// The test is not in a target directory.
#[must_use]
pub fn target_directory() -> PathBuf {
    let test = std::env::current_exe().expect("the test knows its path");
    test.ancestors().nth(3).expect("a target directory").to_owned()
}
