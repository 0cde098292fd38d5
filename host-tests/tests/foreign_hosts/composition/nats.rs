//! As much of a NATS client as a scheduler needs: publish a request, read what comes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use cloudflare_access_host_tests::fetched;
use serde_json::Value;

/// A running `nats-server` and a connection to it.
pub struct Nats {
    process: Child,
    /// Where hosts find it.
    pub url: String,
    reader: BufReader<TcpStream>,
    requests: u32,
}

impl Nats {
    /// Starts Debian's `nats-server` on a free port, and connects.
    pub fn start() -> Self {
        let mut process = Command::new(fetched::program("nats-server"))
            .args(["--addr", "127.0.0.1", "--port", "-1"])
            .stderr(Stdio::piped())
            .spawn()
            .expect("nats-server runs");
        let mut lines = BufReader::new(process.stderr.take().expect("its log")).lines();
        let address = loop {
            let line = lines.next().expect("nats-server listens").expect("a line");
            if let Some((_, address)) = line.split_once("client connections on ") {
                break address.trim().to_owned();
            }
        };
        std::thread::spawn(move || lines.for_each(drop));
        let mut stream = TcpStream::connect(&address).expect("a connection");
        stream.write_all(b"CONNECT {\"verbose\":false}\r\n").expect("it is sent");
        Self { process, url: format!("nats://{address}"), reader: BufReader::new(stream), requests: 0 }
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
        loop {
            let (subject, answer) = self.next_message();
            if subject == reply {
                return answer;
            }
        }
    }

    /// The next message: its subject and its JSON.
    pub fn next_message(&mut self) -> (String, Value) {
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line).expect("a line");
            let words: Vec<_> = line.split_whitespace().collect();
            match words.as_slice() {
                ["PING"] => self.send(b"PONG\r\n"),
                ["MSG", subject, .., length] => {
                    let mut body = vec![0; length.parse::<usize>().expect("a length") + 2];
                    self.reader.read_exact(&mut body).expect("the message");
                    return ((*subject).to_owned(), serde_json::from_slice(&body).expect("JSON"));
                }
                _ => {}
            }
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.reader.get_mut().write_all(bytes).expect("it is sent");
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
