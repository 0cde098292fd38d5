//! Runs the program, and shows what it did without what differs from run to run.

use std::process::{self, Output};

use assert_cmd::Command;
use cloudflare_access_simulator::{ACCOUNT_ID, API_TOKEN, Simulator};

/// Where wasmtime keeps compiled code, so that not every run compiles.
const HOME: &str = env!("CARGO_TARGET_TMPDIR");

pub const ID: &str = "f174e90a-fafe-4643-bbbc-4a0ed4fc8415";

pub fn simulator() -> Simulator {
    Simulator::builder().start_on_thread().unwrap()
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

fn with_settings(program: &mut process::Command, simulator: &Simulator) {
    program
        .env_clear()
        .env("HOME", HOME)
        .env("CLOUDFLARE_API_TOKEN", API_TOKEN)
        .env("CLOUDFLARE_ACCOUNT_ID", ACCOUNT_ID)
        .env("CLOUDFLARE_BASE_URL", simulator.base_url());
}

pub fn bare_program() -> Command {
    let mut program = Command::new(assert_cmd::cargo::cargo_bin!("access-tokens"));
    program.env_clear().env("HOME", HOME);
    program
}

pub fn run(program: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = program.output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
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
