//! The control routes: what a test in another process can do.

use cloudflare_access_simulator::{Fault, FaultKind, Moment, Operation, ScopeKind, Simulator};
use serde_json::{Value, json};

use crate::client::{Client, Reply, path};

/// A control request, without any credential.
async fn control(simulator: &Simulator, method: &str, path: &str, body: Value) -> Reply {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    Client::with_headers(simulator, vec![]).send(method, &format!("/simulator/{path}"), &body).await
}

#[tokio::test]
async fn authenticate_says_whether_a_pair_passes_and_why_not() {
    let simulator = Simulator::start().await.expect("a simulator");
    let issued = simulator.add_token(simulator.account(), "checked");
    let mut pair = json!({"client_id": issued.token.client_id, "client_secret": issued.client_secret.expose()});
    let answer = control(&simulator, "POST", "authenticate", pair.clone()).await;
    assert_eq!(answer.result(), json!({"passes": true}));
    pair["client_secret"] = json!("wrong");
    let answer = control(&simulator, "POST", "authenticate", pair).await;
    assert_eq!(answer.result(), json!({"passes": false, "refusal": "wrong-secret"}));
}

#[tokio::test]
async fn faults_are_injected_listed_and_cleared() {
    let simulator = Simulator::start().await.expect("a simulator");
    let one = json!({
        "kind": {"error": {"status": 503, "code": 1000, "message": "later"}}, "operation": "create", "scope": "zone",
        "skip": 2, "times": null, "moment": "after-commit",
    });
    control(&simulator, "POST", "faults", one.clone()).await.result();
    control(&simulator, "POST", "faults", json!([{"kind": "close"}, {"kind": "reset", "times": 3}])).await.result();
    let full = Fault::new(FaultKind::error(503, 1000, "later"))
        .on(Operation::Create)
        .under(ScopeKind::Zone)
        .skipping(2)
        .forever()
        .at(Moment::AfterCommit);
    assert_eq!(simulator.faults(), [full, FaultKind::Close.into(), Fault::new(FaultKind::Reset).times(3)]);
    assert_eq!(control(&simulator, "GET", "faults", Value::Null).await.result()[0], one);
    control(&simulator, "DELETE", "faults", Value::Null).await.result();
    assert_eq!(simulator.faults(), []);
}

#[tokio::test]
async fn a_fault_that_is_misspelt_or_contradicts_itself_is_refused_whole() {
    let simulator = Simulator::start().await.expect("a simulator");
    let cases = [
        (json!({"kind": "clsoe"}), "clsoe"),
        (json!({"kind": "close", "operaton": "get"}), "operaton"),
        (json!({"kind": {"empty-body": {"status": 200, "stauts": 1}}}), "stauts"),
        (json!({"kind": {"rate-limited": {"wait": {"seconds": 1}}}, "moment": "after-commit"}), "Never"),
        (json!({"kind": {"rate-limited": {"wait": {"text": "a\nb"}}}}), "retry-after"),
        (json!({"kind": "null-result", "moment": "before-commit"}), "Always"),
        (json!({"kind": {"empty-body": {"status": 99}}}), "99"),
        (json!({"kind": {"response": {"status": 200, "headers": [["Content-Length", "5"]], "body": ""}}}), "raw-bytes"),
        (json!([{"kind": "close"}, {"kind": {"redirect": {"status": 302, "location": "a\nb"}}}]), "location"),
    ];
    for (fault, named) in cases {
        let answer = control(&simulator, "POST", "faults", fault).await;
        assert_eq!(answer.status, 400);
        assert!(String::from_utf8_lossy(&answer.body).contains(named), "{answer:?}");
    }
    assert_eq!(simulator.faults(), []);
}

#[tokio::test]
async fn the_clock_moves_and_shows_the_time() {
    let start = time::macros::datetime!(2026-01-01 00:00:00 UTC);
    let simulator = Simulator::builder().clock_stands_at(start).start().await.expect("a simulator");
    let advanced = control(&simulator, "POST", "clock", json!({"advance_seconds": 86_400})).await;
    assert_eq!(advanced.result(), json!({"now": "2026-01-02T00:00:00Z"}));
    assert_eq!(control(&simulator, "GET", "clock", Value::Null).await.result(), json!({"now": "2026-01-02T00:00:00Z"}));
}

#[tokio::test]
async fn a_token_is_marked_in_use_and_unused() {
    let simulator = Simulator::start().await.expect("a simulator");
    let id = simulator.add_token(simulator.account(), "used").token.id;
    let client = Client::new(&simulator);
    control(&simulator, "POST", "in-use", json!({"token_id": id, "in_use": true})).await.result();
    assert_eq!(client.delete(simulator.account(), &id).await.failure(), (400, 12139));
    control(&simulator, "POST", "in-use", json!({"token_id": id, "in_use": false})).await.result();
    client.delete(simulator.account(), &id).await.result();
}

