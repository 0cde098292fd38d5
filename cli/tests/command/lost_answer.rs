//! A change that makes a secret, and whose answer is lost: the advice locks nobody out.
//!
//! A token has two secrets at most, so what is printed must not end the one that machines use.

#![cfg(unix)]

use std::time::Duration;

use assert_cmd::Command;
use cloudflare_access_simulator::{Fault, FaultKind, IssuedToken, Operation, Simulator};

use crate::program::{assert_shown, child, commands, program, run, shell, simulator};

const HOUR: Duration = Duration::from_hours(1);

fn passes(simulator: &Simulator, token: &IssuedToken) -> bool {
    simulator.authenticate(&token.token.client_id, token.client_secret.expose()).is_ok()
}

/// Whether one of the secrets that a shell got passes.
fn prints_a_pair_that_passes(simulator: &Simulator, stdout: &str) -> bool {
    let value = |name: &str| stdout.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap();
    simulator.authenticate(value("CF_ACCESS_CLIENT_ID"), value("CF_ACCESS_CLIENT_SECRET")).is_ok()
}

/// Does what a message says, and returns what the last command printed.
fn follow(simulator: &Simulator, message: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut last = String::new();
    for line in commands(message) {
        let (code, stdout, stderr) = run(&mut Command::from_std(shell(simulator, folder.path(), &line)));
        assert_eq!(code, 0, "{line}\n{stdout}{stderr}");
        last = stdout;
    }
    last
}

/// How many secrets were made for tokens that were there.
fn rotations(simulator: &Simulator) -> usize {
    simulator.issued_secrets().len() - simulator.tokens(simulator.account()).len()
}

#[test]
fn after_a_rotation_that_happened_the_advice_keeps_the_old_secret() {
    for (operation, keep) in [
        (Operation::Update, ["--overlap", "24h"]),
        (Operation::Rotate, ["--previous-expires-at", "2099-01-01T00:00:00Z"]),
    ] {
        for kind in [FaultKind::Close, FaultKind::HtmlPage { status: 520 }, FaultKind::missing("/result/client_secret")]
        {
            let simulator = simulator();
            let old = simulator.add_token(simulator.account(), "CI");
            simulator.inject(Fault::new(kind).on(operation).after_commit());
            let rotate = ["rotate", "CI", "--output", "env"];
            let (code, stdout, stderr) = run(program(&simulator).args(rotate).args(keep));
            assert_eq!((code, stdout.as_str(), rotations(&simulator)), (9, "", 1), "{stderr}");
            assert!(!stderr.contains("access-tokens rotate"), "{stderr}");
            assert!(stderr.contains("The old secret passes until 20"), "{stderr}");
            assert!(!commands(&stderr).is_empty(), "{stderr}");
            follow(&simulator, &stderr);
            assert!(passes(&simulator, &old), "{stderr}");
        }
    }
}

#[test]
fn a_rotation_that_is_never_answered_leaves_time_for_the_look() {
    let simulator = simulator();
    let old = simulator.add_token(simulator.account(), "CI");
    simulator.inject(Fault::new(FaultKind::NeverAnswer).on(Operation::Rotate).after_commit());
    let rotate = ["rotate", "CI", "--previous-expires-at", "2099-01-01T00:00:00Z", "--show-secret", "--timeout", "3s"];
    let (code, _, stderr) = run(program(&simulator).args(rotate));
    assert_eq!((code, rotations(&simulator)), (9, 1), "{stderr}");
    assert!(stderr.contains("The old secret passes until"), "{stderr}");
    follow(&simulator, &stderr);
    assert!(passes(&simulator, &old), "{stderr}");
}

