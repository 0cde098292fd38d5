//! What becomes of a secret where something goes wrong on the way: signals, full disks, closed outputs, files that are there.

#![cfg(unix)]

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use assert_cmd::Command;
use cloudflare_access_simulator::{Fault, FaultKind, Operation, Simulator};
use tempfile::TempDir;

use crate::program::{
    assert_shown, child, commands, end, first_id, program, run, send, shell, simulator, wait_for_request,
};

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// The state folder keeps the secret that was made last, in a file that only its owner can read, and the message says so.
fn assert_saved(simulator: &Simulator, folder: &Path, stderr: &str) {
    let saved = files(&folder.join("access-tokens").join("rotations"));
    let file = saved.iter().find(|file| file.extension().is_some_and(|extension| extension == "json"));
    let file = file.unwrap_or_else(|| panic!("{saved:?} {stderr}"));
    let secret = simulator.issued_secrets().pop().unwrap();
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains(secret.expose()), "{text}");
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(stderr.contains("is kept in the state folder") && !stderr.contains(secret.expose()), "{stderr}");
}

#[test]
fn a_signal_leaves_no_file_and_says_what_is_known() {
    for signal in ["-INT", "-TERM", "-HUP"] {
        let (simulator, folder) = (simulator(), folder());
        simulator.inject(FaultKind::NeverAnswer);
        let mut create = child(&simulator);
        create.args(["create", "CI", "--secret-file"]).arg(folder.path().join("ci.env")).stderr(Stdio::piped());
        let mut child = create.spawn().unwrap();
        wait_for_request(&simulator);
        assert_eq!(files(folder.path()), [] as [PathBuf; 0]);
        send(signal, &child);
        let status = end(&mut child);
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!(status.code(), Some(130), "{stderr}");
        assert!(stderr.contains("The token may exist") && commands(&stderr).len() == 1, "{stderr}");
        assert_eq!(files(folder.path()), [] as [PathBuf; 0]);
    }
}

/// `script` of util-linux gives the program a terminal.
#[cfg(target_os = "linux")]
#[test]
fn a_signal_at_a_prompt_ends_the_command_and_changes_nothing() {
    let simulator = simulator();
    let token = simulator.add_token(simulator.account(), "CI").token;
    for arguments in [format!("delete {}", token.id), "delete CI".to_owned(), "rotate CI --secret-file f".to_owned()] {
        let folder = folder();
        let mut script = child(&simulator);
        let program = script.get_program().to_str().unwrap().to_owned();
        let environment: Vec<_> =
            script.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
        script = std::process::Command::new("script");
        script.env_clear().envs(environment).env("PATH", "/usr/bin:/bin").current_dir(folder.path());
        script.args(["-qec", &format!("{program} {arguments}"), "/dev/null"]);
        let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut shown = Vec::new();
        let mut output = child.stdout.take().unwrap();
        let mut byte = [0];
        while !shown.ends_with(b"[y/N] ") {
            assert_eq!(output.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&shown));
            shown.push(byte[0]);
        }
        child.stdin.as_mut().unwrap().write_all(b"\x03").unwrap();
        let status = end(&mut child);
        output.read_to_end(&mut shown).unwrap();
        let shown = String::from_utf8_lossy(&shown);
        assert_eq!(status.code(), Some(130), "{arguments}: {shown}");
        assert!(shown.contains("interrupted; nothing was changed"), "{shown}");
        assert_eq!(files(folder.path()), [] as [PathBuf; 0]);
    }
    assert_eq!(simulator.issued_secrets().len(), 1);
    assert_eq!(first_id(&simulator), token.id);
}

