//! Where a new secret goes by the command line: what reaches each destination, and what becomes of a secret that does not.

#![cfg(unix)]

use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use assert_cmd::Command;
use cloudflare_access_simulator::{Fault, FaultKind, Operation, Simulator};
use tempfile::TempDir;

use crate::program::{child, end, run, send, shell, simulator, wait_for_request};

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
fn a_place_that_changes_while_the_request_is_under_way_is_not_touched_and_the_secret_is_kept() {
    let other = "CF_ACCESS_CLIENT_ID=0.access\nCF_ACCESS_CLIENT_SECRET=x\n";
    for (replace, change, complaint) in [
        (&["--replace"][..], "ln -s elsewhere f", "is a symbolic link"),
        (&["--replace"], "cp other f", "holds the pair of another token"),
        (&["--replace"], "mkdir f", "exists and is no regular file"),
        (&[], "cp other f", "exists"),
    ] {
        let (simulator, folder, state) = (simulator(), folder(), folder());
        let _ = simulator.add_token(simulator.account(), "CI");
        std::fs::write(folder.path().join("other"), other).unwrap();
        std::fs::write(folder.path().join("elsewhere"), other).unwrap();
        simulator.inject(Fault::new(FaultKind::Delay { duration: Duration::from_secs(2) }).on(Operation::Rotate));
        let mut rotate = child(&simulator);
        rotate.env("XDG_STATE_HOME", state.path()).current_dir(folder.path()).args(["rotate", "CI", "--yes"]);
        let mut child = rotate.args(["--secret-file", "f"]).args(replace).stderr(Stdio::piped()).spawn().unwrap();
        // The list and the token come first.
        for _ in 0..3 {
            wait_for_request(&simulator);
        }
        let changed = std::process::Command::new("/bin/sh").args(["-c", change]).current_dir(folder.path()).status();
        assert!(changed.unwrap().success());
        let status = end(&mut child);
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert!(status.code() == Some(16) && stderr.contains(complaint), "{change}: {stderr}");
        assert_kept(&simulator, state.path(), &stderr);
        assert_eq!(std::fs::read_to_string(folder.path().join("elsewhere")).unwrap(), other);
        if change.starts_with("cp") {
            assert_eq!(std::fs::read_to_string(folder.path().join("f")).unwrap(), other);
        }
    }
}

#[test]
fn each_format_and_name_reaches_the_file_and_its_reader_has_the_secret_again() {
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
    for options in [
        "--secret-file f --secret-names A,A",
        "--secret-file f --secret-names A-B,C",
        "--secret-names A,B",
        "--secret-format json -o json",
        "--secret-command-timeout 3s -o json",
        "--secret-command cat --secret-command cat",
        "--replace --show-secret",
        "--replace",
    ] {
        let (code, _, stderr) = typed(&simulator, folder.path(), &format!("access-tokens create CI {options}"));
        assert_eq!(code, 2, "{options}: {stderr}");
    }
}

/// A folder with programs, which a test writes as scripts of a shell.
fn programs(scripts: &[(&str, &str)]) -> TempDir {
    let folder = folder();
    for (name, script) in scripts {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    folder
}

/// Runs a line that a user types in a folder, with more programs at hand.
fn typed_with(programs: &TempDir, simulator: &Simulator, folder: &Path, line: &str) -> (i32, String, String) {
    let mut typed = shell(simulator, folder, line);
    let path = typed.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, path)| path).unwrap().to_owned();
    typed.env("PATH", format!("{}:{}:/usr/bin:/bin", programs.path().display(), path.display()));
    typed.env("GITHUB_ENV", folder.join("github.env")).env("GITHUB_OUTPUT", folder.join("github.output"));
    run(&mut Command::from_std(typed))
}

