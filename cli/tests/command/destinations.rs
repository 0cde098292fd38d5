//! Where a new secret goes by the command line: what reaches each destination, and what becomes of a secret that does not.

#![cfg(unix)]

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use cloudflare_access_simulator::{Operation, Simulator};
use tempfile::TempDir;

use crate::program::{run, shell, simulator};

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn names(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| PathBuf::from(entry.unwrap().file_name())).collect()
}

/// Runs a line that a user types in a folder.
fn typed(simulator: &Simulator, folder: &Path, line: &str) -> (i32, String, String) {
    run(&mut Command::from_std(shell(simulator, folder, line)))
}

fn changes(simulator: &Simulator) -> usize {
    simulator.requests().iter().filter(|request| request.operation.is_some_and(Operation::changes)).count()
}

fn last_secret(simulator: &Simulator) -> String {
    simulator.issued_secrets().pop().unwrap().expose().to_owned()
}

#[test]
fn every_command_that_makes_a_secret_replaces_the_file_of_the_last_one_and_keeps_its_mode() {
    let (simulator, folder) = (simulator(), folder());
    let file = folder.path().join("ci.env");
    let mut mode = 0o600;
    for line in ["create CI", "rotate CI --overlap 1h", "rotate CI --yes", "update CI --client-secret-version 4 --yes"]
    {
        let (code, stdout, stderr) =
            typed(&simulator, folder.path(), &format!("access-tokens {line} --secret-file ci.env --replace"));
        let secret = last_secret(&simulator);
        assert_eq!(code, 0, "{line}: {stderr}");
        assert!(!format!("{stdout}{stderr}").contains(&secret), "{line}: {stdout}{stderr}");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.ends_with(&format!("\nCF_ACCESS_CLIENT_SECRET={secret}\n")), "{line}: {text}");
        assert_eq!(names(folder.path()), [Path::new("ci.env")], "{line}");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, mode, "{line}");
        mode = 0o440;
        std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
    }
    assert_eq!(simulator.issued_secrets().len(), 4);
}

#[test]
fn what_a_replacement_would_lose_is_refused_before_anything_is_changed() {
    let (simulator, folder) = (simulator(), folder());
    let file = folder.path().join("f");
    let id = simulator.add_token(simulator.account(), "CI").token.client_id;
    let other = format!("{}.access", "0".repeat(32));
    let env = |id: &str| format!("CF_ACCESS_CLIENT_ID={id}\nCF_ACCESS_CLIENT_SECRET=x\n");
    let rotate = "rotate CI --overlap 1h --secret-file f --replace";
    for (line, text, complaint) in [
        (rotate, env(&other), "holds the pair of another token"),
        (rotate, format!("CLOUDFLARE_ACCESS_CLIENT_ID='{other}'\n"), "holds the pair of another token"),
        (rotate, format!(r#"{{"cf-access-client-id":"{other}"}}"#), "holds the pair of another token"),
        (rotate, env(&id) + "DB_PASSWORD=y\n", "holds other values, too: DB_PASSWORD"),
        ("update CI --client-secret-version 2 --yes --secret-file f --replace", env(&other), "another token"),
        // A token that is still to be made has no pair that could be there.
        ("create CD --secret-file f --replace", env(&id), "holds the pair of another token"),
        ("ensure CD --secret-file f --replace", env(&id), "holds the pair of another token"),
        ("issue CD --secret-file f --replace", env(&id), "holds the pair of another token"),
        ("rotate CI --overlap 1h --secret-file f", env(&id), "exists"),
    ] {
        std::fs::write(&file, &text).unwrap();
        let (code, _, stderr) = typed(&simulator, folder.path(), &format!("access-tokens {line}"));
        assert!(code == 1 && stderr.contains(complaint) && stderr.contains("nothing was changed"), "{line}: {stderr}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text, "{line}");
    }
    std::fs::remove_file(&file).unwrap();
    symlink("elsewhere", &file).unwrap();
    let folders = |line: &str| typed(&simulator, folder.path(), &format!("access-tokens {line} --replace"));
    for (line, complaint) in [
        ("create CD --secret-file f", "is a symbolic link"),
        ("create CD --secret-file .", "exists and is no regular file"),
        ("create CD --secret-file no/such/folder", "cannot be made"),
        ("create CD --secret-file /proc/self/status", "cannot be made"),
    ] {
        let (code, _, stderr) = folders(line);
        assert!(code == 1 && stderr.contains(complaint) && stderr.contains("nothing was changed"), "{line}: {stderr}");
    }
    assert!(!folder.path().join("elsewhere").exists());
    assert_eq!(changes(&simulator), 0);
}

#[test]
fn each_format_and_name_reaches_the_file_and_its_shell_and_verify_reads_it_again() {
    let (simulator, folder) = (simulator(), folder());
    for (options, reader) in [
        ("", ". ./f; printf %s \"$CF_ACCESS_CLIENT_SECRET\""),
        ("--secret-names wrangler", ". ./f; printf %s \"$CLOUDFLARE_ACCESS_CLIENT_SECRET\""),
        ("--secret-names A,B", ". ./f; printf %s \"$B\""),
        ("--secret-format secret", "/bin/cat f"),
        ("--secret-format json --secret-names A,B", r#"/bin/sed 's/.*"B":"//; s/".*//' f | /usr/bin/tr -d '\n'"#),
        ("--secret-format header", r#"/bin/sed 's/.*"cf-access-client-secret":"//; s/".*//' f"#),
    ] {
        let line = format!("access-tokens create CI --secret-file f {options}");
        let (code, _, stderr) = typed(&simulator, folder.path(), &line);
        assert_eq!(code, 0, "{line}: {stderr}");
        let (_, read, stderr) = typed(&simulator, folder.path(), reader);
        assert_eq!(read, last_secret(&simulator), "{line}: {stderr}");
        std::fs::remove_file(folder.path().join("f")).unwrap();
    }
    for options in
        ["--secret-names A,A", "--secret-names A-B,C", "--secret-names A", "--secret-format yaml --show-secret"]
    {
        let (code, _, stderr) =
            typed(&simulator, folder.path(), &format!("access-tokens create CI --secret-file f {options}"));
        assert_eq!(code, 2, "{options}: {stderr}");
    }
    let (code, _, stderr) = typed(&simulator, folder.path(), "access-tokens create CI --replace --show-secret");
    assert_eq!(code, 2, "{stderr}");
}
