//! Waiting for a call: a spinner after a second on a terminal, and signals.

use std::time::Duration;

use indicatif::ProgressBar;

use crate::signals::stopped;

const SHOW_AFTER: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(120);

/// Runs something to its end, or until a signal stops it, whose name is returned then. What has ended counts, since it may have
/// brought a secret.
pub async fn unless_stopped<T>(what: String, call: impl Future<Output = T>) -> Result<T, &'static str> {
    tokio::select! {
        biased;
        result = call => Ok(result),
        signal = stopped() => Err(signal),
        never = spin(what) => match never {},
    }
}

/// Draws on standard error and only if that is a terminal; what was drawn is gone when this is dropped.
async fn spin(what: String) -> std::convert::Infallible {
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