#[tokio::test]
async fn requests_and_commits_are_shown_without_credentials_and_cleared() {
    let simulator = Simulator::start().await.expect("a simulator");
    let created = Client::new(&simulator).create(simulator.account(), json!({"name": "shown"})).await.result();
    let answer = control(&simulator, "GET", "requests", Value::Null).await;
    assert!(!String::from_utf8_lossy(&answer.body).contains(cloudflare_access_simulator::API_TOKEN));
    let requests = answer.result();
    assert_eq!(requests.as_array().map(Vec::len), Some(1), "control requests are not recorded: {requests:#}");
    assert_eq!((&requests[0]["method"], &requests[0]["body"]), (&json!("POST"), &json!("{\"name\":\"shown\"}")));
    assert_eq!(requests[0]["headers"][1], json!(["authorization", "[redacted]"]));
    let commits = control(&simulator, "GET", "commits", Value::Null).await.result();
    let scope = json!({"account": simulator.account().id()});
    let commit = json!({
        "operation": "create", "scope": scope, "token_id": created["id"], "at": created["created_at"],
        "client_secret_version": 1, "previous_client_secret_expires_at": null, "enabled": true,
        "expires_at": created["expires_at"],
    });
    assert_eq!(commits, json!([commit]));
    control(&simulator, "DELETE", "requests", Value::Null).await.result();
    assert_eq!((simulator.requests(), simulator.commits()), (vec![], vec![]));
}

#[tokio::test]
async fn latency_is_set_for_all_answers_and_ended() {
    let simulator = Simulator::start().await.expect("a simulator");
    let client = Client::new(&simulator);
    control(&simulator, "POST", "latency", json!({"latency_ms": 30})).await.result();
    let started = std::time::Instant::now();
    client.list(simulator.account(), "").await.result();
    assert!(started.elapsed().as_millis() >= 30);
    control(&simulator, "POST", "latency", json!({"latency_ms": 0})).await.result();
}

#[tokio::test]
async fn a_control_route_that_is_none_and_a_body_that_is_wrong_say_so() {
    let simulator = Simulator::start().await.expect("a simulator");
    let missing = control(&simulator, "GET", "nothing", Value::Null).await;
    assert_eq!(missing.status, 404);
    for path in ["authenticate", "faults", "clock", "latency", "in-use", "tokens", "requests/wait"] {
        assert_eq!(control(&simulator, "POST", path, json!({"wrong": 1})).await.status, 400, "{path}");
    }
}

#[tokio::test]
async fn the_behaviour_is_changed_field_by_field_and_a_field_that_there_is_not_changes_nothing() {
    let simulator = Simulator::start().await.expect("a simulator");
    let (client, account) = (Client::new(&simulator), simulator.account().clone());
    let changed = control(&simulator, "PATCH", "behaviour", json!({"quota": 1, "create_status": 200})).await.result();
    assert_eq!((&changed["quota"], &changed["default_per_page"]), (&json!(1), &json!(1000)));
    let body = json!({"name": "only"}).to_string();
    let created = client.send("POST", &path(Operation::Create, &account, ""), &body).await;
    assert_eq!(created.status, 200);
    assert_eq!(client.create(&account, json!({"name": "too much"})).await.failure(), (400, 12130));
    for wrong in [json!({"quotas": 2}), json!({"create_status": 204}), json!({"rate_limit": {"requests": 1}}), json!(7)]
    {
        assert_eq!(control(&simulator, "PATCH", "behaviour", wrong.clone()).await.status, 400, "{wrong}");
    }
    assert_eq!(control(&simulator, "GET", "behaviour", Value::Null).await.result(), changed);
}

#[tokio::test]
async fn tokens_are_seeded_with_their_secrets_and_a_reset_leaves_none() {
    let simulator = Simulator::start().await.expect("a simulator");
    control(&simulator, "PATCH", "behaviour", json!({"quota": 0})).await.result();
    let zone = json!({"zone": simulator.zone().id()});
    let seed = json!({"name": "seeded", "count": 3, "scope": zone, "params": {"duration": "24h", "enabled": false}});
    let seeded = control(&simulator, "POST", "tokens", seed).await.result();
    assert_eq!(seeded.as_array().map(Vec::len), Some(3));
    assert_eq!((&seeded[2]["name"], &seeded[2]["enabled"]), (&json!("seeded 3"), &json!(false)));
    let one = control(&simulator, "POST", "tokens", json!({"name": "alone"})).await.result();
    let pair = json!({"client_id": one[0]["client_id"], "client_secret": one[0]["client_secret"]});
    assert_eq!(control(&simulator, "POST", "authenticate", pair).await.result(), json!({"passes": true}));
    assert_eq!(simulator.tokens(simulator.zone()).len(), 3);
    simulator.inject(FaultKind::Close);
    control(&simulator, "POST", "reset", Value::Null).await.result();
    assert_eq!((simulator.tokens(simulator.zone()), simulator.tokens(simulator.account())), (vec![], vec![]));
    assert_eq!((simulator.faults(), simulator.behaviour().quota), (vec![], 50));
}

#[tokio::test]
async fn requests_are_waited_for_and_a_wait_in_vain_says_what_came() {
    let simulator = Simulator::start().await.expect("a simulator");
    let in_vain = control(&simulator, "POST", "requests/wait", json!({"count": 1, "timeout_seconds": 0})).await;
    assert!(String::from_utf8_lossy(&in_vain.body).contains("0 of 1 requests"), "{in_vain:?}");
    let client = Client::new(&simulator);
    let (waited, _) = tokio::join!(
        control(&simulator, "POST", "requests/wait", json!({"count": 1, "timeout_seconds": 60})),
        client.list(simulator.account(), "")
    );
    assert_eq!(waited.result(), json!({"received": 1}));
}
