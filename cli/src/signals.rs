//! SIGINT and SIGTERM, and the SIGHUP of a terminal that is closed, which stop a command where it waits.
//!
//! From [`listen`] on a signal ends no process by itself: it is kept until the command waits for a call or an answer, so that it
//! cannot cut off the writing of a secret that has arrived, and every file that is begun is removed or finished.

use std::sync::OnceLock;

use tokio::sync::watch;

use crate::failure::Failure;

/// The first signal, once there has been one.
static STOPPED_BY: OnceLock<watch::Receiver<Option<&'static str>>> = OnceLock::new();

/// What SIGHUP means to a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hangup {
    /// The terminal has gone: it stops.
    Stops,
    /// It is a service, which reads its settings anew; see [`hangups`].
    Reloads,
}

/// Begins to listen. A second call does nothing.
pub fn listen(hangup: Hangup) -> Result<(), Failure> {
    if STOPPED_BY.get().is_some() {
        return Ok(());
    }
    let signal = stop_signal(hangup).map_err(|error| Failure::defect(format!("cannot wait for a signal: {error}")))?;
    let (sender, receiver) = watch::channel(None);
    tokio::spawn(async move { sender.send(Some(signal.await)) });
    STOPPED_BY.get_or_init(|| receiver);
    Ok(())
}

/// Waits for a signal that asks to stop, and returns its name. One that has come since [`listen`] counts.
pub async fn stopped() -> &'static str {
    let mut receiver = match STOPPED_BY.get() {
        Some(receiver) => receiver.clone(),
        None => return std::future::pending().await,
    };
    match receiver.wait_for(Option::is_some).await.ok().and_then(|signal| *signal) {
        Some(signal) => signal,
        None => std::future::pending().await,
    }
}

/// Ends with the name of the signal. From the call on, none is missed.
#[cfg(unix)]
fn stop_signal(hangup: Hangup) -> std::io::Result<impl Future<Output = &'static str>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hung_up = if hangup == Hangup::Stops { Some(signal(SignalKind::hangup())?) } else { None };
    let hung_up = async move {
        match &mut hung_up {
            Some(signal) => signal.recv().await,
            None => std::future::pending().await,
        }
    };
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
            _ = hung_up => "SIGHUP",
        }
    })
}

#[cfg(not(unix))]
fn stop_signal(_: Hangup) -> std::io::Result<impl Future<Output = &'static str>> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        interrupt.recv().await;
        "Ctrl-C"
    })
}

/// Listens for SIGHUP, which asks a service to read its settings anew. Elsewhere than on Unix it never comes.
#[cfg(unix)]
pub fn hangups() -> Result<tokio::signal::unix::Signal, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    signal(SignalKind::hangup()).map_err(|error| Failure::defect(format!("cannot wait for a signal: {error}")))
}

/// Never comes on this platform.
#[cfg(not(unix))]
pub struct Hangups;

#[cfg(not(unix))]
impl Hangups {
    /// Waits for ever.
    pub async fn recv(&mut self) -> Option<()> {
        std::future::pending().await
    }
}

#[cfg(not(unix))]
pub fn hangups() -> Result<Hangups, Failure> {
    Ok(Hangups)
}
