//! A service that rotates one token every day, with an overlap in which both secrets pass, and hands the current pair to those
//! who ask on its port.
//!
//! `CLOUDFLARE_API_TOKEN=… CLOUDFLARE_ACCOUNT_ID=… SERVICE_TOKEN_ID=… cargo run --example rotate_on_schedule`
//!
//! Three things to see: the new secret is stored before anything else is done with it; a rotation is not made while the overlap of
//! the last one is running, since it would end a secret that is in use; and after a rotation whose new secret is or may be lost
//! nothing is rotated again, for the same reason: the service ends, and says until when the old secret passes.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use cloudflare_access_host::{
    AccessTokens, Account, Error, ErrorKind, ExposeSecret, IssuedToken, Outcome, RunningOverlap, SecretString, Tokens,
};
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
        failed = rotate_until_it_fails(&account, &token_id, &publish) => Err(failed.into()),
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

/// Rotates once a day. Ends only when a person has to look at the token.
async fn rotate_until_it_fails(
    account: &Tokens<Account>,
    token_id: &str,
    publish: &watch::Sender<Option<Arc<Pair>>>,
) -> String {
    let mut schedule = interval(EVERY);
    schedule.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        schedule.tick().await;
        match rotate(account, token_id).await {
            Ok(issued) => {
                let client_id = issued.token.client_id.unwrap_or_default();
                publish.send_replace(Some(Arc::new(Pair { client_id, client_secret: issued.client_secret })));
            }
            Err(error) => return what_to_do(&error),
        }
    }
}

/// Goes on while certainly nothing has changed and another attempt can help.
async fn rotate(account: &Tokens<Account>, token_id: &str) -> Result<IssuedToken, Error> {
    loop {
        match account.rotate_with_overlap(token_id, OVERLAP, RunningOverlap::Refuse).await {
            Ok(rotated) => return Ok(rotated.issued),
            Err(error) if error.outcome == Outcome::NotApplied && error.kind != ErrorKind::Conflict => {
                eprintln!("{error}");
                sleep(error.retry_after.unwrap_or(PAUSE_AFTER_A_FAILURE)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

fn what_to_do(error: &Error) -> String {
    match (error.outcome, error.previous_secret_expires_at()) {
        (Outcome::NotApplied, _) => error.to_string(),
        (_, Some(end)) => format!(
            "{error}\nThe old secret passes until {end}, and another rotation ends it at once: extend the overlap, or give the \
             machines another token, before you rotate."
        ),
        (_, None) => format!(
            "{error}\nThere may be a new secret that nobody has. Look at the token before you rotate again: that ends the old secret."
        ),
    }
}
