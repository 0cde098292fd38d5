//! What can be chosen of the behaviour: the shape of tokens and secrets, inactivity, and the application behind Access.

use std::time::Duration;

use cloudflare_access_simulator::{
    Behaviour, InactivityAction, Operation, Protection, Refusal, SecretForm, Simulator, TokenShape,
};
use serde_json::json;

use crate::client::{Client, Reply, path};
use crate::operations::text;

async fn behaving(choose: impl FnOnce(&mut Behaviour)) -> Simulator {
    let mut behaviour = Behaviour::default();
    choose(&mut behaviour);
    let start = time::macros::datetime!(2026-01-01 00:00:00 UTC);
    Simulator::builder().behaviour(behaviour).clock_stands_at(start).start().await.expect("a simulator")
}

/// A visit to the application with these headers.
async fn visit(simulator: &Simulator, headers: Vec<(&'static str, String)>) -> Reply {
    Client::with_headers(simulator, headers).send("GET", "/application/page", "").await
}

fn pair(client_id: &str, secret: &str) -> Vec<(&'static str, String)> {
    vec![("cf-access-client-id", client_id.to_owned()), ("cf-access-client-secret", secret.to_owned())]
}

#[tokio::test]
async fn an_older_token_shows_neither_enabled_nor_versions() {
    let simulator = behaving(|behaviour| behaviour.token_shape = TokenShape::Older).await;
    let id = simulator.add_token(simulator.account(), "older").token.id;
    let target = path(Operation::Get, simulator.account(), &id);
    let shown = Client::new(&simulator).send("GET", &target, "").await.result();
    assert_eq!(shown["name"], "older");
    for field in ["enabled", "client_secret_version", "previous_client_secret_expires_at"] {
        assert!(shown.get(field).is_none(), "{field} in {shown}");
    }
}

#[tokio::test]
async fn a_secret_in_the_older_form_has_64_hexadecimal_digits_after_a_rotation_too() {
    let simulator = behaving(|behaviour| behaviour.secret_form = SecretForm::Hexadecimal).await;
    let issued = simulator.add_token(simulator.account(), "older");
    let target = path(Operation::Rotate, simulator.account(), &issued.token.id);
    let rotated = Client::new(&simulator).send("POST", &target, "").await.result();
    for secret in [issued.client_secret.expose(), &text(&rotated, "client_secret")] {
        assert!(secret.len() == 64 && secret.bytes().all(|byte| byte.is_ascii_hexdigit()), "{secret}");
    }
}

#[tokio::test]
async fn an_inactive_token_is_removed_and_one_that_passed_or_is_in_use_stays() {
    let simulator = behaving(|behaviour| behaviour.inactivity_days = Some(30)).await;
    let account = simulator.account().clone();
    let [_, passing, used] = ["idle", "passing", "used"].map(|name| simulator.add_token(&account, name));
    simulator.mark_in_use(&used.token.id);
    simulator.advance(Duration::from_hours(24 * 29));
    simulator.authenticate(&passing.token.client_id, passing.client_secret.expose()).expect("it passes");
    simulator.advance(Duration::from_hours(24));
    let target = path(Operation::List, &account, "");
    Client::new(&simulator).send("GET", &target, "").await.result();
    let left: Vec<_> = simulator.tokens(&account).into_iter().map(|token| token.name).collect();
    assert_eq!(left, ["passing", "used"]);
}

#[tokio::test]
async fn an_inactive_token_may_be_disabled_in_place_of_being_removed() {
    let simulator = behaving(|behaviour| {
        behaviour.inactivity_days = Some(30);
        behaviour.inactivity_action = InactivityAction::Disable;
    })
    .await;
    let idle = simulator.add_token(simulator.account(), "idle");
    simulator.advance(Duration::from_hours(24 * 30));
    let shown = Client::new(&simulator).get(simulator.account(), &idle.token.id).await.result();
    assert_eq!((&shown["enabled"], &shown["updated_at"]), (&json!(false), &json!("2026-01-31T00:00:00Z")));
    let pair = (&idle.token.client_id, idle.client_secret.expose());
    assert_eq!(simulator.authenticate(pair.0, pair.1), Err(Refusal::Disabled));
}

#[tokio::test]
async fn the_application_lets_in_who_passes_and_refuses_others_by_its_protection() {
    for (protection, without, wrong) in
        [(Protection::Strict, 401, 403), (Protection::Login, 302, 302), (Protection::Open, 200, 200)]
    {
        let simulator = behaving(|behaviour| behaviour.application.protection = protection).await;
        let issued = simulator.add_token(simulator.account(), "machine");
        let (client_id, secret) = (&issued.token.client_id, issued.client_secret.expose());
        assert_eq!(visit(&simulator, vec![]).await.status, without, "{protection:?}");
        let refused = visit(&simulator, pair(client_id, "wrong")).await;
        assert_eq!(refused.status, wrong, "{protection:?}");
        if protection == Protection::Login {
            assert!(refused.header("location").contains("/cdn-cgi/access/login/"), "{refused:?}");
        }
        assert_eq!(visit(&simulator, pair(client_id, secret)).await.status, 200, "{protection:?}");
        let both = json!({"cf-access-client-id": client_id, "cf-access-client-secret": secret}).to_string();
        assert_eq!(visit(&simulator, vec![("authorization", both)]).await.status, 200, "{protection:?}");
        assert_eq!(simulator.request_count(), 0, "visits are no requests of the API");
    }
}

#[tokio::test]
async fn the_application_learns_of_a_new_secret_late_and_of_the_old_one_never_less() {
    let simulator = behaving(|behaviour| behaviour.application.learns_after_seconds = 60).await;
    let (client, account) = (Client::new(&simulator), simulator.account().clone());
    let issued = simulator.add_token(&account, "machine");
    simulator.advance(Duration::from_mins(2));
    let end = simulator.timestamp_in(Duration::from_hours(1));
    let body = json!({"previous_client_secret_expires_at": end}).to_string();
    let rotated = client.rotate(&account, &issued.token.id, &body).await.result();
    let (old, new) = (issued.client_secret.expose(), text(&rotated, "client_secret"));
    for (wait, expected) in [(0, [200, 403]), (59, [200, 403]), (1, [200, 200])] {
        simulator.advance(Duration::from_secs(wait));
        let mut statuses = Vec::new();
        for secret in [old, &new] {
            statuses.push(visit(&simulator, pair(&issued.token.client_id, secret)).await.status);
        }
        assert_eq!(statuses, expected, "{wait} seconds later");
    }
}
