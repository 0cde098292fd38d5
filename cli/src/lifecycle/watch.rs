//! Renews what expires soon until it is stopped, and says at the end whether the last round left something undone.
//!
//! Each round lists and refreshes anew, so what one round could not renew the next one tries again, and what somebody deleted or
//! switched off is no longer due. What happens is logged; a text that is a field, such as a name, has its control characters escaped
//! there. A stop in the middle of a round drops it: a refresh does no harm, whether it happened or not.

use std::pin::pin;
use std::time::Duration;

use cloudflare_access_host::{Error, ErrorKind, ExpiringToken, RefreshParams, RefreshReport, Runtime};

use crate::arguments::Connection;
use crate::command_line::this_command;
use crate::failure::{Attempt, Failure};
use crate::lifecycle::arguments::Watch;
use crate::lifecycle::due::due;
use crate::rotation::warn_of_unfinished;
use crate::settings::account_in;
use crate::signals;
use crate::words::spoken;

pub async fn watch(connection: &Connection, arguments: Watch) -> Result<(), Failure> {
    let Watch { due, every, dry_run } = arguments;
    let within = due.within;
    if every >= within {
        return Err(Failure::usage(format!(
            "--every {} is not shorter than --within {}: a token could expire between two rounds",
            spoken(every),
            spoken(within)
        )));
    }
    signals::listen(signals::Hangup::Reloads)?;
    let runtime = Runtime::new()?;
    // What can never work ends it before the first round.
    account_in(Some(&runtime), connection, "refresh")?;
    let (mut stopped, mut hangups) = (pin!(signals::stopped()), signals::hangups()?);
    let params = RefreshParams::from(due);
    let mut rounds = Rounds::default();
    tracing::info!(within = spoken(within), every = spoken(every), "watching; renews until it is stopped");
    let signal = loop {
        let pause = tokio::select! {
            biased;
            signal = &mut stopped => break signal,
            pause = rounds.next(&runtime, connection, &params, dry_run.dry_run) => pause_of(every, pause?),
        };
        tokio::select! {
            biased;
            signal = &mut stopped => break signal,
            _ = hangups.recv() => tracing::info!("SIGHUP; the next round begins now"),
            () = tokio::time::sleep(pause) => {}
        }
    };
    tracing::info!(signal, "stopped");
    rounds.end()
}

fn pause_of(every: Duration, asked_for: Option<Duration>) -> Duration {
    match asked_for {
        Some(wait) if wait > every => {
            tracing::warn!(wait = spoken(wait), "the API asks to wait longer than until the next round");
            wait
        }
        _ => every,
    }
}

/// What became of the rounds so far.
#[derive(Default)]
struct Rounds {
    have_begun: bool,
    left_undone: Option<String>,
}

impl Rounds {
    /// Makes a round. The credential and all other settings are read anew, so that one that has been replaced works at once.
    async fn next(
        &mut self,
        runtime: &Runtime,
        connection: &Connection,
        params: &RefreshParams,
        is_dry: bool,
    ) -> Result<Option<Duration>, Failure> {
        let api = match account_in(Some(runtime), connection, "refresh") {
            Ok(api) => api,
            Err(failure) if !self.have_begun => return Err(failure),
            Err(failure) => {
                tracing::error!("the round failed, the next one tries again: {}", failure.message);
                self.left_undone = Some("the settings could not be read".to_owned());
                return Ok(None);
            }
        };
        warn_of_unfinished(connection);
        let account = api.tokens().clone();
        if is_dry {
            return self.take_dry(due(account, params).await);
        }
        self.take(account.refresh_expiring(params.clone()).await)
    }

    /// Logs what a round would have renewed.
    fn take_dry(&mut self, round: Result<Vec<ExpiringToken>, Error>) -> Result<Option<Duration>, Failure> {
        let due = match round {
            Ok(due) => due,
            Err(error) => return self.take(Err(error)),
        };
        self.have_begun = true;
        self.left_undone = None;
        for token in due.iter().map(|due| &due.token) {
            let (id, name) = (&token.id, token.name.as_deref().unwrap_or_default());
            tracing::info!(id, name, expires_at = token.expires_at, "would be renewed");
        }
        tracing::info!(due = due.len(), renewed = 0, failed = 0, "round done; nothing was changed");
        Ok(None)
    }

    /// Logs a round and remembers what it left undone. Returns how long the API asks to wait. A failure, if no round can ever work.
    fn take(&mut self, round: Result<RefreshReport, Error>) -> Result<Option<Duration>, Failure> {
        let is_first = !std::mem::replace(&mut self.have_begun, true);
        match round {
            Ok(report) => {
                log(&report);
                self.left_undone = match report.failures().count() {
                    0 => None,
                    1 => Some("a token that was due could not be renewed".to_owned()),
                    failed => Some(format!("{failed} tokens that were due could not be renewed")),
                };
                Ok(report.failures().filter_map(|error| error.retry_after).max())
            }
            Err(error) if is_first && is_about_the_set_up(error.kind) => {
                Err(Attempt::RefreshExpiring { again: this_command() }.failed(&error))
            }
            Err(error) => {
                tracing::error!(
                    kind = error.kind.as_str(),
                    ray_id = error.ray_id,
                    "the round failed, the next one tries again: {error}"
                );
                self.left_undone = Some("the tokens that were due are not known".to_owned());
                Ok(error.retry_after)
            }
        }
    }

    fn end(self) -> Result<(), Failure> {
        match self.left_undone {
            None => Ok(()),
            Some(what) => Err(Failure::not_renewed(format!("stopped; in the last round {what}, as the log says"))),
        }
    }
}

fn log(report: &RefreshReport) {
    for due in &report.tokens {
        let (id, name) = (&due.id, due.name.as_deref().unwrap_or_default());
        match &due.refreshed {
            Ok(token) => tracing::info!(id, name, expires_at = token.expires_at, "renewed"),
            Err(error) => tracing::error!(
                id,
                name,
                kind = error.kind.as_str(),
                outcome = error.outcome.as_str(),
                ray_id = error.ray_id,
                "not renewed, the next round tries again: {error}"
            ),
        }
    }
    let failed = report.failures().count();
    tracing::info!(due = report.tokens.len(), renewed = report.tokens.len() - failed, failed, "round done");
}

/// Whether a person has to change something before it can work. Later on the same may pass: a credential is being replaced.
fn is_about_the_set_up(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::InvalidArgument
            | ErrorKind::InvalidConfiguration
            | ErrorKind::DeniedByHost
            | ErrorKind::Unauthenticated
            | ErrorKind::Forbidden
            | ErrorKind::NotFound
    )
}
