//! The control routes: what a test in another process can do.

use cloudflare_access_simulator::{Fault, FaultKind, Moment, Operation, ScopeKind, Simulator};
use serde_json::{Value, json};

use crate::client::{Client, Reply};

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
    assert_eq!(commits, json!([{"operation": "create", "scope": scope, "token_id": created["id"]}]));
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
    for path in ["authenticate", "faults", "clock", "latency", "in-use"] {
        assert_eq!(control(&simulator, "POST", path, json!({"wrong": 1})).await.status, 400, "{path}");
    }
}