#[test]
fn a_command_has_the_pair_on_its_input_and_no_secret_in_its_arguments_or_on_a_terminal() {
    let (simulator, folder) = (simulator(), folder());
    let store = r#"echo "$@" >>arguments; env >>arguments; tee stored; cat stored >&2"#;
    let programs = programs(&[("store", store)]);
    for (line, stored) in [
        ("create CI", "CF_ACCESS_CLIENT_ID={id}\nCF_ACCESS_CLIENT_SECRET={secret}\n"),
        (
            "rotate CI --overlap 1h --secret-format json",
            "{\"CF_ACCESS_CLIENT_ID\":\"{id}\",\"CF_ACCESS_CLIENT_SECRET\":\"{secret}\"}\n",
        ),
        ("update CI --client-secret-version 3 --yes --secret-format secret", "{secret}"),
        (
            "ensure CD --secret-format header",
            "{\"cf-access-client-id\":\"{id}\",\"cf-access-client-secret\":\"{secret}\"}",
        ),
        (
            "issue CE --secret-names wrangler",
            "CLOUDFLARE_ACCESS_CLIENT_ID={id}\nCLOUDFLARE_ACCESS_CLIENT_SECRET={secret}\n",
        ),
    ] {
        let line = format!("access-tokens {line} --secret-command 'A=1 store \"$HOME\" x'");
        let (code, stdout, stderr) = typed_with(&programs, &simulator, folder.path(), &line);
        let (secret, id) = (last_secret(&simulator), simulator.tokens(simulator.account()).pop().unwrap().client_id);
        assert_eq!(code, 0, "{line}: {stdout}{stderr}");
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(read("stored"), stored.replace("{id}", &id).replace("{secret}", &secret), "{line}");
        assert!(read("arguments").contains("A=1") && !read("arguments").contains(&secret), "{line}");
        assert_eq!(stderr.matches("[redacted]").count(), 2, "{line}: {stderr}");
        assert!(!format!("{stdout}{stderr}").contains(&secret), "{line}: {stdout}{stderr}");
        assert!(stderr.contains("Delivered the new secret to command A=1 store"), "{line}: {stderr}");
    }
}

#[test]
fn a_command_that_cannot_be_run_is_found_before_anything_is_changed() {
    let (simulator, folder, programs) = (simulator(), folder(), programs(&[]));
    let _ = simulator.add_token(simulator.account(), "CI");
    for (command, complaint) in [
        ("no-such-program --x", "there is no program no-such-program"),
        ("A=1 ./missing", "there is no program ./missing"),
        ("cat \"", "cannot be read by the shell"),
        ("if", "cannot be read by the shell"),
        (" ", "is empty"),
    ] {
        for line in ["create CD", "rotate CI --overlap 1h", "ensure CD", "issue CD"] {
            let line = format!("access-tokens {line} --secret-command '{command}'");
            let (code, _, stderr) = typed_with(&programs, &simulator, folder.path(), &line);
            assert!(code == 1 && stderr.contains(complaint), "{line}: {stderr}");
            assert!(stderr.contains("nothing was changed"), "{line}: {stderr}");
        }
    }
    assert_eq!(changes(&simulator), 0);
}

#[test]
fn a_command_that_fails_is_run_again_until_it_succeeds() {
    let (simulator, folder) = (simulator(), folder());
    let store =
        r#"echo x >>runs; cat >stored; test "$(wc -l <runs)" = 3 || { echo "sealed $(cat stored)" >&2; exit 4; }"#;
    let programs = programs(&[("store", store)]);
    let line = "access-tokens create CI --secret-command store --secret-format secret";
    let (code, stdout, stderr) = typed_with(&programs, &simulator, folder.path(), line);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(std::fs::read_to_string(folder.path().join("runs")).unwrap(), "x\nx\nx\n");
    assert_eq!(std::fs::read_to_string(folder.path().join("stored")).unwrap(), last_secret(&simulator));
    assert_eq!(stderr.matches("> sealed [redacted]\n").count(), 2, "{stderr}");
    assert!(!format!("{stdout}{stderr}").contains(&last_secret(&simulator)), "{stdout}{stderr}");
}

#[test]
fn a_command_that_does_not_succeed_in_its_time_is_ended_with_all_that_it_started_and_the_secret_is_kept() {
    for (store, complaint) in [
        ("echo >>runs; exit 3", "failed with exit status: 3, after "),
        ("kill -9 $$", "failed with exit status: 137"),
        (
            "echo $$ >>pids; (echo waiting; exec sleep 600) & echo $! >>pids; wait",
            "did not end in time, after 1 run in 1 second",
        ),
    ] {
        let (simulator, folder, state) = (simulator(), folder(), folder());
        let programs = programs(&[("store", store)]);
        let line = format!(
            "XDG_STATE_HOME={} access-tokens create CI --secret-command store --secret-command-timeout 1s",
            state.path().display()
        );
        let (code, stdout, stderr) = typed_with(&programs, &simulator, folder.path(), &line);
        assert!(code == 16 && stderr.contains(complaint), "{store}: {stderr}");
        assert!(stderr.contains("--secret-command-timeout gives it more time"), "{stderr}");
        assert!(!format!("{stdout}{stderr}").contains(&last_secret(&simulator)), "{stdout}{stderr}");
        assert_kept(&simulator, state.path(), &stderr);
        if store.contains("runs") {
            // After waits of 0.2 and 0.4 seconds; the next one would be too long.
            let runs = std::fs::read_to_string(folder.path().join("runs")).unwrap().lines().count();
            assert!(runs <= 3 && stderr.contains(&format!("after {runs} run")), "{runs} {stderr}");
        }
        if store.contains("pids") {
            let pids = std::fs::read_to_string(folder.path().join("pids")).unwrap();
            assert!(pids.lines().count() == 2 && stderr.contains("> waiting\n"), "{pids} {stderr}");
            pids.lines().for_each(assert_ends);
        }
    }
}

