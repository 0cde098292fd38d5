//! What Access lets pass: secrets, grace periods, switching off, expiry, by the simulator's clock.

use std::time::Duration;

use cloudflare_access_simulator::{ClientSecret, Refusal, Scope, Simulator};
use serde_json::json;

use crate::client::Client;
use crate::operations::text;

const HOUR: Duration = Duration::from_hours(1);

/// A token that was rotated, so that it has two secrets.
struct Rotated {
    simulator: Simulator,
    account: Scope,
    id: String,
    client_id: String,
    old: String,
    new: String,
}

impl Rotated {
    /// The old secret passes for this long.
    async fn with_grace(grace: Duration) -> Self {
        let simulator = Simulator::start().await.expect("a simulator");
        let account = simulator.account().clone();
        let issued = simulator.add_token(&account, "rotated");
        let ends = simulator.timestamp_in(grace);
        let body = json!({"previous_client_secret_expires_at": ends}).to_string();
        let rotated = Client::new(&simulator).rotate(&account, &issued.token.id, &body).await.result();
        let old = issued.client_secret.expose().to_owned();
        let new = text(&rotated, "client_secret");
        Self { simulator, account, id: issued.token.id, client_id: issued.token.client_id, old, new }
    }

    fn passes(&self) -> (Result<(), Refusal>, Result<(), Refusal>) {
        let check = |secret| self.simulator.authenticate(&self.client_id, secret);
        (check(&self.old), check(&self.new))
    }

    async fn update(&self, body: serde_json::Value) {
        Client::new(&self.simulator).update(&self.account, &self.id, body).await.result();
    }
}

#[tokio::test]
async fn both_secrets_pass_until_the_grace_period_ends() {
    let token = Rotated::with_grace(HOUR).await;
    assert_eq!(token.passes(), (Ok(()), Ok(())));
    token.simulator.advance(HOUR);
    assert_eq!(token.passes(), (Err(Refusal::PreviousSecretExpired), Ok(())));
}

#[tokio::test]
async fn without_a_grace_period_the_old_secret_ends_at_once() {
    let simulator = Simulator::start().await.expect("a simulator");
    let client = Client::new(&simulator);
    let account = simulator.account();
    let issued = simulator.add_token(account, "rotated");
    let (id, client_id) = (issued.token.id.as_str(), issued.token.client_id.as_str());
    let second = text(&client.rotate(account, id, "").await.result(), "client_secret");
    assert_eq!(simulator.authenticate(client_id, issued.client_secret.expose()), Err(Refusal::PreviousSecretExpired));
    let third = client.update(account, id, json!({"client_secret_version": 3})).await.result();
    assert_eq!(simulator.authenticate(client_id, &second), Err(Refusal::PreviousSecretExpired));
    assert_eq!(simulator.authenticate(client_id, issued.client_secret.expose()), Err(Refusal::WrongSecret));
    assert_eq!(simulator.authenticate(client_id, &text(&third, "client_secret")), Ok(()));
}

#[tokio::test]
async fn the_grace_period_can_be_extended_and_ended() {
    let token = Rotated::with_grace(HOUR).await;
    token.update(json!({"previous_client_secret_expires_at": token.simulator.timestamp_in(HOUR * 3)})).await;
    token.simulator.advance(HOUR * 2);
    assert_eq!(token.passes(), (Ok(()), Ok(())));
    token.update(json!({"previous_client_secret_expires_at": "2020-01-01T00:00:00Z"})).await;
    assert_eq!(token.passes(), (Err(Refusal::PreviousSecretExpired), Ok(())));
}

#[tokio::test]
async fn switching_off_stops_both_secrets_and_switching_on_brings_back_only_the_new_one() {
    let token = Rotated::with_grace(HOUR).await;
    token.update(json!({"enabled": false})).await;
    assert_eq!(token.passes(), (Err(Refusal::WrongSecret), Err(Refusal::Disabled)));
    token.update(json!({"enabled": true})).await;
    token.update(json!({"previous_client_secret_expires_at": token.simulator.timestamp_in(HOUR)})).await;
    assert_eq!(token.passes(), (Err(Refusal::WrongSecret), Ok(())));
    let shown = &token.simulator.tokens(&token.account)[0];
    assert!(shown.previous_client_secret_expires_at.is_some_and(|end| end <= token.simulator.now()));
}

#[tokio::test]
async fn an_expired_token_is_refused_and_a_refresh_brings_it_back() {
    let simulator = Simulator::start().await.expect("a simulator");
    let issued = simulator.add_token(simulator.account(), "old");
    let passes = || simulator.authenticate(&issued.token.client_id, issued.client_secret.expose());
    simulator.advance(HOUR * 8759);
    assert_eq!(passes(), Ok(()));
    simulator.advance(HOUR);
    assert_eq!(passes(), Err(Refusal::Expired));
    Client::new(&simulator).refresh(simulator.account(), &issued.token.id).await.result();
    assert_eq!(passes(), Ok(()));
}

#[tokio::test]
async fn a_token_is_seen_when_it_passes_and_only_then() {
    let simulator = Simulator::start().await.expect("a simulator");
    let (client, account) = (Client::new(&simulator), simulator.account());
    let issued = simulator.add_token(account, "seen");
    let _ = simulator.authenticate(&issued.token.client_id, "wrong");
    assert_eq!(client.get(account, &issued.token.id).await.result().get("last_seen_at"), None);
    simulator.advance(HOUR);
    simulator.authenticate(&issued.token.client_id, issued.client_secret.expose()).expect("passes");
    let shown = client.get(account, &issued.token.id).await.result();
    assert!(shown["last_seen_at"].as_str() > shown["created_at"].as_str(), "{shown}");
}

#[tokio::test]
async fn unknown_deleted_and_foreign_pairs_are_refused() {
    let simulator = Simulator::start().await.expect("a simulator");
    let one = simulator.add_token(simulator.account(), "one");
    let other = simulator.add_token(simulator.zone(), "other");
    let passes = |client_id: &str, secret| simulator.authenticate(client_id, secret);
    assert_eq!(passes(&other.token.client_id, other.client_secret.expose()), Ok(()));
    assert_eq!(passes("0.access", one.client_secret.expose()), Err(Refusal::UnknownClientId));
    assert_eq!(passes(&one.token.client_id, other.client_secret.expose()), Err(Refusal::WrongSecret));
    assert_eq!(passes(&one.token.client_id, ""), Err(Refusal::WrongSecret));
    Client::new(&simulator).delete(simulator.account(), &one.token.id).await.result();
    assert_eq!(passes(&one.token.client_id, one.client_secret.expose()), Err(Refusal::UnknownClientId));
}

#[tokio::test]
async fn every_secret_ever_made_is_known_for_a_search() {
    let token = Rotated::with_grace(HOUR).await;
    let issued = token.simulator.issued_secrets();
    let issued: Vec<_> = issued.iter().map(ClientSecret::expose).collect();
    assert_eq!(issued, [token.old.as_str(), token.new.as_str()]);
}
