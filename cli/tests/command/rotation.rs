//! Commands that make a secret, killed with SIGKILL at every point and at every request, and then run again.
//!
//! At every moment that a kill leaves, the pair that the secret file holds passes; in the end there is one token, and the file holds a
//! pair that passes. Where a secret is lost, the command says so and rotates over it only with `--accept-lockout`.

#![cfg(unix)]

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use assert_cmd::Command;
use cloudflare_access_host::rotation::POINTS;
use cloudflare_access_simulator::{Fault, FaultKind, Moment, Simulator};
use tempfile::TempDir;

use crate::program::{child, commands, end, program, run, shell, simulator, state_home};
use crate::watch::Watching;

const HOUR: Duration = Duration::from_hours(1);

/// The commands of the matrix. Each of them writes the secret file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Rotate,
    Create,
    Issue,
}

impl What {
    const ALL: [Self; 3] = [Self::Rotate, Self::Create, Self::Issue];

    fn arguments(self, world: &World) -> Vec<String> {
        let words = match self {
            Self::Rotate => "rotate CI --overlap 24h --end-overlap --replace --verify",
            Self::Create => "create CI",
            Self::Issue => "issue CI",
        };
        let url = (self == Self::Rotate).then(|| world.simulator.application_url());
        let file = world.file().display().to_string();
        words.split(' ').map(str::to_owned).chain(url).chain(["--secret-file".to_owned(), file]).collect()
    }
}

/// A simulator, and the folder of the secret file.
struct World {
    simulator: Simulator,
    folder: TempDir,
    old: Option<String>,
}

impl World {
    /// For a rotation there is a token, and the file holds its pair.
    fn of(what: What) -> Self {
        let mut world = Self { simulator: simulator(), folder: tempfile::tempdir().unwrap(), old: None };
        if what == What::Rotate {
            let token = world.simulator.add_token(world.simulator.account(), "CI");
            let (id, secret) = (token.token.client_id, token.client_secret.expose().to_owned());
            let pair = format!("CF_ACCESS_CLIENT_ID={id}\nCF_ACCESS_CLIENT_SECRET={secret}\n");
            std::fs::write(world.file(), pair).unwrap();
            world.old = Some(secret);
        }
        world
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ci.env")
    }

    /// Whether the pair of the file passes; none where there is no file.
    fn held_pair_passes(&self) -> Option<bool> {
        let text = std::fs::read_to_string(self.file()).ok()?;
        let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap();
        let (id, secret) = (value("CF_ACCESS_CLIENT_ID"), value("CF_ACCESS_CLIENT_SECRET"));
        Some(self.simulator.authenticate(id, secret).is_ok())
    }

    fn check_moment(&self, about: &str) {
        assert_ne!(self.held_pair_passes(), Some(false), "{about}: the pair in the file does not pass");
    }

    /// What holds in the end.
    fn check(&self, about: &str) {
        let tokens = self.simulator.tokens(self.simulator.account());
        let [token] = tokens.as_slice() else { panic!("{about}: {} tokens: {tokens:?}", tokens.len()) };
        assert_eq!((token.name.as_str(), self.held_pair_passes()), ("CI", Some(true)), "{about}");
        let rotations = state_home(&self.simulator).join("access-tokens").join("rotations");
        for file in std::fs::read_dir(rotations).unwrap() {
            let path = file.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let is_kept = |secret: &cloudflare_access_simulator::ClientSecret| text.contains(secret.expose());
            assert!(!self.simulator.issued_secrets().iter().any(is_kept), "{about}: {}", path.display());
        }
    }

