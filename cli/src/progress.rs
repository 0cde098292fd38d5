//! Waiting for a call: a spinner after a second on a terminal, and Ctrl-C.

use std::time::Duration;

use cloudflare_access_host::Error;
use indicatif::ProgressBar;
use tokio::signal::ctrl_c;

use crate::failure::{Attempt, Failure};

const SHOW_AFTER: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(120);

/// Runs a call to its end, or until Ctrl-C stops it. Both failures say what is true about the change.
pub async fn with_progress<T>(
    what: &'static str,
    attempt: &Attempt,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, Failure> {
    unless_interrupted(what, attempt, call).await?.map_err(|error| attempt.failed(&error))
}

/// The same for a call whose failure the caller reads.
pub async fn unless_interrupted<T>(
    what: &'static str,
    attempt: &Attempt,
    call: impl Future<Output = T>,
) -> Result<T, Failure> {
    tokio::select! {
        result = call => Ok(result),
        interrupt = ctrl_c() => Err(match interrupt {
            Ok(()) => attempt.interrupted(),
            Err(error) => Failure::defect(format!("cannot wait for Ctrl-C: {error}")),
        }),
        never = spin(what) => match never {},
    }
}

/// Draws on standard error and only if that is a terminal; what was drawn is gone when this is dropped.
async fn spin(what: &'static str) -> std::convert::Infallible {
    tokio::time::sleep(SHOW_AFTER).await;
    let spinner = Spinner(ProgressBar::new_spinner().with_message(what));
    spinner.0.enable_steady_tick(TICK);
    std::future::pending().await
}

struct Spinner(ProgressBar);

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
