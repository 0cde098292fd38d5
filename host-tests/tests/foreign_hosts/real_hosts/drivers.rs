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

use crate::packages;
use crate::real_hosts::embedding::Embedding;
use crate::real_hosts::wave;

/// A host that has loaded the component.
pub trait Driver {
    /// The name of the host, with the version that it reports itself.
    fn title(&self) -> String;

    /// Calls the component, several times at once where the step says so, and returns the outcome of each call.
    fn run(&mut self, step: &Value) -> Vec<Value>;
}

/// Makes the calls of a step, each in a thread.
pub fn at_once(step: &Value, call: impl Fn() -> Value + Sync) -> Vec<Value> {
    std::thread::scope(|threads| {
        let calls: Vec<_> = (0..step["at-once"].as_u64().unwrap_or(1)).map(|_| threads.spawn(&call)).collect();
        calls.into_iter().map(|call| call.join().expect("no panic in a call")).collect()
    })
}

/// Starts a host that reaches a simulator.
pub type Start = fn(&Simulator) -> Box<dyn Driver>;

/// How every host starts, in the order of the table. Of the command, the long-term releases and the newest one.
pub const HOSTS_UNDER_TEST: [Start; 6] = [
    |simulator| Box::new(WasmtimeCommand::new("wasmtime-36", simulator)),
    |simulator| Box::new(WasmtimeCommand::new("wasmtime-48", simulator)),
    |simulator| Box::new(WasmtimeCommand::new("wasmtime-49", simulator)),
    |simulator| Box::new(Embedding::new(simulator)),
    |simulator| Box::new(Subprocess::new(python(), python_version(), simulator)),
    |simulator| Box::new(Subprocess::new(jco(), jco_version(), simulator)),
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
    fn title(&self) -> String {
        let mut command = fetched::command(self.name);
        command.arg("--version");
        // Followed by the commit.
        printed(command).split(' ').take(2).collect::<Vec<_>>().join(" ")
    }

    fn run(&mut self, step: &Value) -> Vec<Value> {
        at_once(step, || self.call(step))
    }
}

impl WasmtimeCommand {
    fn call(&self, step: &Value) -> Value {
        let mut command = fetched::command(self.name);
        command
            .args(["run", "-S", "http", "--env", "CLOUDFLARE_API_TOKEN", "--env", "CLOUDFLARE_BASE_URL"])
            .args(["--invoke", &wave::call(step)])
            .arg(fetched::component())
            .env("CLOUDFLARE_API_TOKEN", API_TOKEN)
            .env("CLOUDFLARE_BASE_URL", &self.base_url);
        let output = programs::output(command, LIMIT);
        match wave::parse(&String::from_utf8_lossy(&output.stdout)) {
            Some(result) => wave::outcome(step, &result),
            None => json!({"trap": String::from_utf8_lossy(&output.stderr)}),
        }
    }
}

/// A driver in another language: one process, a step a line in, its outcomes a line out.
struct Subprocess {
    title: String,
    _process: Running,
    steps: ChildStdin,
    outcomes: Lines,
}

impl Subprocess {
    fn new(mut command: Command, title: String, simulator: &Simulator) -> Self {
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
        Self { title, _process: process, steps, outcomes }
    }
}

impl Driver for Subprocess {
    fn title(&self) -> String {
        self.title.clone()
    }

    fn run(&mut self, step: &Value) -> Vec<Value> {
        writeln!(self.steps, "{step}").expect("the driver reads");
        let line = self.outcomes.wait_for(&format!("the outcome of {step}"), |line| Some(line.to_owned()));
        serde_json::from_str(&line).unwrap_or_else(|_| vec![json!({"trap": format!("the driver wrote {line}")})])
    }
}

/// What a command prints, which must succeed.
fn printed(command: Command) -> String {
    let output = programs::output(command, LIMIT);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

fn python() -> Command {
    let mut command = packages::python();
    command.arg(Path::new(HOSTS).join("python/driver.py"));
    command
}

fn python_version() -> String {
    let mut command = packages::python();
    command.args(["-c", "import importlib.metadata; print(importlib.metadata.version('wasmtime'))"]);
    format!("wasmtime-py {}", printed(command))
}

fn jco_version() -> String {
    let (mut jco, mut node) = (Command::new(fetched::program("jco")), Command::new("node"));
    jco.arg("--version");
    node.arg("--version");
    format!("jco {}, Node {}", printed(jco), printed(node).trim_start_matches('v'))
}

fn jco() -> Command {
    let folder = packages::javascript();
    std::fs::copy(Path::new(HOSTS).join("javascript/driver.js"), folder.join("driver.mjs")).expect("the driver");
    let mut command = Command::new("node");
    command.arg("driver.mjs").current_dir(folder);
    command
}
