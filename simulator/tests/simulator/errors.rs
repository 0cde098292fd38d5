//! Routes that do not exist, the request budget, and the headers of every answer.

use std::time::Duration;

use cloudflare_access_simulator::{ACCOUNT_ID, Operation, RateLimit, ScopeKind, Simulator, ZONE_ID};
use serde_json::json;

use crate::client::{Client, body, path};
use crate::schema;

#[tokio::test]
async fn a_path_that_is_no_route_is_404_with_7003() {
    let simulator = Simulator::start().await.expect("a simulator");
    let client = Client::new(&simulator);
    let id = simulator.add_token(simulator.zone(), "of the zone").token.id;
    let paths = [
        "/".to_owned(),
        "/client/v4".to_owned(),
        "/client/v4/users/x/access/service_tokens".to_owned(),
        format!("/client/v4/accounts/{ACCOUNT_ID}/access/policies"),
        format!("/client/v4/accounts/{ACCOUNT_ID}/access/service_tokens/"),
        format!("/client/v4/accounts/{ACCOUNT_ID}/access/service_tokens/x/revoke"),
        format!("/client/v4/accounts/{ACCOUNT_ID}/access/service_tokens/x/rotate/y"),
        "/client/v4/accounts//access/service_tokens".to_owned(),
        "/client/v4/accounts/YOUR_ACCOUNT_ID/access/service_tokens".to_owned(),
        format!("/client/v4/accounts/{}/access/service_tokens", "f".repeat(32)),
        format!("/client/v4/accounts/{ZONE_ID}/access/service_tokens"),
        format!("/client/v4/zones/{ZONE_ID}/access/service_tokens/{id}/refresh"),
        format!("/client/v4/zones/{ZONE_ID}/access/service_tokens/{id}/rotate"),
    ];
    for path in paths {
        for method in ["GET", "POST"] {
            let reply = client.send(method, &path, "{}").await;
            assert_eq!(reply.failure(), (404, 7003), "{method} {path}");
            schema::check("failure", &reply.json());
        }
    }
    assert_eq!(simulator.commits(), []);
}

#[tokio::test]
async fn a_malformed_account_is_refused_before_the_credential_is_looked_at() {
    let simulator = Simulator::start().await.expect("a simulator");
    let anonymous = Client::with_headers(&simulator, vec![]);
    let reply = anonymous.send("GET", "/client/v4/zones/YOUR_ZONE_ID/access/service_tokens", "").await;
    assert_eq!(reply.failure(), (404, 7003));
    let unknown = format!("/client/v4/zones/{}/access/service_tokens", "f".repeat(32));
    assert_eq!(anonymous.send("GET", &unknown, "").await.failure(), (400, 9106));
}

#[tokio::test]
async fn a_method_that_a_route_does_not_have_is_405_with_10001() {
    let simulator = Simulator::start().await.expect("a simulator");
    let client = Client::new(&simulator);
    let account = simulator.account();
    for (method, operation) in [
        ("PUT", Operation::List),
        ("DELETE", Operation::List),
        ("PATCH", Operation::Get),
        ("POST", Operation::Get),
        ("GET", Operation::Refresh),
        ("PUT", Operation::Rotate),
    ] {
        let id = if operation == Operation::List { "" } else { "x" };
        let reply = client.send(method, &path(operation, account, id), "").await;
        assert_eq!(reply.failure(), (405, 10001), "{method} {operation}");
    }
}

#[tokio::test]
async fn an_id_that_no_token_has_is_404_with_12135_however_it_is_written() {
    let simulator = Simulator::start().await.expect("a simulator");
    let client = Client::new(&simulator);
    let token = simulator.add_token(simulator.account(), "other").token;
    let ids = ["f174e90a-fafe-4643-bbbc-4a0ed4fc8415", "x", "..%2Fx", "%00", "a%3Fb%23c", token.client_id.as_str()];
    for id in ids {
        for operation in Operation::ALL.into_iter().filter(|op| !matches!(op, Operation::List | Operation::Create)) {
            let reply = client.operate(operation, simulator.account(), id, &body(operation)).await;
            assert_eq!(reply.failure(), (404, 12135), "{operation} {id}");
        }
    }
    let encoded = token.id.replace('-', "%2d");
    assert_eq!(client.get(simulator.account(), &encoded).await.result()["id"], token.id);
}

