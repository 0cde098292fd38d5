//! A service that rotates one token every day, with an overlap in which both secrets pass, and hands the current pair to those
//! who ask on its port.
//!
//! `CLOUDFLARE_API_TOKEN=… CLOUDFLARE_ACCOUNT_ID=… SERVICE_TOKEN_ID=… PAIR_FILE=pair cargo run --example rotate_on_schedule`
//!
//! Three things to see:
//! - The new secret is in a file before anything else is done with it, with the time of its rotation. So a start serves the pair
//!   that there is, and rotates only when a day has passed.
//! - It looks at the token before each rotation. A token has two secrets at most: while the one before the current one passes,
//!   machines may use it, and a rotation would end it. Then the service waits until it has ended.
//! - So a rotation whose answer was lost needs no case of its own. If it happened, the next look finds the old secret passing.

use std::fs::{File, OpenOptions, rename};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use cloudflare_access_host::{
    AccessTokens, Account, Error, ExposeSecret, IssuedToken, Outcome, RunningOverlap, SecretString, ServiceToken,
    Tokens,
};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::sleep;

const EVERY: Duration = Duration::from_hours(24);
const OVERLAP: Duration = Duration::from_hours(2);
/// Also long enough for a request whose answer was lost to have come to its end before the next look.
const PAUSE_AFTER_A_FAILURE: Duration = Duration::from_mins(5);

/// What a machine sends in `CF-Access-Client-Id` and `CF-Access-Client-Secret`.
pub(crate) struct Pair {
    /// The first of the two.
    pub(crate) client_id: String,
    /// The second.
    pub(crate) client_secret: SecretString,
    /// When the secret was made.
    pub(crate) rotated_at: Timestamp,
}

type Current = watch::Receiver<Option<Arc<Pair>>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let account = AccessTokens::from_environment()?.account(Account::from_environment()?);
    let (token_id, file) = (std::env::var("SERVICE_TOKEN_ID")?, PathBuf::from(std::env::var("PAIR_FILE")?));
    let (publish, current) = watch::channel(read(&file)?.map(Arc::new));
    open_next(&file)?; // it can be written, before a secret depends on it

    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    let router = Router::new().route("/token", get(current_pair)).with_state(current);
    tokio::select! {
        served = axum::serve(listener, router) => Ok(served?),
        never = rotate_for_ever(&account, &token_id, &file, &publish) => match never {},
    }
}

/// Only this machine can ask; a real service would check who does.
async fn current_pair(State(current): State<Current>) -> Result<Json<[(&'static str, String); 2]>, StatusCode> {
    let pair = current.borrow().clone().ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(Json([
        ("CF-Access-Client-Id", pair.client_id.clone()),
        ("CF-Access-Client-Secret", pair.client_secret.expose_secret().to_owned()),
    ]))
}

async fn rotate_for_ever(
    account: &Tokens<Account>,
    token_id: &str,
    file: &Path,
    publish: &watch::Sender<Option<Arc<Pair>>>,
) -> std::convert::Infallible {
    loop {
        let rotated_at = publish.borrow().as_ref().map(|pair| pair.rotated_at);
        match turn(account, token_id, rotated_at).await {
            Turn::Wait(time) => sleep(time).await,
            Turn::Rotated(pair) => {
                let pair = Arc::new(pair);
                let mut written = write(file, &pair);
                publish.send_replace(Some(Arc::clone(&pair)));
                // To end now would lose the secret.
                while let Err(error) = written {
                    eprintln!("{} cannot be written: {error}", file.display());
                    sleep(PAUSE_AFTER_A_FAILURE).await;
                    written = write(file, &pair);
                }
            }
        }
    }
}

/// What came of one turn.
pub(crate) enum Turn {
    /// There is a new pair.
    Rotated(Pair),
    /// Nothing is to be done for this long.
    Wait(Duration),
}

/// Rotates the token if that is due and ends no secret that machines may use.
pub(crate) async fn turn(account: &Tokens<Account>, token_id: &str, rotated_at: Option<Timestamp>) -> Turn {
    let now = Timestamp::now();
    if let Some(time) =
        rotated_at.and_then(|rotated_at| until(rotated_at.checked_add(EVERY).unwrap_or(Timestamp::MAX), now))
    {
        return Turn::Wait(time);
    }
    match account.get(token_id).await {
        Ok(token) => {
            if let Some(end) = end_of_old_secret(&token).filter(|end| *end > now) {
                eprintln!("the secret before the current one passes until {end}; a rotation would end it, so it waits");
                return Turn::Wait(until(end, now).unwrap_or_default());
            }
        }
        Err(error) => return failed(&error),
    }
    match account.rotate_with_overlap(token_id, OVERLAP, RunningOverlap::Refuse).await {
        Ok(rotated) => Turn::Rotated(Pair::new(rotated.issued, now)),
        Err(error) => failed(&error),
    }
}

/// Whatever the outcome, the next turn looks before it rotates.
fn failed(error: &Error) -> Turn {
    eprintln!("{error} (outcome {})", error.outcome());
    Turn::Wait(match error.outcome() {
        Outcome::NotApplied => error.retry_after().unwrap_or(PAUSE_AFTER_A_FAILURE),
        Outcome::Unknown | Outcome::Applied => PAUSE_AFTER_A_FAILURE,
    })
}

fn end_of_old_secret(token: &ServiceToken) -> Option<Timestamp> {
    token.previous_client_secret_expires_at.as_deref()?.parse().ok()
}

/// How long it is until then; none if it has passed.
fn until(then: Timestamp, now: Timestamp) -> Option<Duration> {
    Duration::try_from(then.duration_since(now)).ok().filter(|time| !time.is_zero())
}

impl Pair {
    fn new(issued: IssuedToken, rotated_at: Timestamp) -> Self {
        let client_id = issued.token.client_id.unwrap_or_default();
        Self { client_id, client_secret: issued.client_secret, rotated_at }
    }
}

/// The pair of an earlier run, three lines; none if there is no file.
pub(crate) fn read(file: &Path) -> io::Result<Option<Pair>> {
    let text = match std::fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => SecretString::from(text?),
    };
    let mut lines = text.expose_secret().lines();
    let pair = lines.next().zip(lines.next()).zip(lines.next()).and_then(|((time, id), secret)| {
        Some(Pair { rotated_at: time.parse().ok()?, client_id: id.to_owned(), client_secret: secret.into() })
    });
    pair.map(Some).ok_or_else(|| io::Error::other(format!("{} is not a pair of this service", file.display())))
}

/// In a file that only this user can read; on Windows, who may read its folder. It takes the place of the old one only when it is complete.
pub(crate) fn write(file: &Path, pair: &Pair) -> io::Result<()> {
    let (next, mut written) = open_next(file)?;
    write!(written, "{}\n{}\n{}\n", pair.rotated_at, pair.client_id, pair.client_secret.expose_secret())?;
    written.sync_all()?;
    rename(next, file)
}

fn open_next(file: &Path) -> io::Result<(PathBuf, File)> {
    let next = file.with_extension("next");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let opened = options.open(&next)?;
    Ok((next, opened))
}
