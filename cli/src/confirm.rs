//! Asks before what cannot be undone.

use std::io::{IsTerminal, Write, stderr, stdin};

use tokio::sync::oneshot;

use crate::command_line::this_command_with;
use crate::failure::Failure;
use crate::message::tell;
use crate::signals::stopped;

/// Goes on if `yes`, or if a person at a terminal says so. Without a terminal there is nobody to ask.
pub async fn confirm(question: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !stdin().is_terminal() || !stderr().is_terminal() {
        return Err(Failure::not_confirmed(format!("not confirmed: {question}")).advice(format!(
            "There is no terminal to ask on. To do it without being asked:\n  {}",
            this_command_with(&["--yes"])
        )));
    }
    let cannot_ask = |error| Failure::defect(format!("cannot ask: {error}"));
    let mut terminal = stderr();
    write!(terminal, "{question} [y/N] ").and_then(|()| terminal.flush()).map_err(cannot_ask)?;
    let (sender, answer) = oneshot::channel();
    // The thread ends with the process where a signal comes before an answer.
    std::thread::spawn(move || {
        let mut answer = String::new();
        let _ = sender.send(stdin().read_line(&mut answer).map(|_| answer));
    });
    let answer = tokio::select! {
        biased;
        _ = stopped() => {
            tell("");
            return Err(Failure::interrupted("interrupted; nothing was changed"));
        }
        answer = answer => answer,
    };
    let answer = answer.map_err(std::io::Error::other).flatten().map_err(cannot_ask)?;
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::not_confirmed("not confirmed; nothing was changed")),
    }
}
