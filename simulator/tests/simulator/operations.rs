//! The seven operations: what they answer and what they change.

use std::time::Duration;

use cloudflare_access_simulator::{Operation, Simulator};
use serde_json::{Value, json};
use time::macros::datetime;

use crate::client::Client;

const HOUR: Duration = Duration::from_hours(1);
const YEAR: Duration = Duration::from_hours(8760);

/// A simulator whose clock shows midnight of 2026-01-01 until it is moved.
async fn at_new_year() -> Simulator {
    Simulator::builder().clock_stands_at(datetime!(2026-01-01 00:00:00 UTC)).start().await.expect("a simulator")
}

#[tokio::test]
async fn a_new_token_is_answered_201_with_the_defaults_of_the_api() {
    let simulator = at_new_year().await;
    let reply = Client::new(&simulator).create(simulator.account(), json!({"name": "first"})).await;
    assert_eq!(reply.status, 201);
    let mut token = reply.result();
    for made in ["id", "client_id", "client_secret"] {
        assert!(token.as_object_mut().expect("an object").remove(made).is_some());
    }
    let expected = json!({
        "name": "first", "duration": "8760h", "enabled": true, "client_secret_version": 1,
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", "expires_at": "2027-01-01T00:00:00Z",
    });
    assert_eq!(token, expected);
}

#[tokio::test]
async fn create_takes_every_parameter_and_null_is_left_out() {
    let simulator = at_new_year().await;
    let client = Client::new(&simulator);
    let body = json!({
        "name": "full", "duration": "60m", "enabled": false, "client_secret_version": 7,
        "previous_client_secret_expires_at": "2026-02-01T00:00:00.12345+01:00",
    });
    let token = client.create(simulator.account(), body).await.result();
    assert_eq!(token["duration"], "60m");
    assert_eq!(token["enabled"], false);
    assert_eq!(token["client_secret_version"], 7);
    assert_eq!(token["expires_at"], "2026-01-01T01:00:00Z");
    assert_eq!(token.get("previous_client_secret_expires_at"), None);

    let nulls = json!({
        "name": "nulls", "duration": null, "enabled": null, "client_secret_version": null,
        "previous_client_secret_expires_at": null, "unknown": 1,
    });
    let token = client.create(simulator.account(), nulls).await.result();
    assert_eq!((&token["duration"], &token["enabled"]), (&json!("8760h"), &json!(true)));
}

#[tokio::test]
async fn a_token_that_lasts_forever_still_has_an_expiry() {
    let simulator = at_new_year().await;
    let body = json!({"name": "eternal", "duration": "forever"});
    let token = Client::new(&simulator).create(simulator.account(), body).await.result();
    assert_eq!(token["duration"], "forever");
    assert!(token["expires_at"].as_str().is_some_and(|end| end > "2100"), "{token}");
}

#[tokio::test]
async fn a_secret_is_shown_by_create_and_by_no_later_answer() {
    let simulator = Simulator::start().await.expect("a simulator");
    for scope in [simulator.account(), simulator.zone()] {
        let client = Client::new(&simulator);
        let created = client.create(scope, json!({"name": "once"})).await.result();
        let (id, secret) = (text(&created, "id"), text(&created, "client_secret"));
        let mut replies = vec![client.get(scope, &id).await, client.list(scope, "").await];
        if Operation::Refresh.exists_for(scope.kind()) {
            replies.push(client.refresh(scope, &id).await);
        }
        replies.push(client.update(scope, &id, json!({"name": "renamed"})).await);
        replies.push(client.delete(scope, &id).await);
        for reply in replies {
            assert!(!String::from_utf8_lossy(&reply.body).contains(&secret));
        }
    }
}

