//! `watch`: renews when something is due, goes on after a failure, and says at its end whether all was renewed.

#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use cloudflare_access_simulator::{API_TOKEN, Fault, FaultKind, Operation, Simulator, Wait};

use crate::program::{assert_shown, child, end, program, run, send, simulator, wait_for_request};
use crate::within::LIMIT;

const DAY: Duration = Duration::from_hours(24);

/// A running `watch`, and its log so far. Killed when it is dropped.
pub struct Watching {
    child: Child,
    log: Receiver<String>,
    seen: String,
}

impl Watching {
    fn start(simulator: &Simulator) -> Self {
        Self::of(child(simulator).args(["watch", "--within", "30d", "--every", "1s"]))
    }

    pub fn of(program: &mut Command) -> Self {
        let mut child = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (sender, log) = mpsc::channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line + "\n")));
        Self { child, log, seen: String::new() }
    }

    /// Reads on to the next line with this text.
    pub fn wait_for(&mut self, text: &str) -> String {
        let end = Instant::now() + LIMIT;
        loop {
            let line = self.log.recv_timeout(end.saturating_duration_since(Instant::now()));
            let line = line.unwrap_or_else(|error| panic!("waited in vain for {text:?}: {error}\n{}", self.seen));
            self.seen.push_str(&line);
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Sends a signal and goes on.
    fn send(&self, signal: &str) {
        send(signal, &self.child);
    }

    /// Sends a signal and waits for the end: the exit code, and the whole log.
    pub fn stop(mut self, signal: &str) -> (i32, String) {
        send(signal, &self.child);
        let status = end(&mut self.child);
        self.seen.extend(self.log.iter());
        (status.code().unwrap(), std::mem::take(&mut self.seen))
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The API has one token, which lives a year.
fn with_one_token() -> Simulator {
    let simulator = simulator();
    let _ = simulator.add_token(simulator.account(), "CI\u{1b}[2J");
    simulator
}

#[test]
fn a_watch_renews_when_the_time_has_come_and_ends_with_0_when_it_is_stopped() {
    for signal in ["-TERM", "-INT"] {
        let simulator = with_one_token();
        let mut watching = Watching::start(&simulator);
        watching.wait_for("watching; renews until it is stopped");
        let round = watching.wait_for("round done");
        assert!(round.contains("due=0"), "{round}");
        simulator.advance(340 * DAY);
        let renewed = watching.wait_for(" renewed ");
        let token = &simulator.tokens(simulator.account())[0];
        assert!(renewed.contains(&token.id) && renewed.contains("CI\\u{1b}[2J"), "{renewed}");
        assert!(token.expires_at > simulator.now() + 300 * DAY);
        watching.wait_for("due=0");
        let (code, log) = watching.stop(signal);
        assert_eq!(code, 0, "{log}");
        assert!(log.contains(&format!("stopped signal=\"SIG{}\"", &signal[1..])), "{log}");
        assert!(simulator.issued_secrets().iter().all(|secret| !log.contains(secret.expose())), "{log}");
    }
}

#[test]
fn a_watch_leaves_expired_tokens_and_other_names_alone_unless_it_is_told_otherwise() {
    let simulator = with_one_token();
    simulator.advance(400 * DAY);
    for (arguments, due) in [(&[][..], "due=0"), (&["--expired", "--name", "CD"], "due=0"), (&["--expired"], "due=1")] {
        let watch = ["watch", "--within", "30d", "--every", "1s"];
        let mut watching = Watching::of(child(&simulator).args(watch).args(arguments));
        let round = watching.wait_for("round done");
        assert!(round.contains(due), "{arguments:?}: {round}");
    }
    assert!(simulator.tokens(simulator.account())[0].expires_at > simulator.now() + 300 * DAY);
}

#[test]
fn a_watch_reads_its_credential_anew_in_each_round_and_at_sighup() {
    let (simulator, folder) = (with_one_token(), tempfile::tempdir().unwrap());
    let path = folder.path().join("token");
    std::fs::write(&path, API_TOKEN).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let mut watch = child(&simulator);
    watch.env_remove("CLOUDFLARE_API_TOKEN").args(["watch", "--within", "30d", "--every", "1d", "--credentials-file"]);
    let mut watching = Watching::of(watch.arg(&path));
    watching.wait_for("round done");
    for (text, failed) in [(Some("an-old-token"), "Authentication error"), (None, "cannot be read")] {
        match text {
            Some(text) => std::fs::write(&path, text).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        watching.send("-HUP");
        watching.wait_for("SIGHUP; the next round begins now");
        let round = watching.wait_for("the round failed, the next one tries again");
        assert!(round.contains(failed), "{round}");
    }
    std::fs::write(&path, API_TOKEN).unwrap();
    watching.send("-HUP");
    watching.wait_for("round done");
    let (code, log) = watching.stop("-TERM");
    assert_eq!(code, 0, "{log}");
    assert_eq!(log.matches("warning: other users can read").count(), 1, "{log}");
}

#[test]
fn a_dry_watch_logs_what_is_due_and_renews_nothing() {
    let simulator = with_one_token();
    let expires_at = simulator.tokens(simulator.account())[0].expires_at;
    simulator.advance(340 * DAY);
    let mut watching = Watching::of(child(&simulator).args(["watch", "--within", "30d", "--every", "1s", "--dry-run"]));
    watching.wait_for("would be renewed");
    let round = watching.wait_for("round done; nothing was changed");
    assert!(round.contains("due=1"), "{round}");
    let (code, log) = watching.stop("-TERM");
    assert_eq!((code, simulator.tokens(simulator.account())[0].expires_at), (0, expires_at), "{log}");
}

#[test]
fn a_watch_that_could_not_renew_goes_on_and_says_so_in_its_exit_code() {
    let simulator = with_one_token();
    simulator.advance(340 * DAY);
    simulator.inject(Fault::new(FaultKind::error(409, 12132, "busy")).on(Operation::Refresh).forever());
    let mut watching = Watching::start(&simulator);
    for _ in 0..2 {
        let failed = watching.wait_for("not renewed, the next round tries again");
        assert!(failed.contains("ERROR") && failed.contains("conflict"), "{failed}");
    }
    let (code, log) = watching.stop("-TERM");
    assert_eq!(code, 11, "{log}");
    assert!(
        log.ends_with("error: stopped; in the last round a token that was due could not be renewed, as the log says\n"),
        "{log}"
    );
}

#[test]
fn a_watch_with_json_output_logs_one_object_per_event() {
    let simulator = with_one_token();
    simulator.advance(340 * DAY);
    simulator.inject(Fault::new(FaultKind::error(409, 12132, "busy")).on(Operation::Refresh).forever());
    let mut watching =
        Watching::of(child(&simulator).args(["watch", "--within", "30d", "--every", "1s", "--output", "json"]));
    watching.wait_for("round done");
    let (code, log) = watching.stop("-TERM");
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events =
        |message: &str| lines.iter().find(|line| line["message"].as_str().is_some_and(|m| m.starts_with(message)));
    let failed = events("not renewed").unwrap();
    assert_eq!(
        (&failed["level"], &failed["name"], &failed["kind"]),
        (&"ERROR".into(), &"CI\u{1b}[2J".into(), &"conflict".into())
    );
    let round = events("round done").unwrap();
    assert_eq!((&round["due"], &round["renewed"], &round["failed"]), (&1.into(), &0.into(), &1.into()));
    assert_eq!((code, &lines.last().unwrap()["error"]["exit"]), (11, &"not-renewed".into()), "{log}");
}

#[test]
fn a_watch_forgets_a_failure_that_a_later_round_has_made_good() {
    let simulator = with_one_token();
    simulator.advance(340 * DAY);
    simulator.inject(Fault::new(FaultKind::error(409, 12132, "busy")).on(Operation::Refresh));
    simulator.inject(Fault::new(FaultKind::error(403, 10000, "replaced")).on(Operation::List).skipping(1));
    let mut watching = Watching::start(&simulator);
    watching.wait_for("not renewed, the next round tries again");
    watching.wait_for("the round failed, the next one tries again");
    watching.wait_for(" renewed ");
    watching.wait_for("round done");
    let (code, log) = watching.stop("-TERM");
    assert_eq!(code, 0, "{log}");
}

#[test]
fn a_watch_whose_last_round_could_not_list_does_not_end_with_0() {
    let simulator = with_one_token();
    simulator.inject(Fault::new(FaultKind::HtmlPage { status: 503 }).on(Operation::List).forever());
    let mut watching =
        Watching::of(child(&simulator).args(["watch", "--within", "30d", "--every", "1s", "--max-retries", "0"]));
    watching.wait_for("the round failed, the next one tries again");
    let (code, log) = watching.stop("-TERM");
    assert_eq!(code, 11, "{log}");
}

#[test]
fn a_watch_waits_as_long_as_the_api_asks() {
    let simulator = with_one_token();
    simulator.inject(FaultKind::RateLimited { wait: Wait::Seconds(600) });
    let mut watching = Watching::start(&simulator);
    let wait = watching.wait_for("the API asks to wait longer than until the next round");
    assert!(wait.contains("10 minutes"), "{wait}");
    let (code, log) = watching.stop("-TERM");
    assert_eq!(code, 11, "{log}");
}

#[test]
fn a_watch_is_stopped_in_the_middle_of_a_round() {
    let simulator = with_one_token();
    simulator.inject(FaultKind::NeverAnswer);
    let watching = Watching::start(&simulator);
    wait_for_request(&simulator);
    let (code, log) = watching.stop("-TERM");
    assert!(code == 0 && log.contains("stopped"), "{log}");
}

#[test]
fn a_watch_that_can_never_work_ends_at_once() {
    let simulator = with_one_token();
    let watch = ["watch", "--within", "30d", "--every", "6h"];
    let (code, _, stderr) = run(program(&simulator).env("CLOUDFLARE_API_TOKEN", "wrong").args(watch));
    assert_eq!(code, 4, "{stderr}");
    let (code, _, stderr) = run(program(&simulator).args(["watch", "--within", "400d", "--every", "6h"]));
    assert_eq!(code, 2, "{stderr}");
    simulator.clear_requests();
    assert_shown!(program(&simulator).args(["watch", "--within", "6h", "--every", "6h"]), @r"
    exit 2
    --- stdout
    --- stderr
    error: --every 6 hours is not shorter than --within 6 hours: a token could expire between two rounds
    ");
    let (code, _, stderr) = run(program(&simulator).args(["watch", "--within", "6h", "--every", "0s"]));
    assert!(code == 2 && stderr.contains("at least a second"), "{stderr}");
    assert_eq!(simulator.request_count(), 0);
}
