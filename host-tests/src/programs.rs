//! Other programs, run so that no test waits for one without end: each wait has a limit, and a failure shows what the program
//! wrote.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;

use crate::LIMIT;

/// How long a build may take, with a download of what it needs.
pub const BUILD_LIMIT: Duration = Duration::from_mins(20);

/// Runs a command to its end, with nothing on its standard input, and collects what it writes.
///
/// # Panics
/// The command does not start, or does not end within the limit; then it is killed.
#[must_use]
pub fn output(command: Command, limit: Duration) -> Output {
    // A thread of its own, since the caller may be one that must not block on another runtime.
    let running = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(run(command, limit))
    });
    running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

async fn run(command: Command, limit: Duration) -> Output {
    let program = command.get_program().to_owned();
    let mut command = tokio::process::Command::from(command);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()));
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let (mut out, mut err) = (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
    let end = async {
        let read = tokio::try_join!(out.read_to_end(&mut stdout), err.read_to_end(&mut stderr));
        read.and(child.wait().await).expect("the program can be awaited")
    };
    let Ok(status) = tokio::time::timeout(limit, end).await else {
        let written = [stdout, stderr].concat();
        let (program, seconds) = (program.display(), limit.as_secs());
        panic!("waited {seconds} s in vain for the end of {program}; it wrote:\n{}", String::from_utf8_lossy(&written));
    };
    Output { status, stdout, stderr }
}

/// A program that is killed when this value is dropped.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a running program writes, line by line. A thread reads all of it, so that the program never waits for a reader.
pub struct Lines {
    unread: Receiver<String>,
    seen: String,
}

impl Lines {
    /// Reads a stream of a program.
    ///
    /// # Panics
    /// There is no thread for it.
    #[must_use]
    pub fn of(stream: impl Read + Send + 'static) -> Self {
        let (sender, unread) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                // Nobody may be interested any more.
                let _ = sender.send(String::from_utf8_lossy(&line).into_owned());
            }
        });
        Self { unread, seen: String::new() }
    }

    /// Reads on to the first line in which `find` finds something.
    ///
    /// # Panics
    /// The program ends without such a line, or [`LIMIT`] passes; the panic says what was waited for and shows what was written.
    pub fn wait_for<T>(&mut self, what: &str, mut find: impl FnMut(&str) -> Option<T>) -> T {
        let end = Instant::now() + LIMIT;
        loop {
            let line = match self.unread.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("waited {} s in vain for {what}; the program wrote:\n{}", LIMIT.as_secs(), self.seen)
                }
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("the program ended without {what}; it wrote:\n{}", self.seen)
                }
            };
            self.seen.extend([&line, "\n"]);
            if let Some(found) = find(&line) {
                return found;
            }
        }
    }

    /// Returns everything that was written so far.
    pub fn seen(&mut self) -> &str {
        for line in self.unread.try_iter() {
            self.seen.extend([&line, "\n"]);
        }
        &self.seen
    }
}

/// Asks again and again, with pauses, until there is an answer: for what sends no event.
///
/// # Panics
/// [`LIMIT`] passes; the panic says what was waited for.
pub fn wait_until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + LIMIT;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "waited {} s in vain for {what}", LIMIT.as_secs());
        std::thread::sleep(Duration::from_millis(10));
    }
}
