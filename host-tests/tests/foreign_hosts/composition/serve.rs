//! A composed service in `wasmtime serve`, asked over HTTP.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;

use cloudflare_access_host_tests::programs::{Lines, Running};
use cloudflare_access_host_tests::{LIMIT, fetched};
use cloudflare_access_simulator::{API_TOKEN, Simulator};
use serde_json::Value;

/// A running `wasmtime serve`.
pub struct Served {
    _process: Running,
    address: String,
}

impl Served {
    /// Serves a component on a free port, with the settings of the simulator in its environment.
    pub fn start(release: &str, component: &Path, simulator: &Simulator) -> Self {
        let mut process = fetched::command(release)
            .args(["serve", "-S", "cli", "--addr", "127.0.0.1:0"])
            .args(["--env", "CLOUDFLARE_API_TOKEN", "--env", "CLOUDFLARE_BASE_URL"])
            .arg(component)
            .env("CLOUDFLARE_API_TOKEN", API_TOKEN)
            .env("CLOUDFLARE_BASE_URL", simulator.base_url())
            .stderr(Stdio::piped())
            .spawn()
            .map(Running)
            .expect("wasmtime runs");
        let mut lines = Lines::of(process.0.stderr.take().expect("its standard error"));
        let address = lines.wait_for("the address that wasmtime serves on", |line| {
            line.split_once("http://").map(|(_, address)| address.trim_end_matches('/').to_owned())
        });
        Self { _process: process, address }
    }

    /// Sends a request without a body: the status and the JSON of the answer.
    pub fn post(&self, target: &str) -> (u16, Value) {
        post(&self.address, &self.address, target).expect("an answer")
    }
}

/// Sends a request without a body to a service by its name: the status and the JSON of the answer.
///
/// # Errors
/// No connection, so that nothing was sent.
///
/// # Panics
/// There is no answer, or no whole one, within the limit of all waits.
pub fn post(address: &str, host: &str, target: &str) -> std::io::Result<(u16, Value)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LIMIT)).expect("a limit");
    stream.set_write_timeout(Some(LIMIT)).expect("a limit");
    write!(stream, "POST {target} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        .expect("the request is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap_or_else(|error| panic!("no answer from {address} to {target}: {error}"));
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("{answer:?}"));
    let json = &answer[answer.find('{').unwrap_or_else(|| panic!("{answer:?}"))..=answer.rfind('}').expect("its end")];
    Ok((status, serde_json::from_str(json).expect("JSON")))
}