    /// Runs the same command again until it is done. Returns whether a secret was lost on the way.
    fn until_done(&self, what: What, about: &str) -> bool {
        for _ in 0..3 {
            let (code, _, stderr) = run(program(&self.simulator).args(what.arguments(self)));
            match code {
                0 => return false,
                6 if stderr.contains("the secret of an earlier rotation is lost") => {
                    assert!(stderr.contains("The old secret passes until 20"), "{about}: {stderr}");
                    self.check_moment(about);
                    // A yes is no acceptance.
                    let yes = ["--yes", "--end-running-overlap"];
                    let (code, _, stderr) = run(program(&self.simulator).args(what.arguments(self)).args(yes));
                    assert_eq!(code, 6, "{about}: {stderr}");
                    let accept = commands(&stderr).pop().unwrap();
                    assert!(accept.ends_with(" --accept-lockout"), "{about}: {stderr}");
                    let mut accepted = Command::from_std(shell(&self.simulator, self.folder.path(), &accept));
                    let (code, _, stderr) = run(&mut accepted);
                    assert_eq!(code, 0, "{about}: {stderr}");
                    return true;
                }
                _ => self.check_moment(about),
            }
        }
        panic!("{about}: it is never done");
    }
}

#[test]
fn a_command_that_is_killed_at_any_point_goes_on_and_locks_nobody_out() {
    let mut killed_at = Vec::new();
    for what in What::ALL {
        for point in POINTS {
            let about = format!("{what:?} killed at {point}");
            let world = World::of(what);
            let mut command = child(&world.simulator);
            command.env("ACCESS_TOKENS_TEST_KILL_AT", point).args(what.arguments(&world));
            let output = command.output().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            if output.status.success() {
                // The command does not come to this point.
                world.check(&about);
                continue;
            }
            assert_eq!(output.status.signal(), Some(9), "{about}: {stderr}");
            killed_at.push(point);
            world.check_moment(&about);
            let is_complete = ["finish-renamed", "finish-kept"].contains(&point);
            let is_lost = !is_complete && world.until_done(what, &about);
            let may_be_lost =
                what == What::Rotate && ["answer", "journal", "journal-written", "journal-synced"].contains(&point);
            assert_eq!(is_lost, may_be_lost, "{about}");
            world.check(&about);
        }
    }
    for point in POINTS {
        assert!(killed_at.contains(&point), "no command was killed at {point}");
    }
}

#[test]
fn a_command_that_is_killed_at_any_request_goes_on_and_locks_nobody_out() {
    for what in What::ALL {
        let mut kills = 0;
        for moment in [Moment::BeforeCommit, Moment::AfterCommit] {
            for request in 0.. {
                let about = format!("{what:?} killed at request {request}, {moment:?}");
                let world = World::of(what);
                world.simulator.inject(Fault::new(FaultKind::NeverAnswer).skipping(request).at(moment));
                let mut command = child(&world.simulator);
                command.args(what.arguments(&world)).stdout(Stdio::null()).stderr(Stdio::null());
                let mut running = command.spawn().unwrap();
                let is_met = loop {
                    if world.simulator.faults().is_empty() {
                        break true;
                    }
                    if running.try_wait().unwrap().is_some() {
                        break false;
                    }
                    std::thread::sleep(Duration::from_millis(2));
                };
                if !is_met {
                    assert!(request > 0, "{about}: it made no request");
                    break;
                }
                // The change comes after the fault was taken from the queue.
                while moment == Moment::AfterCommit
                    && world.simulator.requests().last().is_some_and(|last| last.method != "GET" && !last.committed)
                {
                    std::thread::yield_now();
                }
                running.kill().unwrap();
                assert_eq!(end(&mut running).signal(), Some(9), "{about}");
                kills += 1;
                world.check_moment(&about);
                let is_lost = world.until_done(what, &about);
                assert!(!is_lost || moment == Moment::AfterCommit && what == What::Rotate, "{about}");
                world.check(&about);
            }
        }
        assert!(kills >= 2, "{what:?}: {kills} kills");
    }
}

