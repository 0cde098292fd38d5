//! What is shipped besides the code: the contract's page, its promise, the artifact in a registry.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use cloudflare_access_host_tests::fetched;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

#[test]
fn the_page_of_the_contract_is_fresh_and_the_contract_keeps_what_was_released() {
    let check = Command::new(Path::new(ROOT).join(".ci/contract")).arg("check").output().expect("it runs");
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
}

#[test]
fn a_field_that_is_added_to_the_contract_is_caught() {
    let copy = tempfile::tempdir().expect("a folder");
    for part in ["wit", ".ci", "docs"] {
        let copied = Command::new("cp").arg("-r").arg(Path::new(ROOT).join(part)).arg(copy.path()).status();
        assert!(copied.expect("cp runs").success());
    }
    std::fs::create_dir_all(copy.path().join("host-tests")).expect("a folder");
    std::os::unix::fs::symlink(fetched::HOSTS, copy.path().join("host-tests/hosts")).expect("a link");
    let types = copy.path().join("wit/types.wit");
    let text = std::fs::read_to_string(&types).expect("the types");
    std::fs::write(&types, text.replacen("  record service-token {", "  record service-token { added: bool,", 1))
        .expect("a changed contract");
    let contract = copy.path().join(".ci/contract");
    let run = |command| {
        let mut contract = Command::new(&contract);
        contract.arg(command).env("CARGO_TARGET_DIR", fetched::target_directory()).output().expect("it runs")
    };
    let said = String::from_utf8_lossy(&run("check").stderr).into_owned();
    assert!(said.contains("docs/contract.md is stale"), "{said}");
    assert!(run("docs").status.success());
    let said = String::from_utf8_lossy(&run("check").stderr).into_owned();
    assert!(said.contains("not semver-compatible"), "{said}");
}

#[test]
fn the_artifact_survives_a_registry_byte_for_byte() {
    let registry = Registry::start();
    let reference = format!("{}/cloudflare/access:0.1.0", registry.address);
    let wash = |arguments: &[&str]| {
        let output = Command::new(fetched::program("wash"))
            .args(["oci", arguments[0], "--insecure"])
            .args(&arguments[1..])
            .current_dir(&registry.folder)
            .env("HOME", registry.folder.path())
            .output()
            .expect("wash runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let pulled = registry.folder.path().join("pulled.wasm");
    wash(&["push", &reference, &fetched::component().to_string_lossy()]);
    wash(&["pull", &reference, &pulled.to_string_lossy()]);
    let digest = |file: &Path| Sha256::digest(std::fs::read(file).expect("a component"));
    assert_eq!(digest(fetched::component()), digest(&pulled));
}

/// Debian's `docker-registry` on a free port, with nothing in it.
struct Registry {
    process: Child,
    address: String,
    folder: TempDir,
}

impl Registry {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let storage = folder.path().join("storage");
        let config: PathBuf = folder.path().join("config.yml");
        std::fs::write(
            &config,
            format!(
                "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:0\n",
                storage.display()
            ),
        )
        .expect("a configuration");
        let mut process = Command::new(fetched::program("docker-registry"))
            .arg("serve")
            .arg(config)
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("the registry starts");
        let mut lines = BufReader::new(process.stderr.take().expect("its log")).lines();
        let address = loop {
            let line = lines.next().expect("the registry listens").expect("a line");
            if let Some((_, rest)) = line.split_once("listening on ") {
                break rest.split([' ', '"', ',']).next().expect("an address").to_owned();
            }
        };
        // It logs every request, and is never to wait for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, address: address.replace("127.0.0.1", "localhost"), folder }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
