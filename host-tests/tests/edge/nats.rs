//! As much of a NATS client as a scheduler needs: publish a request, read what comes.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cloudflare_access_host_tests::programs::{Lines, Running};
use cloudflare_access_host_tests::{LIMIT, fetched};
use serde_json::Value;

/// A running `nats-server` and a connection to it.
pub struct Nats {
    _process: Running,
    /// Where hosts find it.
    pub url: String,
    reader: BufReader<TcpStream>,
    requests: u32,
}

impl Nats {
    /// Starts Debian's `nats-server` on a free port with its store of streams, whose files lie in a folder, and connects.
    pub fn start(folder: &Path) -> Self {
        let mut process = Command::new(fetched::program("nats-server"))
            .args(["--addr", "127.0.0.1", "--port", "-1", "--jetstream", "--store_dir"])
            .arg(folder.join("jetstream"))
            .stderr(Stdio::piped())
            .spawn()
            .map(Running)
            .expect("nats-server runs");
        let mut lines = Lines::of(process.0.stderr.take().expect("its log"));
        let address = lines.wait_for("the address that nats-server listens on", |line| {
            line.split_once("client connections on ").map(|(_, address)| address.trim().to_owned())
        });
        let mut stream = TcpStream::connect(&address).expect("a connection");
        stream.set_write_timeout(Some(LIMIT)).expect("a limit");
        stream.write_all(b"CONNECT {\"verbose\":false}\r\n").expect("it is sent");
        Self { _process: process, url: format!("nats://{address}"), reader: BufReader::new(stream), requests: 0 }
    }

    /// Asks for messages on a subject.
    pub fn subscribe(&mut self, subject: &str) {
        self.requests += 1;
        let line = format!("SUB {subject} {}\r\n", self.requests);
        self.send(line.as_bytes());
    }

    /// Sends a request, and waits for its answer; other messages meanwhile are dropped.
    pub fn request(&mut self, subject: &str, body: &Value) -> Value {
        let reply = format!("reply.{}", self.requests + 1);
        self.subscribe(&reply);
        let body = body.to_string();
        self.send(format!("PUB {subject} {reply} {}\r\n{body}\r\n", body.len()).as_bytes());
        self.wait_for(&format!("the answer to {subject}"), |subject, answer| (subject == reply).then_some(answer))
    }

    /// Reads on to the first message in which `find`, which gets its subject and its JSON, finds something.
    pub fn wait_for<T>(&mut self, what: &str, mut find: impl FnMut(&str, Value) -> Option<T>) -> T {
        let end = Instant::now() + LIMIT;
        loop {
            let line = String::from_utf8(self.read(what, end, |reader, line| reader.read_until(b'\n', line)));
            let line = line.expect("a line of NATS");
            let words: Vec<_> = line.split_whitespace().collect();
            match words.as_slice() {
                ["PING"] => self.send(b"PONG\r\n"),
                ["MSG", subject, .., length] => {
                    let length = length.parse::<u64>().expect("a length") + 2;
                    let body = self.read(what, end, |reader, body| reader.take(length).read_to_end(body));
                    if let Some(found) = find(subject, serde_json::from_slice(&body).expect("JSON")) {
                        return found;
                    }
                }
                _ => {}
            }
        }
    }

    /// Reads some bytes, until the end of the time at most.
    fn read(
        &mut self,
        what: &str,
        end: Instant,
        read: impl FnOnce(&mut BufReader<TcpStream>, &mut Vec<u8>) -> io::Result<usize>,
    ) -> Vec<u8> {
        let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        self.reader.get_ref().set_read_timeout(Some(left)).expect("a limit");
        let mut bytes = Vec::new();
        match read(&mut self.reader, &mut bytes) {
            Ok(1..) => bytes,
            Ok(0) => panic!("nats-server closed the connection before {what} came"),
            Err(error) => panic!("waited {} s in vain for {what}: {error}", LIMIT.as_secs()),
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.reader.get_mut().write_all(bytes).expect("it is sent");
    }
}
