//! Who is let in, and with which error the others are not.

use cloudflare_access_simulator::{
    API_KEY, API_TOKEN, EMAIL, Operation, READ_ONLY_API_TOKEN, Simulator, SimulatorBuilder,
};
use serde_json::json;

use crate::client::{Client, body};

type Headers<'a> = &'a [(&'static str, &'a str)];

fn client<'a>(simulator: &'a Simulator, headers: Headers) -> Client<'a> {
    Client::with_headers(simulator, headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect())
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[tokio::test]
async fn a_token_and_a_key_with_its_email_are_let_in() {
    let simulator = Simulator::start().await.expect("a simulator");
    let token = bearer(API_TOKEN);
    let ways: [Headers; 4] = [
        &[("authorization", &token)],
        &[("authorization", &token.replacen('B', "b", 1))],
        &[("x-auth-key", API_KEY), ("x-auth-email", EMAIL)],
        &[("authorization", &token), ("x-auth-email", "someone else")],
    ];
    for headers in ways {
        assert_eq!(client(&simulator, headers).list(simulator.account(), "").await.status, 200, "{headers:?}");
    }
}

#[tokio::test]
async fn every_other_credential_has_its_error() {
    let simulator = Simulator::start().await.expect("a simulator");
    let cases: &[(Headers, (u16, u64))] = &[
        (&[], (400, 9106)),
        (&[("x-auth-key", API_KEY)], (400, 9106)),
        (&[("x-auth-email", EMAIL)], (400, 9106)),
        (&[("authorization", "Bearer wrong")], (403, 10000)),
        (&[("x-auth-key", "wrong"), ("x-auth-email", EMAIL)], (403, 10000)),
        (&[("x-auth-key", API_KEY), ("x-auth-email", "wrong@example.com")], (403, 10000)),
        (&[("x-auth-key", API_TOKEN), ("x-auth-email", EMAIL)], (403, 10000)),
        (&[("authorization", "Bearer wrong"), ("x-auth-key", API_KEY), ("x-auth-email", EMAIL)], (403, 10000)),
        (&[("authorization", API_TOKEN)], (400, 6003)),
        (&[("authorization", "Bearer ")], (400, 6003)),
        (&[("authorization", "Bearer two words")], (400, 6003)),
        (&[("authorization", "Basic dXNlcjpwYXNz")], (400, 6003)),
        (&[("x-auth-key", "not a key"), ("x-auth-email", EMAIL)], (400, 6003)),
    ];
    for (headers, expected) in cases {
        for scope in [simulator.account(), simulator.zone()] {
            let reply = client(&simulator, headers).create(scope, json!({"name": "never"})).await;
            assert_eq!(reply.failure(), *expected, "{headers:?}");
        }
    }
    assert_eq!(simulator.commits(), []);
}

#[tokio::test]
async fn a_malformed_header_is_named_in_the_error_chain() {
    let simulator = Simulator::start().await.expect("a simulator");
    let cases: [(Headers, u64, &str); 2] = [
        (&[("authorization", "nonsense")], 6111, "Authorization"),
        (&[("x-auth-key", "not a key"), ("x-auth-email", EMAIL)], 6103, "X-Auth-Key"),
    ];
    for (headers, code, name) in cases {
        let reply = client(&simulator, headers).list(simulator.account(), "").await.json();
        let cause = &reply["errors"][0]["error_chain"][0];
        assert_eq!(cause["code"], code);
        assert!(cause["message"].as_str().is_some_and(|text| text.contains(name)), "{cause}");
    }
}

#[tokio::test]
async fn a_token_that_may_only_read_reads_and_changes_nothing() {
    let simulator = Simulator::builder().zones_like_accounts().start().await.expect("a simulator");
    let token = bearer(READ_ONLY_API_TOKEN);
    let client = client(&simulator, &[("authorization", &token)]);
    for scope in [simulator.account(), simulator.zone()] {
        let id = simulator.add_token(scope, "kept").token.id;
        for operation in Operation::ALL.into_iter().filter(|operation| operation.exists_for(scope.kind())) {
            let id = if operation == Operation::List { "" } else { id.as_str() };
            let reply = client.operate(operation, scope, id, &body(operation)).await;
            if operation.changes() {
                assert_eq!(reply.failure(), (403, 10000), "{operation}");
            } else {
                assert_eq!(reply.status, 200, "{operation}");
            }
        }
    }
    assert_eq!(simulator.commits(), []);
}

#[tokio::test]
async fn zones_refuse_api_tokens_unless_asked_not_to_and_accounts_never_do() {
    let simulator = Simulator::start().await.expect("a simulator");
    let by_token = client(&simulator, &[("authorization", &bearer(API_TOKEN))]);
    let by_key = client(&simulator, &[("x-auth-key", API_KEY), ("x-auth-email", EMAIL)]);
    let reply = by_token.create(simulator.zone(), json!({"name": "n"})).await;
    assert_eq!(reply.failure(), (405, 10000));
    let message = reply.json()["errors"][0]["message"].to_string();
    assert!(message.contains("POST method with API Tokens"), "{message}");
    assert_eq!(by_token.list(simulator.zone(), "").await.failure(), (405, 10000));
    assert_eq!(by_key.create(simulator.zone(), json!({"name": "n"})).await.status, 201);
    assert_eq!(by_token.create(simulator.account(), json!({"name": "n"})).await.status, 201);
    let kinder = Simulator::builder().zones_like_accounts().start().await.expect("a simulator");
    kinder.add_tokens(kinder.zone(), 3);
    let by_token = client(&kinder, &[("authorization", &bearer(API_TOKEN))]);
    assert_eq!(by_token.list(kinder.zone(), "?page=2&per_page=2").await.result().as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn what_the_builder_names_replaces_the_defaults() {
    let id = "f".repeat(32);
    let build: SimulatorBuilder = Simulator::builder().account(&id).zone(&id).api_token("mine").api_token("ours");
    let simulator = build.api_key("me@example.com", "my-key").start().await.expect("a simulator");
    assert_eq!((simulator.account().id(), simulator.zone().id()), (id.as_str(), id.as_str()));
    let (mine, ours, default) = (bearer("mine"), bearer("ours"), bearer(API_TOKEN));
    let cases: [(Headers, u16); 5] = [
        (&[("authorization", &mine)], 200),
        (&[("authorization", &ours)], 200),
        (&[("authorization", &default)], 403),
        (&[("x-auth-key", "my-key"), ("x-auth-email", "me@example.com")], 200),
        (&[("x-auth-key", API_KEY), ("x-auth-email", EMAIL)], 403),
    ];
    for (headers, status) in cases {
        assert_eq!(client(&simulator, headers).list(simulator.account(), "").await.status, status, "{headers:?}");
    }
}
