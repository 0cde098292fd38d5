//! A command that takes the pair on its standard input, such as the client of a vault.
//!
//! The shell runs it. It is run again after waits that grow until it succeeds or its time is over, and what it prints is shown with the
//! secret taken out. It is a process group of its own: Ctrl-C on a terminal reaches this program alone, and whatever the command has
//! started ends when it is given up.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use cloudflare_access_host::{Destination, DestinationError, DestinationFuture, ExposeSecret, Pair, SecretString};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::destination::format::Form;
use crate::destination::printed::{KEPT, without_secrets};
use crate::message::tell;
use crate::words::spoken;

const SHELL: &str = if cfg!(unix) { "/bin/sh" } else { "sh" };
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// How long a command that has ended is read from, where something that it has left behind holds its output open.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A command that a pair is given to.
#[derive(Debug)]
pub struct SecretCommand {
    pub command: String,
    /// The time for all runs together.
    pub timeout: Duration,
    pub form: Form,
}

impl Destination for SecretCommand {
    fn name(&self) -> String {
        format!("command {}", self.command.replace(char::is_control, " "))
    }

    fn check<'a>(&'a self, _: Option<&'a str>) -> DestinationFuture<'a> {
        Box::pin(self.try_command())
    }

    fn deliver<'a>(&'a self, pair: &'a Pair) -> DestinationFuture<'a> {
        Box::pin(self.run_until_it_succeeds(pair))
    }
}

impl SecretCommand {
    /// Lets the shell read the command without running it, and look for its first word.
    async fn try_command(&self) -> Result<(), DestinationError> {
        if self.command.trim().is_empty() {
            return Err(DestinationError::new("the secret command is empty"));
        }
        let parsed = shell(&["-n", "-c", &self.command]).output().await.map_err(|error| self.not_started(&error))?;
        if !parsed.status.success() {
            let why = String::from_utf8_lossy(&parsed.stderr);
            return Err(self.wrong(format_args!("cannot be read by the shell: {}", why.trim())));
        }
        let Some(word) = first_word(&self.command) else { return Ok(()) };
        let look = ["-c", "command -v -- \"$1\"", SHELL, word];
        let found = shell(&look).output().await.map_err(|error| self.not_started(&error))?;
        if !found.status.success() {
            return Err(self
                .wrong(format_args!("cannot be run: there is no program {word}"))
                .with_advice("Install it, or name it by its path."));
        }
        Ok(())
    }

    async fn run_until_it_succeeds(&self, pair: &Pair) -> Result<(), DestinationError> {
        let text = self.form.text(pair)?;
        let end = Instant::now() + self.timeout;
        let mut wait = FIRST_WAIT;
        for runs in 1u32.. {
            let (status, printed) = self.run(&text, end).await?;
            for line in without_secrets(&printed, &pair.client_secret) {
                tell(format_args!("> {line}"));
            }
            let why = match status {
                Some(status) if status.success() => return Ok(()),
                Some(status) => format!("failed with {status}"),
                None => "did not end in time".to_owned(),
            };
            if Instant::now() + wait >= end {
                let time = spoken(self.timeout);
                let runs = if runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") };
                return Err(self
                    .wrong(format_args!("{why}, after {runs} in {time}"))
                    .with_advice("--secret-command-timeout gives it more time."));
            }
            sleep(wait).await;
            wait = LONGEST_WAIT.min(wait * 2);
        }
        Err(self.wrong("failed"))
    }

    /// Runs the command once. Returns its exit status, or none where it was ended since its time was over, and what it printed.
    async fn run(
        &self,
        text: &SecretString,
        end: Instant,
    ) -> Result<(Option<ExitStatus>, [Vec<u8>; 2]), DestinationError> {
        let mut command = shell(&["-c", &self.command]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn().map_err(|error| self.not_started(&error))?;
        let mut group = Group::of(&child);
        let (mut input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let [mut printed, mut complained] = [Vec::new(), Vec::new()];
        let exchange = async {
            let feed = async {
                // A command that ends without reading may have done its work; its exit status says so.
                if let Some(input) = &mut input {
                    input.write_all(text.expose_secret().as_bytes()).await.unwrap_or_default();
                }
                input.take();
            };
            let streams = async { tokio::join!(feed, keep(output, &mut printed), keep(errors, &mut complained)) };
            tokio::pin!(streams);
            tokio::select! {
                _ = &mut streams => child.wait().await,
                status = child.wait() => {
                    timeout(LAST_WORDS, streams).await.map(drop).unwrap_or_default();
                    status
                }
            }
        };
        let status = match timeout_at(end, exchange).await {
            Ok(status) => Some(status.map_err(|error| self.wrong(format_args!("cannot be waited for: {error}")))?),
            Err(_) => None,
        };
        if status.is_some() {
            group.has_ended();
        }
        Ok((status, [printed, complained]))
    }

    fn not_started(&self, error: &std::io::Error) -> DestinationError {
        self.wrong(format_args!("cannot be run: {SHELL}: {error}"))
    }

    fn wrong(&self, what: impl std::fmt::Display) -> DestinationError {
        DestinationError::new(format!("the secret {} {what}", self.name()))
    }
}

fn shell(arguments: &[&str]) -> Command {
    let mut shell = Command::new(SHELL);
    shell.args(arguments).stdin(Stdio::null());
    shell
}

/// Keeps the beginning of what a command prints, and reads the rest so that the command is not held up.
async fn keep(stream: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut stream) = stream else { return };
    let mut chunk = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut chunk).await {
        let free = KEPT.saturating_sub(kept.len());
        kept.extend(chunk.iter().take(count.min(free)));
    }
}

/// The name of the program that a command begins with, after variables that are set for it. None where only the shell can tell.
fn first_word(command: &str) -> Option<&str> {
    let mut rest = command.trim_start();
    loop {
        let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_./:@%+,=".contains(character);
        let end = rest.find(|character| !is_plain(character)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if word.is_empty()
            || !after.is_empty() && !after.starts_with(|next: char| next.is_whitespace() || ";|&<>".contains(next))
        {
            return None;
        }
        if !word.contains('=') {
            return Some(word);
        }
        rest = after.trim_start();
    }
}

/// The processes of a command, which are ended when this is dropped before the command has ended.
#[cfg(unix)]
struct Group(Option<rustix::process::Pid>);

#[cfg(unix)]
impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| rustix::process::Pid::from_raw(id.try_into().ok()?)))
    }

    fn has_ended(&mut self) {
        self.0 = None;
    }
}

#[cfg(unix)]
impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It fails only where no process is left.
            rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap_or_default();
        }
    }
}

/// Elsewhere the shell alone is ended, by tokio.
#[cfg(not(unix))]
struct Group;

#[cfg(not(unix))]
impl Group {
    fn of(_: &Child) -> Self {
        Self
    }

    fn has_ended(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_is_known_where_the_shell_would_not_change_it() {
        for (command, word) in [
            ("vault kv put secret/ci -", Some("vault")),
            ("  A=1 B=/x  vault kv", Some("vault")),
            ("cat>file", Some("cat")),
            ("./store;true", Some("./store")),
            ("if true; then cat; fi", Some("if")),
            ("A=$B vault", None),
            ("$STORE x", None),
            ("'my store'", None),
            ("st\"or\"e", None),
            ("{ cat; }", None),
            ("(cat)", None),
            ("A=1", None),
            ("! cat", None),
        ] {
            assert_eq!(first_word(command), word, "{command}");
        }
    }
}
