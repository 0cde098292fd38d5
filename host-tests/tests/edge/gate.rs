//! A way to NATS that stops at the write of a key: what a host sends or is answered then, it never gets through.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use cloudflare_access_host_tests::LIMIT;

/// Where the gate closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closes {
    /// The write does not arrive.
    BeforeTheWrite,
    /// The write arrives, and its answer does not.
    AfterTheWrite,
}

/// A running gate. It closes once.
pub struct Gate {
    /// Where hosts find NATS behind it.
    pub url: String,
    told: Receiver<()>,
}

impl Gate {
    /// Opens a gate before NATS that closes at the first message with this subject.
    pub fn open(nats: &str, subject: &str, closes: Closes) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("nats://{}", listener.local_addr().expect("its address"));
        let (tell, told) = channel();
        let server = nats.trim_start_matches("nats://").to_owned();
        let watch =
            Arc::new(Watch { subject: format!("PUB {subject} "), closes, has_written: Mutex::new(false), tell });
        std::thread::spawn(move || {
            for host in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(&server) else { return };
                let (from_host, from_server) = (host.try_clone(), server.try_clone());
                let (Ok(from_host), Ok(from_server)) = (from_host, from_server) else { return };
                let (there, back) = (Arc::clone(&watch), Arc::clone(&watch));
                std::thread::spawn(move || pass(from_host, server, |bytes| there.lets_out(bytes)));
                std::thread::spawn(move || pass(from_server, host, |_| back.lets_in()));
            }
        });
        Self { url, told }
    }

    /// Waits until the gate has closed.
    pub fn wait_until_closed(&self) {
        self.told.recv_timeout(LIMIT).expect("the host writes the key");
    }
}

struct Watch {
    subject: String,
    closes: Closes,
    has_written: Mutex<bool>,
    tell: Sender<()>,
}

impl Watch {
    /// Whether bytes of the host go on to NATS.
    fn lets_out(&self, bytes: &[u8]) -> bool {
        let is_write = bytes.windows(self.subject.len()).any(|part| part == self.subject.as_bytes());
        let mut has_written = self.has_written.lock().expect("no panic");
        *has_written |= is_write;
        if is_write && self.closes == Closes::BeforeTheWrite {
            let _ = self.tell.send(());
        }
        !(*has_written && self.closes == Closes::BeforeTheWrite)
    }

    /// Whether bytes of NATS go on to the host.
    fn lets_in(&self) -> bool {
        let closes = *self.has_written.lock().expect("no panic") && self.closes == Closes::AfterTheWrite;
        if closes {
            let _ = self.tell.send(());
        }
        !closes
    }
}

/// Passes bytes on until either end is gone; those that may not pass are dropped.
fn pass(mut from: TcpStream, mut to: TcpStream, mut may_pass: impl FnMut(&[u8]) -> bool) {
    let mut bytes = [0; 16384];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        if may_pass(&bytes[..length]) && to.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}