#[tokio::test]
async fn an_account_without_access_gets_9999_from_every_operation() {
    let simulator = Simulator::builder().access_enabled(false).start().await.expect("a simulator");
    let client = Client::new(&simulator);
    for operation in Operation::ALL {
        let id = if operation == Operation::List { "" } else { "x" };
        let reply = client.operate(operation, simulator.account(), id, &body(operation)).await;
        assert_eq!(reply.failure(), (403, 9999), "{operation}");
    }
}

#[tokio::test]
async fn every_answer_has_the_headers_of_the_api() {
    let simulator = Simulator::start().await.expect("a simulator");
    let client = Client::new(&simulator);
    let mut rays = Vec::new();
    for reply in [client.list(simulator.account(), "").await, client.get(simulator.account(), "x").await] {
        assert_eq!(reply.header("content-type"), "application/json; charset=UTF-8");
        assert_eq!(reply.header("ratelimit"), "\"default\";r=1200;t=300");
        assert_eq!(reply.header("ratelimit-policy"), "\"default\";q=1200;w=300");
        assert_eq!(reply.headers.get("retry-after"), None);
        let (number, place) = reply.header("cf-ray").split_once('-').expect("a ray id");
        assert!(number.len() == 16 && number.bytes().all(|b| b.is_ascii_hexdigit()) && place.len() == 3);
        rays.push(reply.header("cf-ray").to_owned());
    }
    assert_ne!(rays[0], rays[1]);
}

#[tokio::test]
async fn the_date_of_an_answer_is_that_of_the_simulators_clock() {
    let start = time::macros::datetime!(2026-01-01 00:00:00 UTC);
    let simulator = Simulator::builder().clock_stands_at(start).start().await.expect("a simulator");
    let client = Client::new(&simulator);
    assert_eq!(client.list(simulator.account(), "").await.header("date"), "Thu, 01 Jan 2026 00:00:00 GMT");
    simulator.advance(Duration::from_hours(24));
    assert_eq!(client.list(simulator.account(), "").await.header("date"), "Fri, 02 Jan 2026 00:00:00 GMT");
}

#[tokio::test]
async fn an_exceeded_budget_is_429_with_971_until_its_block_ends() {
    let start = time::macros::datetime!(2026-01-01 00:00:00 UTC);
    let rule = RateLimit { requests: 2, window_seconds: 60, block_seconds: 300 };
    let build = Simulator::builder().clock_stands_at(start).rate_limit(rule);
    let simulator = build.start().await.expect("a simulator");
    let (client, account) = (Client::new(&simulator), simulator.account());
    assert_eq!(client.list(account, "").await.header("ratelimit"), "\"default\";r=1;t=60");
    simulator.advance(Duration::from_secs(20));
    assert_eq!(client.list(account, "").await.header("ratelimit"), "\"default\";r=0;t=40");
    let refused = client.create(account, json!({"name": "too much"})).await;
    assert_eq!(refused.failure(), (429, 971));
    assert_eq!(refused.header("retry-after"), "300");
    assert_eq!(refused.header("ratelimit"), "\"default\";r=0;t=300");
    assert_eq!(refused.header("ratelimit-policy"), "\"default\";q=2;w=60");
    // The window has ended, and the block has not.
    simulator.advance(Duration::from_secs(100));
    assert_eq!(client.create(account, json!({"name": "too soon"})).await.header("retry-after"), "200");
    assert_eq!(simulator.commits(), []);
    simulator.advance(Duration::from_secs(200));
    assert_eq!(client.create(account, json!({"name": "in time"})).await.status, 201);
    client.list(account, "").await.result();
    // A window that was not exceeded ends without a block.
    simulator.advance(Duration::from_mins(1));
    assert_eq!(client.list(account, "").await.header("ratelimit"), "\"default\";r=1;t=60");
}

#[test]
fn operations_know_where_they_exist_and_what_they_change() {
    let of_zones = Operation::ALL.into_iter().filter(|operation| operation.exists_for(ScopeKind::Zone));
    assert_eq!(of_zones.count(), 5);
    assert!(Operation::ALL.into_iter().all(|operation| operation.exists_for(ScopeKind::Account)));
    assert!(Operation::ALL.into_iter().all(|operation| operation.changes() == (operation.method() != "GET")));
}
