//! Runs the program, and shows what it did without what differs from run to run.

use std::process::{self, Child, ExitStatus, Output};
use std::time::{Duration, Instant};

use assert_cmd::Command;
use cloudflare_access_simulator::{ACCOUNT_ID, API_TOKEN, Simulator};

use crate::within::LIMIT;
#[cfg(unix)]
use crate::within::within;

/// The user's home folder, in which nothing is written.
const HOME: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/home");
/// The user's cache folder: compiled code is kept where the tests of all crates keep it, so that the component is compiled once.
const CACHE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/code-cache");

pub const ID: &str = "f174e90a-fafe-4643-bbbc-4a0ed4fc8415";

pub fn simulator() -> Simulator {
    let simulator = Simulator::builder().start_on_thread().unwrap();
    // An earlier run of the tests may have had the same port.
    std::fs::remove_dir_all(state_home(&simulator)).unwrap_or_default();
    simulator
}

/// The user's folder for state. Every simulator has one of its own, as every account has its own tokens.
pub fn state_home(simulator: &Simulator) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("state").join(simulator.address().port().to_string())
}

/// The program with nothing of this process's environment but what the simulator needs.
pub fn program(simulator: &Simulator) -> Command {
    Command::from_std(child(simulator))
}

/// The same program, for a test that goes on while it runs.
pub fn child(simulator: &Simulator) -> process::Command {
    let mut program = process::Command::new(assert_cmd::cargo::cargo_bin!("access-tokens"));
    with_settings(&mut program, simulator);
    program
}

/// A line that a user would type, in a folder of its own.
#[cfg(unix)]
pub fn shell(simulator: &Simulator, folder: &std::path::Path, line: &str) -> process::Command {
    let mut shell = process::Command::new("/bin/sh");
    with_settings(&mut shell, simulator);
    let programs = assert_cmd::cargo::cargo_bin!("access-tokens").parent().unwrap();
    shell.env("PATH", programs).current_dir(folder).args(["-c", line]);
    shell
}

/// A line that a user would type where the environment says nothing of Cloudflare.
#[cfg(unix)]
pub fn bare_shell(folder: &std::path::Path, line: &str) -> process::Command {
    let mut shell = process::Command::new("/bin/sh");
    let programs = assert_cmd::cargo::cargo_bin!("access-tokens").parent().unwrap();
    shell.env_clear().env("HOME", HOME).env("XDG_CACHE_HOME", CACHE).env("PATH", programs);
    shell.current_dir(folder).args(["-c", line]);
    shell
}

/// The command lines of a message that can be pasted, in their order.
pub fn commands(message: &str) -> Vec<String> {
    let lines = message.lines().filter_map(|line| line.strip_prefix("  "));
    lines.filter(|line| line.starts_with("access-tokens ")).map(str::to_owned).collect()
}

fn with_settings(program: &mut process::Command, simulator: &Simulator) {
    program
        .env_clear()
        .env("HOME", HOME)
        .env("XDG_CACHE_HOME", CACHE)
        .env("XDG_STATE_HOME", state_home(simulator))
        .env("CLOUDFLARE_API_TOKEN", API_TOKEN)
        .env("CLOUDFLARE_ACCOUNT_ID", ACCOUNT_ID)
        .env("CLOUDFLARE_BASE_URL", simulator.base_url());
}

pub fn bare_program() -> Command {
    let mut program = Command::new(assert_cmd::cargo::cargo_bin!("access-tokens"));
    program.env_clear().env("HOME", HOME).env("XDG_CACHE_HOME", CACHE);
    program
}

pub fn run(program: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = program.timeout(LIMIT).output().unwrap();
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    let Some(code) = status.code() else {
        panic!("killed by a signal, or because it did not end within {LIMIT:?}: {program:?}\n{stdout}{stderr}");
    };
    (code, stdout, stderr)
}

/// Waits for the end of a program that writes less than its pipes hold.
pub fn end(child: &mut Child) -> ExitStatus {
    let limit = Instant::now() + LIMIT;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > limit {
            child.kill().unwrap();
            panic!("waited {LIMIT:?} in vain for the end of the program");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Sends a signal to a program.
#[cfg(unix)]
pub fn send(signal: &str, child: &Child) {
    let sent = process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Waits for the next request to a simulator.
#[cfg(unix)]
pub fn wait_for_request(simulator: &Simulator) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(within("a request", simulator.next_request()));
}

/// Exit code, standard output and standard error as one text, without what differs from run to run.
pub fn shown(program: &mut Command) -> String {
    let (code, stdout, stderr) = run(program);
    format!("exit {code}\n--- stdout\n{stdout}--- stderr\n{stderr}")
}

macro_rules! assert_shown {
    ($program:expr, @$expected:literal) => {
        insta::with_settings!({ filters => vec![
            (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "[id]"),
            (r"[0-9a-f]{32}\.access", "[client id]"),
            (r"cfast_[0-9A-Za-z]+", "[secret]"),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "[time]"),
            (r"\(cf-ray\): \S+", "(cf-ray): [ray]"),
            (r"127\.0\.0\.1:\d+", "[address]"),
        ] }, { insta::assert_snapshot!($crate::program::shown($program), @$expected); });
    };
}

pub(crate) use assert_shown;

pub fn first_id(simulator: &Simulator) -> String {
    simulator.tokens(simulator.account())[0].id.clone()
}
