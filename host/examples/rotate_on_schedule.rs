//! A service that rotates one token every day, with an overlap in which both secrets pass, and hands the current pair to those
//! who ask on its port.
//!
//! `CLOUDFLARE_API_TOKEN=… CLOUDFLARE_ACCOUNT_ID=… SERVICE_TOKEN_ID=… cargo run --example rotate_on_schedule`
//!
//! Two things to see: the new secret is stored before anything else is done with it, and a rotation whose outcome is unknown is
//! made again at once, because its secret, if there is one, is lost.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use cloudflare_access_host::{AccessTokens, Account, Error, ExposeSecret, IssuedToken, Outcome, SecretString, Tokens};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep};

const EVERY: Duration = Duration::from_hours(24);
const OVERLAP: Duration = Duration::from_hours(2);
const PAUSE_AFTER_A_FAILURE: Duration = Duration::from_mins(5);

/// What a machine sends in `CF-Access-Client-Id` and `CF-Access-Client-Secret`.
struct Pair {
    client_id: String,
    client_secret: SecretString,
}

type Current = watch::Receiver<Option<Arc<Pair>>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let account = AccessTokens::from_environment()?.account(std::env::var("CLOUDFLARE_ACCOUNT_ID")?);
    let token_id = std::env::var("SERVICE_TOKEN_ID")?;
    let (publish, current) = watch::channel(None);

    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    let router = Router::new().route("/token", get(current_pair)).with_state(current);
    tokio::select! {
        served = axum::serve(listener, router) => Ok(served?),
        never = rotate_for_ever(&account, &token_id, &publish) => match never {},
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
    publish: &watch::Sender<Option<Arc<Pair>>>,
) -> std::convert::Infallible {
    let mut schedule = interval(EVERY);
    schedule.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        schedule.tick().await;
        let issued = rotate(account, token_id).await;
        let client_id = issued.token.client_id.unwrap_or_default();
        publish.send_replace(Some(Arc::new(Pair { client_id, client_secret: issued.client_secret })));
    }
}

/// Goes on until there is a new secret. The old one passes until the overlap ends, so there is time.
async fn rotate(account: &Tokens<Account>, token_id: &str) -> IssuedToken {
    loop {
        match account.rotate_with_overlap(token_id, OVERLAP).await {
            Ok(rotated) => return rotated.issued,
            Err(error) => {
                eprintln!("{error}");
                sleep(pause(&error)).await;
            }
        }
    }
}

fn pause(error: &Error) -> Duration {
    match error.outcome {
        // There may be a secret that nobody has. It is no use waiting for it.
        Outcome::Unknown | Outcome::Applied => Duration::from_secs(1),
        Outcome::NotApplied => error.retry_after.unwrap_or(PAUSE_AFTER_A_FAILURE),
    }
}
