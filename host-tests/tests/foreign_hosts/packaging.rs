//! What is shipped besides the code: the contract's page, its promise, the released artifact in a registry.

use std::path::Path;
use std::process::Command;

use cloudflare_access_host_tests::fetched;
use cloudflare_access_host_tests::programs::{self, BUILD_LIMIT};
use cloudflare_access_host_tests::registry::Registry;
use sha2::{Digest, Sha256};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

#[test]
fn the_page_of_the_contract_is_fresh_and_the_contract_keeps_what_was_released() {
    let mut check = Command::new(Path::new(ROOT).join(".ci/contract"));
    check.arg("check").env("CARGO_TARGET_DIR", fetched::target_directory());
    let check = programs::output(check, BUILD_LIMIT);
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
    let contract = copy.path().join(".ci/contract");
    let run = |command| {
        let mut contract = Command::new(&contract);
        contract.arg(command).env("CARGO_TARGET_DIR", fetched::target_directory());
        programs::output(contract, BUILD_LIMIT)
    };
    assert!(run("release").status.success());
    let types = copy.path().join("wit/types.wit");
    let text = std::fs::read_to_string(&types).expect("the types");
    std::fs::write(&types, text.replacen("  record service-token {", "  record service-token { added: bool,", 1))
        .expect("a changed contract");
    let said = String::from_utf8_lossy(&run("check").stderr).into_owned();
    assert!(said.contains("docs/contract.md is stale"), "{said}");
    assert!(run("docs").status.success());
    let check = run("check");
    let said = String::from_utf8_lossy(&check.stderr).into_owned();
    assert!(said.contains("not semver-compatible"), "{said}");
    let changes = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(changes.contains("+| `added` | `bool` |"), "{changes}");
}

#[test]
fn the_released_component_and_its_wit_survive_a_registry_byte_for_byte_and_are_pulled_by_digest() {
    let folder = tempfile::tempdir().expect("a folder");
    let release = folder.path().join("release");
    let mut script = Command::new(Path::new(ROOT).join(".ci/component"));
    script
        .arg(&release)
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("CARGO_TARGET_DIR", fetched::target_directory());
    let made = programs::output(script, BUILD_LIMIT);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let registry = Registry::start(folder.path());
    let pulled = folder.path().join("pulled.wasm");
    // The component, and the contract as a package of WIT.
    for (artifact, file) in [
        ("cloudflare/access:0.1.0", "cloudflare_access.wasm"),
        ("cloudflare/access-wit:0.1.0", "cloudflare-access-0.1.0.wit.wasm"),
    ] {
        let released = release.join(file);
        registry.push(artifact, &released);
        let by_digest = registry.by_digest(artifact);
        registry.pull(&by_digest, &pulled);
        let sum = |path: &Path| format!("{:x}", Sha256::digest(std::fs::read(path).expect("a component")));
        assert_eq!(sum(&pulled), sum(&released), "{file}");
        let (name, digest) = by_digest.split_once(':').expect("a digest");
        let another = format!("{name}:{}", digest.chars().rev().collect::<String>());
        assert!(!registry.try_wash("pull", &another, &pulled).status.success(), "another digest is pulled");
    }
    // What an editor shows comes with the package: the section `package-docs`.
    let mut wit = Command::new(fetched::program("wasm-tools"));
    wit.args(["component", "wit"]).arg(&pulled);
    let wit = String::from_utf8(programs::output(wit, BUILD_LIMIT).stdout).expect("text");
    assert!(wit.contains("/// Gives a token of an account a new secret."), "{wit}");
}

#[test]
fn the_host_crate_names_the_digest_of_the_component_that_it_carries() {
    let digest = format!("{:x}", Sha256::digest(cloudflare_access_host::COMPONENT));
    assert_eq!(cloudflare_access_host::COMPONENT_SHA256, digest);
}

#[test]
fn a_release_is_refused_of_a_changed_tree_a_tag_that_is_not_the_version_and_a_version_without_changes() {
    let copy = tempfile::tempdir().expect("a folder");
    let run = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(copy.path());
        programs::output(command, BUILD_LIMIT)
    };
    for part in [".ci", "Cargo.toml", "CHANGELOG.md"] {
        assert!(run("cp", &["-r", &format!("{ROOT}/{part}"), "."]).status.success());
    }
    let commit = || {
        let identity = ["-c", "user.name=a test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"];
        assert!(run("git", &["add", "--all"]).status.success());
        assert!(run("git", &[&identity[..], &["commit", "--quiet", "--message", "all"]].concat()).status.success());
    };
    let refusal = |arguments: &[&str]| {
        let release = run(".ci/release", arguments);
        assert_eq!(release.status.code(), Some(1), "{release:?}");
        String::from_utf8_lossy(&release.stderr).into_owned()
    };
    assert!(run("git", &["init", "--quiet"]).status.success());
    commit();
    let tag = concat!("v", env!("CARGO_PKG_VERSION"));

    std::fs::write(copy.path().join("forgotten"), "").expect("a file");
    let said = refusal(&[]);
    assert!(said.contains("differs from its commit") && said.contains("?? forgotten"), "{said}");
    std::fs::remove_file(copy.path().join("forgotten")).expect("a file");

    let said = refusal(&["--tag", "v9.9.9"]);
    assert!(
        said.contains("the tag is v9.9.9") && said.contains(&format!("the tag of this version is {tag}")),
        "{said}"
    );

    std::fs::write(copy.path().join("CHANGELOG.md"), "## 0.0.1\n").expect("a file");
    commit();
    let said = refusal(&["--tag", tag]);
    assert!(said.contains(&format!("no line \"## {}\"", &tag[1..])), "{said}");

    std::fs::write(copy.path().join("CHANGELOG.md"), format!("## {}\n", &tag[1..])).expect("a file");
    let manifest = std::fs::read_to_string(copy.path().join("Cargo.toml")).expect("a manifest");
    let start = manifest.find("repository = ").expect("an address");
    let end = start + manifest[start..].find('\n').expect("a line");
    let unknown = format!("{}repository = \"https://github.com/OWNER/x\"{}", &manifest[..start], &manifest[end..]);
    std::fs::write(copy.path().join("Cargo.toml"), unknown).expect("a file");
    commit();
    let said = refusal(&["--tag", tag]);
    assert!(said.contains("OWNER stands for the address") && said.contains("Cargo.toml"), "{said}");
}