#[tokio::test]
async fn names_need_not_be_unique() {
    let simulator = Simulator::start().await.expect("a simulator");
    let client = Client::new(&simulator);
    let first = client.create(simulator.account(), json!({"name": "twin"})).await.result();
    let second = client.create(simulator.account(), json!({"name": "twin"})).await.result();
    assert_ne!(first["id"], second["id"]);
    assert_ne!(first["client_id"], second["client_id"]);
    assert_ne!(first["client_secret"], second["client_secret"]);
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_nothing_else() {
    let simulator = at_new_year().await;
    let client = Client::new(&simulator);
    for scope in [simulator.account(), simulator.zone()] {
        let mut expected = client.create(scope, json!({"name": "old"})).await.result();
        expected.as_object_mut().expect("an object").remove("client_secret");
        let id = text(&expected, "id");
        simulator.advance(HOUR);
        expected["updated_at"] = json!(simulator.timestamp_in(Duration::ZERO));

        expected["name"] = json!("new");
        assert_eq!(client.update(scope, &id, json!({"name": "new"})).await.result(), expected);
        expected["enabled"] = json!(false);
        assert_eq!(client.update(scope, &id, json!({"enabled": false})).await.result(), expected);
        expected["duration"] = json!("17520h");
        expected["expires_at"] = json!(simulator.timestamp_in(YEAR * 2));
        assert_eq!(client.update(scope, &id, json!({"duration": "17520h"})).await.result(), expected);
        assert_eq!(client.update(scope, &id, json!({})).await.result(), expected);
        assert_eq!(client.get(scope, &id).await.result(), expected);
    }
}

#[tokio::test]
async fn an_update_carries_a_new_secret_exactly_when_it_raises_the_version() {
    let simulator = at_new_year().await;
    let (client, account) = (Client::new(&simulator), simulator.account());
    let created = client.create(account, json!({"name": "versions", "client_secret_version": 2})).await.result();
    let id = text(&created, "id");
    for version in [0, 1, 2] {
        let token = client.update(account, &id, json!({"client_secret_version": version})).await.result();
        assert_eq!((token.get("client_secret"), &token["client_secret_version"]), (None, &json!(2)));
    }
    let body = json!({"client_secret_version": 5.0, "previous_client_secret_expires_at": "2026-03-01T00:00:00Z"});
    let token = client.update(account, &id, body).await.result();
    assert_ne!(token["client_secret"], created["client_secret"]);
    assert_eq!(token["client_secret_version"], 5);
    assert_eq!(token["previous_client_secret_expires_at"], "2026-03-01T00:00:00Z");
    assert_eq!(token["client_id"], created["client_id"]);
}

#[tokio::test]
async fn a_refresh_moves_the_expiry_to_a_year_from_now_and_never_back() {
    let simulator = at_new_year().await;
    let (client, account) = (Client::new(&simulator), simulator.account());
    let short = simulator.add_token(account, "short").token.id;
    let long = client.create(account, json!({"name": "long", "duration": "87600h"})).await.result();
    simulator.advance(HOUR);
    let refreshed = client.refresh(account, &short).await.result();
    assert_eq!(refreshed["expires_at"], simulator.timestamp_in(YEAR));
    assert_eq!(refreshed["updated_at"], simulator.timestamp_in(Duration::ZERO));
    assert_eq!(client.refresh(account, &text(&long, "id")).await.result()["expires_at"], long["expires_at"]);
}

#[tokio::test]
async fn a_rotation_keeps_the_ids_and_counts_the_secrets() {
    let simulator = at_new_year().await;
    let (client, account) = (Client::new(&simulator), simulator.account());
    let created = client.create(account, json!({"name": "rotated"})).await.result();
    let id = text(&created, "id");
    simulator.advance(HOUR);
    for (version, body, ends) in [
        (2, r#"{"previous_client_secret_expires_at": "2030-01-01T01:00:00+01:00"}"#, "2030-01-01T00:00:00Z"),
        (3, "", "2026-01-01T01:00:00Z"),
        (4, "{}", "2026-01-01T01:00:00Z"),
    ] {
        let token = client.rotate(account, &id, body).await.result();
        assert_eq!((&token["id"], &token["client_id"]), (&created["id"], &created["client_id"]));
        assert_ne!(token["client_secret"], created["client_secret"]);
        assert_eq!(token["client_secret_version"], version);
        assert_eq!(token["previous_client_secret_expires_at"], ends);
        assert_eq!(token["expires_at"], created["expires_at"]);
    }
}

#[tokio::test]
async fn a_deletion_returns_the_token_as_it_was_and_then_it_is_gone() {
    let simulator = Simulator::start().await.expect("a simulator");
    let client = Client::new(&simulator);
    for scope in [simulator.account(), simulator.zone()] {
        let id = simulator.add_token(scope, "short-lived").token.id;
        let before = client.get(scope, &id).await.result();
        assert_eq!(client.delete(scope, &id).await.result(), before);
        assert_eq!(client.delete(scope, &id).await.failure(), (404, 12135));
        assert!(simulator.tokens(scope).is_empty());
    }
}

#[tokio::test]
async fn accounts_and_zones_do_not_see_each_others_tokens() {
    let simulator = Simulator::start().await.expect("a simulator");
    let client = Client::new(&simulator);
    let of_account = simulator.add_token(simulator.account(), "account's").token.id;
    let of_zone = simulator.add_token(simulator.zone(), "zone's").token.id;
    assert_eq!(client.get(simulator.zone(), &of_account).await.failure(), (404, 12135));
    assert_eq!(client.get(simulator.account(), &of_zone).await.failure(), (404, 12135));
    assert_eq!(client.list(simulator.zone(), "").await.result()[0]["id"], of_zone);
}

#[tokio::test]
async fn the_quota_holds_for_create_and_a_deletion_makes_room() {
    let simulator = Simulator::builder().quota(3).start().await.expect("a simulator");
    let (client, account) = (Client::new(&simulator), simulator.account());
    let ids = simulator.add_tokens(account, 3);
    assert_eq!(client.create(account, json!({"name": "fourth"})).await.failure(), (400, 12130));
    assert_eq!(client.create(simulator.zone(), json!({"name": "elsewhere"})).await.status, 201);
    client.delete(account, &ids[0]).await.result();
    assert_eq!(client.create(account, json!({"name": "fourth"})).await.status, 201);
}

#[tokio::test]
async fn fifty_tokens_are_the_default_quota() {
    let simulator = Simulator::start().await.expect("a simulator");
    simulator.add_tokens(simulator.account(), 49);
    let client = Client::new(&simulator);
    assert_eq!(client.create(simulator.account(), json!({"name": "50th"})).await.status, 201);
    assert_eq!(client.create(simulator.account(), json!({"name": "51st"})).await.failure(), (400, 12130));
}

#[tokio::test]
async fn a_token_in_use_cannot_be_deleted_until_it_is_unused() {
    let simulator = Simulator::start().await.expect("a simulator");
    let (client, account) = (Client::new(&simulator), simulator.account());
    let id = simulator.add_token(account, "used").token.id;
    simulator.mark_in_use(&id);
    assert_eq!(client.delete(account, &id).await.failure(), (400, 12139));
    assert_eq!(simulator.tokens(account).len(), 1);
    simulator.mark_unused(&id);
    client.delete(account, &id).await.result();
}

#[tokio::test]
async fn a_body_that_breaks_a_rule_changes_nothing() {
    let simulator = Simulator::start().await.expect("a simulator");
    let (client, account) = (Client::new(&simulator), simulator.account());
    let before = simulator.add_token(account, "untouched").token;
    let bodies = [
        r#"{"name": ""}"#.to_owned(),
        json!({"name": "é".repeat(351)}).to_string(),
        r#"{"name": 5}"#.to_owned(),
        r#"{"name": "n", "duration": "30d"}"#.to_owned(),
        r#"{"name": "n", "duration": "-1h"}"#.to_owned(),
        r#"{"name": "n", "duration": 5}"#.to_owned(),
        r#"{"name": "n", "enabled": "yes"}"#.to_owned(),
        r#"{"name": "n", "client_secret_version": 1.5}"#.to_owned(),
        r#"{"name": "n", "client_secret_version": -1}"#.to_owned(),
        r#"{"name": "n", "client_secret_version": "2"}"#.to_owned(),
        r#"{"name": "n", "previous_client_secret_expires_at": "tomorrow"}"#.to_owned(),
        r#"{"name": "n", "previous_client_secret_expires_at": "2026-01-01"}"#.to_owned(),
        "{".to_owned(),
        "[]".to_owned(),
        String::new(),
    ];
    for body in bodies {
        for (operation, id) in [(Operation::Create, ""), (Operation::Update, before.id.as_str())] {
            assert_eq!(
                client.operate(operation, account, id, &body).await.failure(),
                (400, 12130),
                "{operation} {body}"
            );
        }
    }
    assert_eq!(client.create(account, json!({"duration": "1h"})).await.failure(), (400, 12130));
    let no_time = r#"{"previous_client_secret_expires_at": "tomorrow"}"#;
    assert_eq!(client.rotate(account, &before.id, no_time).await.failure(), (400, 12130));
    assert_eq!(simulator.tokens(account), [before]);
    assert_eq!(simulator.commits(), []);
}

#[tokio::test]
async fn a_name_may_have_350_characters_of_any_kind() {
    let simulator = Simulator::start().await.expect("a simulator");
    for name in ["é".repeat(350), "\u{1f980}\0\n\"".to_owned()] {
        let token = Client::new(&simulator).create(simulator.account(), json!({"name": name})).await.result();
        assert_eq!(token["name"], name);
    }
}

pub fn text(token: &Value, field: &str) -> String {
    token[field].as_str().expect("a text").to_owned()
}