#[test]
fn of_two_commands_at_once_one_says_that_the_other_is_at_work() {
    let world = World::of(What::Rotate);
    let folder = world.folder.path();
    assert!(std::process::Command::new("mkfifo").arg(folder.join("gate")).status().unwrap().success());
    // The first one holds the lock until somebody opens the gate.
    let mut rotate = What::Rotate.arguments(&world);
    rotate.extend(["--secret-command".to_owned(), "cat >/dev/null; : >begun; cat gate".to_owned()]);
    let mut one = child(&world.simulator);
    one.env("PATH", "/usr/bin:/bin").current_dir(folder).args(&rotate);
    let mut one = one.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let limit = std::time::Instant::now() + crate::within::LIMIT;
    while !folder.join("begun").exists() {
        assert!(std::time::Instant::now() < limit, "the command did not begin");
        std::thread::sleep(Duration::from_millis(5));
    }
    let (code, _, stderr) = run(program(&world.simulator).args(What::Rotate.arguments(&world)));
    assert!(code == 6 && stderr.contains("another process is at work on this token"), "{stderr}");
    std::fs::write(folder.join("gate"), "").unwrap();
    assert!(end(&mut one).success());
    world.check("two at once");
    assert_eq!(world.simulator.issued_secrets().len(), 2);
}

#[test]
fn a_pair_that_does_not_pass_is_delivered_nowhere_and_resume_delivers_it_once_it_does() {
    let world = World::of(What::Rotate);
    let mut behaviour = world.simulator.behaviour();
    behaviour.application.learns_after_seconds = 60;
    world.simulator.set_behaviour(behaviour);
    let rotate = What::Rotate.arguments(&world);
    let (code, _, stderr) = run(program(&world.simulator).args(&rotate).args(["--verify-within", "0s"]));
    assert!(code == 15 && stderr.contains("nothing was delivered: Access refuses the pair: 403"), "{stderr}");
    assert_eq!(world.simulator.commits().len(), 1, "the overlap was ended: {stderr}");
    let id = world.simulator.tokens(world.simulator.account())[0].id.clone();
    let offered = [format!("access-tokens resume {id}"), format!("access-tokens extend-overlap {id} --overlap 7d")];
    assert_eq!(commands(&stderr), offered, "{stderr}");
    let (code, stdout, _) = run(program(&world.simulator).args(["rotations", "-o", "json"]));
    let listed: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        (code, &listed[0]["token_id"], &listed[0]["next"]),
        (0, &id.as_str().into(), &"deliver the secret".into())
    );
    assert!(listed[0]["previous_secret_expires_at"].is_string() && listed[1].is_null(), "{stdout}");
    let (_, stdout, _) = run(program(&world.simulator).arg("rotations"));
    assert!(stdout.contains("in 24 hours") && stdout.contains("deliver the secret"), "{stdout}");
    world.simulator.advance(Duration::from_secs(61));
    let (code, _, stderr) = run(program(&world.simulator).args(["resume", "CI", "--extend-overlap", "48h"]));
    assert_eq!(code, 0, "{stderr}");
    world.check("resumed");
    let ends = world.simulator.commits()[1].previous_client_secret_expires_at.clone().unwrap();
    assert!(ends > world.simulator.timestamp_in(47 * HOUR), "{ends}");
    assert_eq!(world.simulator.commits().len(), 3, "extended, then ended");
    let (code, stdout, stderr) = run(program(&world.simulator).arg("rotations"));
    assert_eq!((code, stdout.as_str()), (0, "Nothing is unfinished.\n"), "{stderr}");
}

#[test]
fn what_cannot_be_proven_in_any_case_is_refused_before_anything_is_sent() {
    let world = World::of(What::Rotate);
    let mut behaviour = world.simulator.behaviour();
    behaviour.application.protection = cloudflare_access_simulator::Protection::Open;
    world.simulator.set_behaviour(behaviour);
    let (code, _, stderr) = run(program(&world.simulator).args(What::Rotate.arguments(&world)));
    assert!(code == 15 && stderr.contains("would prove nothing; nothing was changed"), "{stderr}");
    assert_eq!(world.simulator.commits().len(), 0);
}

