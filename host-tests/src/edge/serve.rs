//! A service in `wasmtime serve`, and requests to a service in any host.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::programs::{Lines, Running};
use crate::{LIMIT, fetched};

/// A running `wasmtime serve`.
pub struct Served {
    _process: Running,
    /// Where it listens.
    pub address: String,
}

impl Served {
    /// Serves a component on a free port, with these variables in its environment.
    ///
    /// # Panics
    /// It does not start, or does not listen within the limit of all waits.
    #[must_use]
    pub fn start(release: &str, component: &Path, environment: &[(&str, String)]) -> Self {
        let mut command = fetched::command(release);
        command.args(["serve", "-S", "cli,keyvalue", "--addr", "127.0.0.1:0"]);
        for (name, value) in environment {
            command.args(["--env", name]).env(name, value);
        }
        let mut process = command.arg(component).stderr(Stdio::piped()).spawn().map(Running).expect("wasmtime runs");
        let mut lines = Lines::of(process.0.stderr.take().expect("its standard error"));
        let address = lines.wait_for("the address that wasmtime serves on", |line| {
            line.split_once("http://").map(|(_, address)| address.trim_end_matches('/').to_owned())
        });
        Self { _process: process, address }
    }

    /// Sends a request without a body.
    ///
    /// # Panics
    /// There is no answer.
    #[must_use]
    pub fn ask(&self, method: &str, target: &str, bearer: Option<&str>) -> Answer {
        ask(&self.address, &self.address, method, target, bearer).expect("an answer")
    }
}

/// An answer of a service.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The JSON of the body; null if there is none.
    pub body: Value,
    /// All of it, as it came.
    pub text: String,
}

/// Sends a request without a body to a service by its name.
///
/// # Errors
/// There is no connection, or no whole answer.
///
/// # Panics
/// The answer is no HTTP.
pub fn ask(address: &str, host: &str, method: &str, target: &str, bearer: Option<&str>) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    let authorization = bearer.map(|secret| format!("authorization: Bearer {secret}\r\n")).unwrap_or_default();
    write!(
        stream,
        "{method} {target} HTTP/1.1\r\nhost: {host}\r\n{authorization}content-length: 0\r\nconnection: close\r\n\r\n"
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, format!("no whole answer: {text:?}")));
    };
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("{text:?}"));
    let json = body.find('{').zip(body.rfind('}')).and_then(|(start, end)| body.get(start..=end));
    let body = json.map_or(Value::Null, |json| serde_json::from_str(json).expect("JSON"));
    Ok(Answer { status, body, text })
}