#[test]
fn the_advice_after_a_rotation_that_happened_has_the_time_and_the_next_command() {
    let token = || {
        let simulator = simulator();
        let old = simulator.add_token(simulator.account(), "CI");
        (simulator, old)
    };
    let (simulator, old) = token();
    simulator.inject(Fault::new(FaultKind::HtmlPage { status: 520 }).on(Operation::Update).after_commit());
    assert_shown!(program(&simulator).args(["rotate", "CI", "--overlap", "24h", "--show-secret"]), @r"
    exit 9
    --- stdout
    --- stderr
    Read the token: its secret is version 1.
    The destinations can take a new secret.
    The state folder knows what is about to happen.
    error: 520 Cloudflare: unknown error with a body that is not JSON (text/html; charset=UTF-8); it may have been done all the same; the rotation happened and its secret is lost; the old secret passes until [time], and a further rotation ends it: extend the overlap, or replace the token, before then
    The token has a new secret that nobody has. The old secret passes until [time] (in 24 hours). Another rotation ends it at once, for every machine that uses it: decide when they can take up the secret that it makes. Look at the token:
      access-tokens get [id]
    Let the old secret pass for longer:
      access-tokens extend-overlap [id] --overlap 7d
    Cloudflare's name for the request (cf-ray): [ray]
    ");
    assert!(passes(&simulator, &old));
    let (simulator, old) = token();
    simulator.inject(Fault::new(FaultKind::HtmlPage { status: 520 }).on(Operation::Rotate).after_commit());
    assert_shown!(program(&simulator).args(["rotate", "CI", "--yes", "--show-secret"]), @r"
    exit 9
    --- stdout
    --- stderr
    error: 520 Cloudflare: unknown error with a body that is not JSON (text/html; charset=UTF-8); it may have been done all the same
    The token has a new secret (version 2) that nobody has, and the old one has ended: no secret passes that anybody has, so another rotation locks nobody out. Run the command once more:
      access-tokens rotate CI --yes --show-secret
    Cloudflare's name for the request (cf-ray): [ray]
    ");
    assert!(!passes(&simulator, &old), "it was to end");
}

#[test]
fn where_no_secret_passes_any_longer_the_advice_is_to_make_one() {
    let simulator = simulator();
    let _ = simulator.add_token(simulator.account(), "CI");
    simulator.inject(Fault::new(FaultKind::Close).on(Operation::Rotate).after_commit());
    let (code, _, stderr) = run(program(&simulator).args(["rotate", "CI", "--yes", "--output", "env"]));
    assert_eq!((code, rotations(&simulator)), (9, 1), "{stderr}");
    let printed = follow(&simulator, &stderr);
    assert!(prints_a_pair_that_passes(&simulator, &printed), "{stderr}");
}

#[test]
fn a_rotation_with_an_overlap_whose_answer_was_lost_before_it_happened_is_made_after_all() {
    let simulator = simulator();
    let old = simulator.add_token(simulator.account(), "CI");
    simulator.inject(Fault::new(FaultKind::Close).on(Operation::Update));
    let (code, stdout, stderr) = run(program(&simulator).args(["rotate", "CI", "--overlap", "24h", "--output", "env"]));
    assert_eq!((code, rotations(&simulator), simulator.faults().len()), (0, 1, 0), "{stderr}");
    assert!(prints_a_pair_that_passes(&simulator, &stdout) && passes(&simulator, &old));
}

#[test]
fn after_a_rotation_with_an_overlap_that_cannot_be_told_the_advice_is_to_look_and_keeps_the_old_secret() {
    for after_commit in [false, true] {
        let simulator = simulator();
        let old = simulator.add_token(simulator.account(), "CI");
        let mut lost = Fault::new(FaultKind::HtmlPage { status: 520 }).on(Operation::Update).forever();
        if after_commit {
            lost = lost.after_commit();
            // The look of the component, and that of the command.
            simulator.inject(Fault::new(FaultKind::HtmlPage { status: 520 }).on(Operation::Get).skipping(3).forever());
        }
        simulator.inject(lost);
        let rotate = ["rotate", "CI", "--overlap", "24h", "--show-secret", "--max-retries", "0"];
        let (code, _, stderr) = run(program(&simulator).args(rotate));
        assert_eq!((code, rotations(&simulator)), (9, usize::from(after_commit)), "{stderr}");
        let text = if after_commit { "the old one passes until 20" } else { "nothing has happened" };
        assert!(stderr.contains(text) && stderr.contains("ook at the token"), "{stderr}");
        simulator.clear_faults();
        if after_commit {
            follow(&simulator, &stderr);
        }
        assert!(passes(&simulator, &old), "{stderr}");
    }
}

#[test]
fn after_a_rotation_that_did_not_happen_the_advice_is_the_same_command() {
    let simulator = simulator();
    let old = simulator.add_token(simulator.account(), "it's $HOME");
    let until = simulator.timestamp_in(HOUR);
    let rotate = ["rotate", "it's $HOME", "--previous-expires-at", &until, "--output", "env"];
    simulator.inject(Fault::new(FaultKind::HtmlPage { status: 520 }).on(Operation::Rotate));
    let (code, _, stderr) = run(program(&simulator).args(rotate));
    assert_eq!((code, rotations(&simulator)), (9, 0), "{stderr}");
    assert!(stderr.contains("nothing has happened"), "{stderr}");
    let printed = follow(&simulator, &stderr);
    assert!(prints_a_pair_that_passes(&simulator, &printed) && passes(&simulator, &old), "{stderr}");
    // Without any answer, the request may still be under way.
    simulator.inject(Fault::new(FaultKind::Close).on(Operation::Rotate));
    let (_, _, stderr) = run(program(&simulator).args(rotate).arg("--yes"));
    assert!(stderr.contains("nothing has happened so far") && stderr.contains("once more in a minute"), "{stderr}");
}

#[test]
fn only_after_a_status_of_success_an_unchanged_token_is_taken_to_stay_as_it_is() {
    for (status, is_over) in [(200, true), (203, true), (302, false), (408, false), (499, false), (520, false)] {
        let simulator = simulator();
        let _ = simulator.add_token(simulator.account(), "CI");
        simulator.inject(Fault::new(FaultKind::HtmlPage { status }).on(Operation::Rotate));
        let (code, _, stderr) = run(program(&simulator).args(["rotate", "CI", "--yes", "--show-secret"]));
        assert_eq!((code, rotations(&simulator), simulator.faults().len()), (9, 0, 0), "{status}: {stderr}");
        assert_eq!(stderr.contains("nothing has happened. Run the command once more"), is_over, "{status}: {stderr}");
        assert_eq!(stderr.contains("so look once more in a minute"), !is_over, "{status}: {stderr}");
    }
}

#[test]
fn where_nobody_could_look_the_advice_is_how_to_look_and_how_to_read_it() {
    let simulator = simulator();
    let old = simulator.add_token(simulator.account(), "CI");
    simulator.inject(Fault::new(FaultKind::HtmlPage { status: 520 }).on(Operation::Rotate).after_commit());
    simulator.inject(Fault::new(FaultKind::HtmlPage { status: 520 }).on(Operation::Get).skipping(1));
    let until = simulator.timestamp_in(HOUR);
    let rotate = ["rotate", &old.token.id, "--previous-expires-at", &until, "--show-secret", "--max-retries", "0"];
    assert_shown!(program(&simulator).args(rotate), @r#"
    exit 9
    --- stdout
    --- stderr
    error: 520 Cloudflare: unknown error with a body that is not JSON (text/html; charset=UTF-8); it may have been done all the same
    The token may have a new secret that nobody has. Look at the token before you do anything else:
      access-tokens get [id]
    If it still shows secret version 1 and was updated at [time], nothing has happened, and the command can be run once more. Otherwise the new secret is lost, the old one passes until the time beside "previous secret", and another rotation ends it at once.
    Cloudflare's name for the request (cf-ray): [ray]
    "#);
    assert!(simulator.faults().is_empty());
    assert!(passes(&simulator, &old));
}

#[test]
fn an_update_that_makes_a_secret_is_looked_at_like_a_rotation() {
    let simulator = simulator();
    let old = simulator.add_token(simulator.account(), "CI");
    let until = simulator.timestamp_in(HOUR);
    simulator.inject(Fault::new(FaultKind::Close).on(Operation::Update).after_commit());
    let update = ["update", "CI", "--client-secret-version", "2", "--previous-client-secret-expires-at", &until];
    let (code, _, stderr) = run(program(&simulator).args(update).arg("--show-secret"));
    assert!(code == 9 && stderr.contains("The old secret passes until"), "{stderr}");
    follow(&simulator, &stderr);
    assert!(passes(&simulator, &old), "{stderr}");
}

#[test]
fn an_interrupted_rotation_says_how_to_look_and_names_no_rotation() {
    let simulator = simulator();
    let old = simulator.add_token(simulator.account(), "CI");
    simulator.inject(Fault::new(FaultKind::NeverAnswer).on(Operation::Rotate).after_commit());
    let mut program = child(&simulator);
    program.args(["rotate", "CI", "--previous-expires-at", "2099-01-01T00:00:00Z", "--show-secret"]);
    let child = program.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(simulator.wait_for_requests(4));
    let interrupted = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(!stderr.contains("access-tokens rotate") && stderr.contains("access-tokens get"), "{stderr}");
    follow(&simulator, &stderr);
    assert!(passes(&simulator, &old), "{stderr}");
}

#[test]
fn the_commands_of_an_advice_have_the_options_that_were_given() {
    let simulator = simulator();
    let _ = simulator.add_token(simulator.account(), "CI");
    simulator.inject(Fault::new(FaultKind::Close).on(Operation::Rotate).after_commit());
    let until = simulator.timestamp_in(HOUR);
    let rotate =
        ["rotate", "CI", "--previous-expires-at", &until, "--show-secret", "--account", simulator.account().id()];
    let mut program = program(&simulator);
    program.env_remove("CLOUDFLARE_ACCOUNT_ID").env_remove("CLOUDFLARE_BASE_URL").args(rotate);
    let (_, _, stderr) = run(program.args(["--base-url", simulator.base_url()]));
    let commands = commands(&stderr);
    assert_eq!(commands.len(), 2, "{stderr}");
    let options = format!(" --account {} --base-url {}", simulator.account().id(), simulator.base_url());
    assert!(commands.iter().all(|line| line.ends_with(&options)), "{stderr}");
}