#[test]
fn a_token_is_rotated_only_if_its_secret_is_old_and_the_message_says_who_knows() {
    let world = World::of(What::Rotate);
    let day = 24 * HOUR;
    let rotate = |at: &str| {
        let arguments = ["rotate", "CI", "--overlap", "1h", "--show-secret", "--if-older-than", "90d"];
        let (code, _, stderr) = run(program(&world.simulator).args(arguments));
        assert_eq!(code, 0, "{at}: {stderr}");
        stderr
    };
    assert!(rotate("new").contains("not rotated: its secret is from ") && rotate("new").contains("the token was made"));
    world.simulator.advance(91 * day);
    assert!(rotate("old").contains("Done: "), "it was old");
    assert!(rotate("rotated").contains(", by the state folder"));
    std::fs::remove_dir_all(state_home(&world.simulator)).unwrap();
    assert!(rotate("elsewhere").contains("the state folder knows of no rotation"));
    assert_eq!(world.simulator.issued_secrets().len(), 2);
}

#[test]
fn a_resume_that_is_killed_is_gone_on_with_by_resume() {
    let world = World::of(What::Rotate);
    let mut rotate = child(&world.simulator);
    rotate.env("ACCESS_TOKENS_TEST_KILL_AT", "journal").args(What::Rotate.arguments(&world));
    assert_eq!(rotate.output().unwrap().status.signal(), Some(9));
    let mut resume = child(&world.simulator);
    resume.env("ACCESS_TOKENS_TEST_KILL_AT", "journal-kept").args(["resume", "CI", "--accept-lockout"]);
    assert_eq!(resume.output().unwrap().status.signal(), Some(9));
    let (code, _, stderr) = run(program(&world.simulator).arg("resume"));
    assert_eq!(code, 0, "{stderr}");
    world.check("resumed twice");
}

#[test]
fn what_is_unfinished_can_be_forgotten_and_a_job_of_ci_is_told_what_its_folder_means() {
    let world = World::of(What::Rotate);
    let mut command = child(&world.simulator);
    command.env("ACCESS_TOKENS_TEST_KILL_AT", "journal-kept").args(What::Rotate.arguments(&world));
    assert_eq!(command.output().unwrap().status.signal(), Some(9));
    // Each of these could end the old secret, and the new one is not delivered.
    for command in [
        "rotate CI --yes --show-secret",
        "end-overlap CI --yes",
        "update CI --client-secret-version 3 --yes --show-secret",
    ] {
        let (code, _, stderr) = run(program(&world.simulator).args(command.split(' ')));
        assert!(code == 6 && stderr.contains("another change of this token is not finished"), "{command}: {stderr}");
    }
    world.check_moment("refused");
    let mut watching = Watching::of(child(&world.simulator).args(["watch", "--within", "30d", "--every", "1s"]));
    let line = watching.wait_for("a rotation is not finished");
    assert!(line.contains("access-tokens resume ") && line.contains(" --overlap 7d"), "{line}");
    watching.stop("-TERM");
    let (code, _, stderr) = run(program(&world.simulator).args(["resume", "CI", "--abandon"]));
    assert!(code == 0 && stderr.contains("Forgot what was unfinished"), "{stderr}");
    let (code, _, stderr) = run(program(&world.simulator).args(["resume", "CI"]));
    assert!(code == 5 && stderr.contains("nothing is unfinished about CI"), "{stderr}");
    let mut ci = program(&world.simulator);
    ci.env("CI", "true").env_remove("XDG_STATE_HOME").env("HOME", world.folder.path());
    let (code, _, stderr) = run(ci.args(["rotate", "CI", "--overlap", "1h", "--show-secret"]));
    assert!(code == 6 && stderr.starts_with("note: CI is set"), "{stderr}");
    assert_eq!(world.simulator.commits().len(), 1, "the rotation that was killed");
}
