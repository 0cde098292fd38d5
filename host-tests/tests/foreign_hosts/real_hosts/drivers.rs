//! The hosts, each behind the same question: do this step, what came of it? A step and its outcome are JSON, as the drivers
//! in `hosts/` read and write them.

use std::io::Write;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};

use cloudflare_access_host_tests::LIMIT;
use cloudflare_access_host_tests::fetched::{self, HOSTS};
use cloudflare_access_host_tests::programs::{self, Lines, Running};
use cloudflare_access_simulator::{API_TOKEN, Simulator};
use serde_json::{Value, json};

use crate::real_hosts::embedding::Embedding;
use crate::real_hosts::wave;

/// A host that has loaded the component.
pub trait Driver {
    /// Calls the component once.
    fn run(&mut self, step: &Value) -> Value;
}

/// Starts a host that reaches a simulator.
pub type Start = fn(&Simulator) -> Box<dyn Driver>;

/// Every host, in the order of the table: its name there, and how it starts. Of the command, the long-term releases and the newest one.
pub const HOSTS_UNDER_TEST: [(&str, Start); 6] = [
    ("wasmtime 36.0.9", |simulator| Box::new(WasmtimeCommand::new("wasmtime-36", simulator))),
    ("wasmtime 48.0.2", |simulator| Box::new(WasmtimeCommand::new("wasmtime-48", simulator))),
    ("wasmtime 49.0.4", |simulator| Box::new(WasmtimeCommand::new("wasmtime-49", simulator))),
    ("Rust, wasmtime 48", |simulator| Box::new(Embedding::new(simulator))),
    ("wasmtime-py 50.0.1", |simulator| Box::new(Subprocess::new(python(), simulator))),
    ("jco 1.35.0, Node", |simulator| Box::new(Subprocess::new(jco(), simulator))),
];

/// The stock command: one process a call, values as text.
struct WasmtimeCommand {
    name: &'static str,
    base_url: String,
}

impl WasmtimeCommand {
    fn new(name: &'static str, simulator: &Simulator) -> Self {
        Self { name, base_url: simulator.base_url().to_owned() }
    }
}

impl Driver for WasmtimeCommand {
    fn run(&mut self, step: &Value) -> Value {
        let mut command = fetched::command(self.name);
        command
            .args(["run", "-S", "http", "--env", "CLOUDFLARE_API_TOKEN", "--env", "CLOUDFLARE_BASE_URL"])
            .args(["--invoke", &wave::call(step)])
            .arg(fetched::component())
            .env("CLOUDFLARE_API_TOKEN", API_TOKEN)
            .env("CLOUDFLARE_BASE_URL", &self.base_url);
        let output = programs::output(command, LIMIT);
        match wave::parse(&String::from_utf8_lossy(&output.stdout)) {
            Some(result) => wave::outcome(&result),
            None => json!({"trap": String::from_utf8_lossy(&output.stderr)}),
        }
    }
}

/// A driver in another language: one process, a step a line in, an outcome a line out.
struct Subprocess {
    _process: Running,
    steps: ChildStdin,
    outcomes: Lines,
}

impl Subprocess {
    fn new(mut command: Command, simulator: &Simulator) -> Self {
        let mut process = command
            .env("CLOUDFLARE_API_TOKEN", API_TOKEN)
            .env("CLOUDFLARE_BASE_URL", simulator.base_url())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map(Running)
            .expect("the driver starts");
        let steps = process.0.stdin.take().expect("its standard input");
        let outcomes = Lines::of(process.0.stdout.take().expect("its standard output"));
        Self { _process: process, steps, outcomes }
    }
}

impl Driver for Subprocess {
    fn run(&mut self, step: &Value) -> Value {
        writeln!(self.steps, "{step}").expect("the driver reads");
        let line = self.outcomes.wait_for(&format!("the outcome of {step}"), |line| Some(line.to_owned()));
        serde_json::from_str(&line).unwrap_or_else(|_| json!({"trap": format!("the driver wrote {line}")}))
    }
}

/// wasmtime-py: the wheel is unpacked, not installed.
fn python() -> Command {
    let package = fetched::program("wasmtime-py");
    let mut command = Command::new("python3");
    command
        .arg(Path::new(HOSTS).join("python/driver.py"))
        .arg(fetched::component())
        .env("PYTHONPATH", package.ancestors().nth(2).expect("the wheel's folder"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// jco: the component becomes JavaScript once, in a folder that has the driver and the packages, as an application has them.
fn jco() -> Command {
    let jco = fetched::program("jco");
    let folder = fetched::component().with_file_name("javascript");
    std::fs::create_dir_all(&folder).expect("a folder for the application");
    for file in ["driver.js", "cloudflare-access.js", "package.json"] {
        std::fs::copy(Path::new(HOSTS).join("javascript").join(file), folder.join(file)).expect("the driver");
    }
    let packages = jco.ancestors().nth(2).expect("node_modules");
    let link = folder.join("node_modules");
    if !link.exists() {
        std::os::unix::fs::symlink(packages, link).expect("a link to the packages");
    }
    let mut transpile = Command::new(jco);
    transpile
        .args(["transpile", "--quiet", "--instantiation", "async", "--out-dir", "transpiled"])
        .arg(fetched::component())
        .current_dir(&folder);
    let transpiled = programs::output(transpile, LIMIT);
    assert!(transpiled.status.success(), "jco transpile: {}", String::from_utf8_lossy(&transpiled.stderr));
    let mut command = Command::new("node");
    command.arg("driver.js").arg("transpiled").current_dir(folder);
    command
}