#[cfg(target_os = "linux")]
#[test]
fn a_secret_that_cannot_be_printed_is_saved() {
    let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
    for command in [&["create", "CI", "--output", "env"][..], &["ensure", "CI", "--show-secret"]] {
        let (simulator, state) = (simulator(), folder());
        let mut create = child(&simulator);
        create.env("XDG_STATE_HOME", state.path()).args(command).stdout(full());
        let output = create.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(16), "{stderr}");
        assert_saved(&simulator, state.path(), &stderr);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_change_whose_result_cannot_be_printed_is_told_as_applied() {
    let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
    for command in [
        &["create", "other"][..],
        &["delete", "CI", "--yes"],
        &["rotate", "CI", "--yes"],
        &["update", "CI", "--duration", "100d"],
        &["refresh", "CI"],
        &["refresh-expiring", "--within", "364d"],
        &["ensure", "CI", "--duration", "100d"],
        &["disable", "CI", "--yes"],
        &["extend-overlap", "CI", "--overlap", "1d"],
    ] {
        let (simulator, state) = (simulator(), folder());
        let _ = simulator.add_token(simulator.account(), "CI");
        // Of the year that it has, less than 364 days are left.
        simulator.advance(Duration::from_hours(48));
        let mut change = child(&simulator);
        change.env("XDG_STATE_HOME", state.path()).args(command).args(["--output", "json"]).stdout(full());
        let output = change.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let error: serde_json::Value = stderr.lines().find_map(|line| serde_json::from_str(line).ok()).unwrap();
        // The secret of the first and the third has not been delivered.
        let code = if ["create", "rotate"].contains(&command[0]) { 16 } else { 1 };
        assert_eq!((output.status.code(), &error["error"]["outcome"]), (Some(code), &"applied".into()), "{stderr}");
        assert_eq!(simulator.commits().len(), 1, "{command:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_changes_nothing_and_cannot_be_printed_is_told_as_not_applied() {
    for command in [&["get", "CI"][..], &["ensure", "CI"]] {
        let simulator = simulator();
        let _ = simulator.add_token(simulator.account(), "CI");
        let mut program = child(&simulator);
        program.args(command).args(["--output", "json"]);
        let output = program.stdout(std::fs::File::options().write(true).open("/dev/full").unwrap()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let error: serde_json::Value = stderr.lines().find_map(|line| serde_json::from_str(line).ok()).unwrap();
        assert_eq!((output.status.code(), &error["error"]["outcome"]), (Some(1), &"not-applied".into()), "{stderr}");
        assert_eq!(simulator.commits().len(), 0, "{command:?}");
    }
}

#[test]
fn a_secret_that_no_file_for_a_shell_can_hold_is_saved() {
    let (simulator, state, folder) = (simulator(), folder(), folder());
    simulator.inject(FaultKind::replaced("/result/client_id", "x\u{0}.access"));
    let mut create = child(&simulator);
    create.env("XDG_STATE_HOME", state.path()).args(["create", "CI", "--secret-file"]).arg(folder.path().join("f"));
    let output = create.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(16), "{stderr}");
    assert_saved(&simulator, state.path(), &stderr);
}

#[test]
fn a_secret_whose_reader_is_gone_is_saved() {
    let (simulator, state) = (simulator(), folder());
    let mut create = child(&simulator);
    create.env("XDG_STATE_HOME", state.path()).args(["create", "CI", "--output", "env"]);
    let mut child = create.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let status = end(&mut child);
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(status.code(), Some(16), "{stderr}");
    assert_saved(&simulator, state.path(), &stderr);
}

#[test]
fn a_secret_whose_file_cannot_be_written_any_more_is_saved_or_shown() {
    for has_state_folder in [true, false] {
        let (simulator, state, folder) = (simulator(), folder(), folder());
        let delay = FaultKind::Delay { duration: Duration::from_secs(2) };
        simulator.inject(Fault::new(delay).on(Operation::Create));
        let place = folder.path().join("secrets");
        std::fs::create_dir(&place).unwrap();
        let mut create = child(&simulator);
        create.env("XDG_STATE_HOME", state.path());
        create.args(["create", "CI", "--secret-file"]).arg(place.join("ci.env")).stderr(Stdio::piped());
        let mut child = create.stdout(Stdio::null()).spawn().unwrap();
        wait_for_request(&simulator);
        std::fs::remove_dir(&place).unwrap();
        if !has_state_folder {
            std::fs::remove_dir_all(state.path()).unwrap();
            std::fs::write(state.path(), "").unwrap();
        }
        let status = end(&mut child);
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!(status.code(), Some(if has_state_folder { 16 } else { 1 }), "{stderr}");
        if has_state_folder {
            assert_saved(&simulator, state.path(), &stderr);
        } else {
            let secret = simulator.issued_secrets().pop().unwrap();
            assert!(stderr.contains(secret.expose()) && stderr.contains("printed above, this once"), "{stderr}");
        }
    }
}

#[test]
fn a_secret_is_not_asked_for_where_standard_output_goes_nowhere() {
    let (simulator, folder) = (simulator(), folder());
    for line in ["create CI --output env >&-", "create CI --show-secret >/dev/null", "issue CI -o json >&-"] {
        let mut typed = Command::from_std(shell(&simulator, folder.path(), &format!("access-tokens {line}")));
        let (code, _, stderr) = run(&mut typed);
        assert!(code == 2 && stderr.contains("would be lost; nothing was sent"), "{line}: {code} {stderr}");
    }
    assert_eq!(simulator.request_count(), 0);
}

#[test]
fn a_closed_pipe_ends_quietly_where_nothing_is_lost() {
    let simulator = simulator();
    let _ = simulator.add_token(simulator.account(), "CI");
    for arguments in [&["list"][..], &["get", "CI"], &["man-page"], &["completions", "bash"], &["demo"]] {
        let mut list = child(&simulator);
        let mut child = list.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let status = end(&mut child);
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!((status.code(), stderr.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let simulator = simulator();
    for arguments in [&["list"][..], &["man-page"], &["demo"]] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = child(&simulator).args(arguments).stdout(full).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
        assert!(stderr.starts_with("error: standard output cannot be written: "), "{stderr}");
    }
}

#[test]
fn ensure_takes_only_the_file_with_the_pair_of_its_token_for_the_kept_secret() {
    let (simulator, folder) = (simulator(), folder());
    let file = folder.path().join("ci.env");
    let token = simulator.add_token(simulator.account(), "CI").token;
    let other = format!("CF_ACCESS_CLIENT_ID={}.access\nCF_ACCESS_CLIENT_SECRET=x\n", "0".repeat(32));
    for text in ["", "precious", &other, &format!("CF_ACCESS_CLIENT_ID={}\n", token.client_id)] {
        std::fs::write(&file, text).unwrap();
        let (code, _, stderr) = run(program(&simulator).args(["ensure", "CI", "--secret-file"]).arg(&file));
        assert!(code == 6 && stderr.contains("holds another pair, or none; nothing was changed"), "{text}: {stderr}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    }
    std::fs::remove_file(&file).unwrap();
    let mut ensure =
        Command::from_std(shell(&simulator, folder.path(), "access-tokens ensure CI --secret-file ci.env"));
    assert_shown!(&mut ensure, @r"
    exit 6
    --- stdout
    --- stderr
    error: the token [id] exists, and the secret file ci.env does not; nothing was changed
    The API does not show a secret again. If nobody has it, get a new one; the old one passes for a day:
      access-tokens rotate [id] --overlap 24h --secret-file ci.env
    ");
    let (code, stdout, stderr) = run(&mut ensure);
    assert_eq!(code, 6, "{stdout}{stderr}");
    let (code, _, stderr) = run(&mut Command::from_std(shell(&simulator, folder.path(), &commands(&stderr)[0])));
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(run(&mut ensure).0, 0, "the pair is there now");
}

#[test]
fn a_secret_that_a_shell_would_run_is_quoted_and_one_that_no_header_carries_is_refused() {
    for (secret, lines) in [("x$(id)", Some("'x$(id)'")), ("it's", Some(r"'it'\''s'")), ("x\nLD_PRELOAD=y", None)] {
        let (simulator, folder) = (simulator(), folder());
        simulator.inject(Fault::new(FaultKind::replaced("/result/client_secret", secret)).on(Operation::Create));
        let (code, stdout, stderr) = run(program(&simulator).args(["create", "CI", "--output", "env"]));
        match lines {
            Some(quoted) => {
                assert!(code == 0 && stdout.ends_with(&format!("\nCF_ACCESS_CLIENT_SECRET={quoted}\n")), "{stdout}");
                std::fs::write(folder.path().join("env"), &stdout).unwrap();
                let mut sourced = shell(&simulator, folder.path(), ". ./env; printf %s \"$CF_ACCESS_CLIENT_SECRET\"");
                assert_eq!(String::from_utf8(sourced.output().unwrap().stdout).unwrap(), secret);
            }
            None => {
                assert!(code == 16 && stdout.is_empty() && stderr.contains("control characters"), "{stdout}{stderr}");
            }
        }
    }
}

#[test]
fn without_a_folder_to_keep_the_secret_in_nothing_is_sent() {
    let (simulator, folder) = (simulator(), folder());
    let public = folder.path().join("public");
    std::fs::create_dir(&public).unwrap();
    std::fs::set_permissions(&public, PermissionsExt::from_mode(0o755)).unwrap();
    for (state_dir, complaint) in [("/dev/null/state", "cannot be made"), (public.to_str().unwrap(), "chmod 700")] {
        for command in
            [&["create", "CI"][..], &["issue", "CI"], &["rotate", "CI", "--overlap", "1h"], &["rotate", "CI"]]
        {
            let options = ["--show-secret", "--state-dir", state_dir];
            let (code, _, stderr) = run(program(&simulator).args(command).args(options));
            assert!(code == 3 && stderr.contains(complaint) && stderr.contains("--state-dir"), "{command:?}: {stderr}");
        }
    }
    assert_eq!(simulator.request_count(), 0);
}
