//! The edge service of `samples/`, in Rust and in JavaScript: who may rotate what, and what the answers say. `wasmtime serve` makes its
//! key-value store for each request, so the service is run with a store that lasts in the target `edge`.

use std::collections::BTreeSet;
use std::time::Duration;

use cloudflare_access_host_tests::edge::samples;
use cloudflare_access_host_tests::edge::serve::{Answer, Served};
use cloudflare_access_host_tests::interfaces;
use cloudflare_access_simulator::{API_TOKEN, Fault, FaultKind, Operation, Simulator};
use serde_json::json;

const CALLER_SECRET: &str = "a-secret-of-the-caller-00001";

#[tokio::test(flavor = "multi_thread")]
async fn the_service_in_rust_rotates_the_token_of_its_configuration_for_its_caller() {
    let service = samples::with_the_plugin(&samples::built("samples", "rotate-service", &[]));
    for release in ["wasmtime-36", "wasmtime-48"] {
        rotates(release, "rust", &service).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_in_javascript_rotates_the_token_of_its_configuration_for_its_caller() {
    let service = samples::with_the_plugin(&samples::rotate_service_in_javascript());
    rotates("wasmtime-48", "javascript", &service).await;
}

/// Serves a service for a token.
fn serve(release: &str, name: &str, service: &[u8], simulator: &Simulator, token_id: &str, store: &str) -> Served {
    let account = simulator.account().id();
    let environment = [
        ("CLOUDFLARE_API_TOKEN", API_TOKEN.to_owned()),
        ("CLOUDFLARE_BASE_URL", simulator.base_url().to_owned()),
        ("CLOUDFLARE_ACCESS_SCOPE", format!("account:{account}")),
        ("CLOUDFLARE_ACCESS_OPERATIONS", "rotate-with-overlap,get".to_owned()),
        ("ROTATE_ACCOUNT_ID", account.to_owned()),
        ("ROTATE_TOKEN_ID", token_id.to_owned()),
        ("ROTATE_OVERLAP_SECONDS", "3600".to_owned()),
        ("ROTATE_STORE", store.to_owned()),
        ("ROTATE_CALLER_SECRET", CALLER_SECRET.to_owned()),
    ];
    Served::start(release, &samples::file(&format!("rotate-service-{name}"), service), &environment)
}

async fn rotates(release: &str, name: &str, service: &[u8]) {
    let (imports, _) = interfaces(service);
    let strange: BTreeSet<_> = imports.iter().filter(|name| !name.starts_with("wasi:")).collect();
    assert!(strange.is_empty() && !imports.is_empty(), "{strange:?}");
    let simulator = Simulator::start().await.expect("a simulator");
    let account = simulator.account().clone();
    let old = simulator.add_token(&account, "CI pipeline");
    let served = serve(release, name, service, &simulator, &old.token.id, "in-memory");
    let rotate = || served.ask("POST", "/rotate", Some(CALLER_SECRET));

    // Nobody but the caller, and nothing but the one token: nothing is sent.
    for (method, target, bearer, status) in [
        ("POST", "/rotate", None, 401),
        ("POST", "/rotate", Some("a-secret-of-the-caller-00002"), 401),
        ("POST", "/rotate", Some("a-secret-of-the-caller-0000"), 401),
        ("POST", "/rotate", Some("a-secret-of-the-caller-000011"), 401),
        ("GET", "/rotate", Some(CALLER_SECRET), 405),
        ("POST", "/accounts/a/tokens/b/rotate", Some(CALLER_SECRET), 404),
        ("POST", "/rotate?previous-expires-at=2099-01-01T00:00:00Z", Some(CALLER_SECRET), 404),
    ] {
        let answer = served.ask(method, target, bearer);
        assert_eq!(answer.status, status, "{method} {target} {bearer:?}: {}", answer.text);
    }
    assert!(simulator.requests().is_empty(), "{:?}", simulator.requests());

    // The caller: 204 without the secret, and both secrets pass.
    let answer = rotate();
    assert_eq!((answer.status, &answer.body), (204, &json!(null)), "{}", answer.text);
    shows_no_secret(&simulator, &answer);
    assert_eq!(versions(&simulator), [2]);
    simulator.authenticate(&old.token.client_id, old.client_secret.expose()).expect("the old secret passes");

    // The store of `wasmtime serve` ended with the request, and the answer says that the secret is not in it.
    let answer = rotate();
    assert_eq!((answer.status, &answer.body["outcome"]), (409, &json!("not-applied")), "{}", answer.text);
    let said = answer.body["message"].as_str().expect("a message");
    assert!(said.contains("the store does not have the newest secret"), "{said}");
    assert_eq!(versions(&simulator), [2]);

    // By name the overlap is ended.
    let answer = served.ask("POST", "/rotate?end-running-overlap", Some(CALLER_SECRET));
    assert_eq!(answer.status, 204, "{}", answer.text);
    assert_eq!(versions(&simulator), [2, 3]);
    simulator.authenticate(&old.token.client_id, old.client_secret.expose()).expect_err("the oldest secret has ended");

    // A lost answer is told, with the end of the old secret, and nothing is doubled.
    simulator.advance(Duration::from_hours(2));
    simulator.inject(Fault::new(FaultKind::Close).on(Operation::Update).after_commit());
    let answer = rotate();
    assert_eq!((answer.status, &answer.body["outcome"]), (502, &json!("applied")), "{}", answer.text);
    assert!(answer.body["previous_secret_expires_at"].is_string(), "{}", answer.text);
    assert!(simulator.faults().is_empty(), "the answer was lost");
    assert_eq!(versions(&simulator), [2, 3, 4]);
    assert_eq!(simulator.tokens(&account).len(), 1);

    // A store that the host does not have: nothing is changed.
    simulator.advance(Duration::from_hours(2));
    let served = serve(release, name, service, &simulator, &old.token.id, "service-tokens");
    let answer = served.ask("POST", "/rotate", Some(CALLER_SECRET));
    assert_eq!((answer.status, &answer.body["outcome"]), (503, &json!("not-applied")), "{}", answer.text);
    assert_eq!(versions(&simulator), [2, 3, 4]);
}

fn shows_no_secret(simulator: &Simulator, answer: &Answer) {
    for secret in simulator.issued_secrets() {
        assert!(!answer.text.contains(secret.expose()), "the answer has a secret");
    }
}

/// The versions of the secrets that were made.
fn versions(simulator: &Simulator) -> Vec<u32> {
    simulator.commits().iter().map(|commit| commit.client_secret_version).collect()
}