/// The state folder keeps the secret that was made last, and the message says so.
fn assert_kept(simulator: &Simulator, state: &Path, stderr: &str) {
    let folder = state.join("access-tokens").join("rotations");
    let texts = names(&folder).into_iter().map(|name| std::fs::read_to_string(folder.join(name)).unwrap());
    assert_eq!(texts.filter(|text| text.contains(&last_secret(simulator))).count(), 1, "{stderr}");
    assert!(stderr.contains("in the state folder") && stderr.contains("\n  access-tokens resume "), "{stderr}");
}

/// Waits until there is no process with an id, or it is one that has ended and nobody has waited for.
fn assert_ends(pid: &str) {
    let status = PathBuf::from(format!("/proc/{pid}/stat"));
    let limit = std::time::Instant::now() + crate::within::LIMIT;
    while std::fs::read_to_string(&status).is_ok_and(|text| !text.contains(") Z ")) {
        assert!(std::time::Instant::now() < limit, "process {pid} did not end");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_signal_while_a_command_takes_the_secret_ends_both_and_keeps_the_secret() {
    let (simulator, folder, state) = (simulator(), folder(), folder());
    let programs = programs(&[("store", "echo $$ >pid; mkfifo gate; echo >begun; cat gate")]);
    let mut create = child(&simulator);
    create.env("XDG_STATE_HOME", state.path()).env("PATH", format!("{}:/usr/bin:/bin", programs.path().display()));
    create.args(["create", "CI", "--secret-command", "store"]).current_dir(folder.path());
    let mut child = create.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let limit = std::time::Instant::now() + crate::within::LIMIT;
    while !folder.path().join("begun").exists() {
        assert!(std::time::Instant::now() < limit, "the command did not begin");
        std::thread::sleep(Duration::from_millis(5));
    }
    send("-INT", &child);
    let status = end(&mut child);
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert!(status.code() == Some(130) && stderr.contains("interrupted; the new secret is in the state"), "{stderr}");
    assert_kept(&simulator, state.path(), &stderr);
    assert_ends(std::fs::read_to_string(folder.path().join("pid")).unwrap().trim());
}

#[test]
fn one_destination_that_fails_keeps_the_secret_from_no_other() {
    let (simulator, folder, state) = (simulator(), folder(), folder());
    let programs = programs(&[("good", "cat >good"), ("bad", "exit 3"), ("worse", "exit 4")]);
    std::fs::write(folder.path().join("github.env"), "").unwrap();
    let line = format!(
        "XDG_STATE_HOME={} access-tokens create CI --secret-file f --github-actions --secret-command bad --secret-command good \
         --secret-command worse --secret-command-timeout 1s",
        state.path().display()
    );
    let (code, _, stderr) = typed_with(&programs, &simulator, folder.path(), &line);
    assert_eq!(code, 16, "{stderr}");
    for place in ["f", "github.env", "good"] {
        assert!(
            std::fs::read_to_string(folder.path().join(place)).unwrap().contains(&last_secret(&simulator)),
            "{place}"
        );
    }
    for told in [
        "Delivered the new secret to file ",
        "Delivered the new secret to GitHub Actions (GITHUB_ENV).",
        "Delivered the new secret to command good.",
        "2 of the destinations do not hold the new secret:",
        "- command bad: the secret command bad failed with exit status: 3",
        "- command worse: the secret command worse failed with exit status: 4",
    ] {
        assert!(stderr.contains(told), "{told}: {stderr}");
    }
    assert_kept(&simulator, state.path(), &stderr);
}

#[test]
fn github_actions_masks_the_secret_before_anything_else_and_has_it_on_no_other_line() {
    let (simulator, folder, programs) = (simulator(), folder(), programs(&[]));
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    // A step before may have left a line without an end.
    std::fs::write(folder.path().join("github.env"), "A=b").unwrap();
    std::fs::write(folder.path().join("github.output"), "").unwrap();
    for (line, file, begin) in [
        ("create CI --github-actions", "github.env", "A=b\nCF_ACCESS_CLIENT_ID="),
        ("rotate CI --overlap 1h --github-actions=output", "github.output", "CF_ACCESS_CLIENT_ID="),
        ("rotate CI --yes --github-actions=env -o json --secret-names A,B", "github.env", "A=b\nCF_ACCESS_CLIENT_ID="),
    ] {
        let (code, stdout, stderr) = typed_with(&programs, &simulator, folder.path(), &format!("access-tokens {line}"));
        let secret = last_secret(&simulator);
        assert_eq!(code, 0, "{line}: {stderr}");
        let mask = format!("::add-mask::{secret}\n");
        let (masking, other) = if line.contains("json") { (&stderr, &stdout) } else { (&stdout, &stderr) };
        assert!(masking.starts_with(&mask) && masking.matches(&secret).count() == 1, "{line}: {masking}");
        assert!(!other.contains(&secret), "{line}: {other}");
        if line.contains("json") {
            assert!(serde_json::from_str::<serde_json::Value>(&stdout).is_ok(), "{stdout}");
        }
        let name = if line.contains("A,B") { "B" } else { "CF_ACCESS_CLIENT_SECRET" };
        let text = read(file);
        assert!(text.starts_with(begin) && text.ends_with(&format!("\n{name}={secret}\n")), "{line}: {text}");
    }
    simulator.clear_requests();
    std::fs::remove_file(folder.path().join("github.env")).unwrap();
    for (line, complaint) in [
        ("create CD --github-actions", "the file that GITHUB_ENV names cannot be opened"),
        ("GITHUB_OUTPUT= access-tokens create CD --github-actions=output", "GITHUB_OUTPUT is not set"),
        ("create CD --github-actions --secret-names A,GITHUB_TOKEN", "lets no step set the variable GITHUB_TOKEN"),
    ] {
        let line = if line.starts_with("create") { format!("access-tokens {line}") } else { line.to_owned() };
        let (code, _, stderr) = typed_with(&programs, &simulator, folder.path(), &line);
        assert!(code == 1 && stderr.contains(complaint), "{line}: {stderr}");
    }
    assert_eq!(simulator.request_count(), 0);
}

#[test]
fn an_issue_that_goes_on_replaces_the_pair_of_its_own_token() {
    let (simulator, folder) = (simulator(), folder());
    simulator
        .inject(Fault::new(FaultKind::Error { status: 403, code: 9109, message: "no".into() }).on(Operation::Update));
    let issue = "access-tokens issue CI --key k --secret-file f --replace";
    let (code, _, stderr) = typed(&simulator, folder.path(), issue);
    assert_eq!(code, 4, "{stderr}");
    // On another machine, whose state folder knows nothing of it.
    let elsewhere = format!("{issue} --state-dir state");
    let (code, _, stderr) = typed(&simulator, folder.path(), &elsewhere);
    assert_eq!((code, simulator.issued_secrets().len()), (0, 2), "{stderr}");
    assert!(std::fs::read_to_string(folder.path().join("f")).unwrap().contains(&last_secret(&simulator)));
}

#[test]
fn ensure_says_what_it_cannot_deliver_or_tell() {
    let (simulator, folder, programs) = (simulator(), folder(), programs(&[]));
    let ensure = "access-tokens ensure CI --secret-command cat";
    let (code, _, stderr) = typed_with(&programs, &simulator, folder.path(), ensure);
    assert!(code == 0 && stderr.contains("Delivered the new secret to command cat."), "{stderr}");
    let (code, _, stderr) = typed_with(&programs, &simulator, folder.path(), ensure);
    assert!(code == 0 && stderr.contains("no new secret came, so none was delivered"), "{stderr}");
    let bare = "access-tokens ensure CI --secret-file f --secret-format secret";
    let (code, _, stderr) = typed(&simulator, folder.path(), bare);
    assert!(code == 2 && stderr.contains("does not tell whose it is"), "{stderr}");
}
