//! A composed service in `wasmtime serve`, asked over HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use cloudflare_access_host_tests::fetched;
use cloudflare_access_simulator::{API_TOKEN, Simulator};
use serde_json::Value;

/// A running `wasmtime serve`.
pub struct Served {
    process: Child,
    address: String,
}

impl Served {
    /// Serves a component on a free port, with the settings of the simulator in its environment.
    pub fn start(release: &str, component: &Path, simulator: &Simulator) -> Self {
        let mut process = Command::new(fetched::program(release))
            .args(["serve", "-S", "cli", "--addr", "127.0.0.1:0"])
            .args(["--env", "CLOUDFLARE_API_TOKEN", "--env", "CLOUDFLARE_BASE_URL"])
            .arg(component)
            .env("CLOUDFLARE_API_TOKEN", API_TOKEN)
            .env("CLOUDFLARE_BASE_URL", simulator.base_url())
            .stderr(Stdio::piped())
            .spawn()
            .expect("wasmtime runs");
        let mut lines = BufReader::new(process.stderr.take().expect("its standard error")).lines();
        let mut said = String::new();
        let address = loop {
            let line = lines.next().unwrap_or_else(|| panic!("wasmtime serve ended: {said}")).expect("a line");
            if let Some((_, address)) = line.split_once("http://") {
                break address.trim_end_matches('/').to_owned();
            }
            said.push_str(&line);
        };
        // Whatever else it says is read, so that it never waits for us.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, address }
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
pub fn post(address: &str, host: &str, target: &str) -> std::io::Result<(u16, Value)> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "POST {target} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        .expect("the request is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("{answer:?}"));
    let json = &answer[answer.find('{').unwrap_or_else(|| panic!("{answer:?}"))..=answer.rfind('}').expect("its end")];
    Ok((status, serde_json::from_str(json).expect("JSON")))
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
