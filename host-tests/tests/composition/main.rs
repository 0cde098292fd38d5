//! What the plugin is for: an edge service that imports it, composed with it into one component and served by stock wasmtime.

mod samples;
mod serve;

use std::path::Path;
use std::time::Duration;

use cloudflare_access_simulator::{Fault, FaultKind, Simulator};
use serve::Served;
use wasmtime::component::Component;
use wasmtime::{Config, Engine};

#[tokio::test(flavor = "multi_thread")]
async fn the_service_in_rust_rotates_a_token_over_http() {
    let service = samples::in_rust();
    stands_on_wasi_alone(&service);
    for release in ["wasmtime-36", "wasmtime-48"] {
        rotates(release, &service).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_in_javascript_rotates_a_token_over_http() {
    let service = samples::in_javascript();
    stands_on_wasi_alone(&service);
    rotates("wasmtime-48", &service).await;
}

fn stands_on_wasi_alone(component: &Path) {
    let engine = Engine::new(&Config::new()).expect("an engine");
    let component = Component::from_file(&engine, component).expect("a component");
    let component = component.component_type();
    for (name, _) in component.imports(&engine) {
        assert!(name.starts_with("wasi:"), "{name}");
    }
}

async fn rotates(release: &'static str, service: &Path) {
    let simulator = Simulator::start().await.expect("a simulator");
    let account = simulator.account().clone();
    let old = simulator.add_token(&account, "CI pipeline");
    let served = Served::start(release, service, &simulator);
    let target = format!("/accounts/{}/tokens/{}/rotate", account.id(), old.token.id);

    // With grace: both secrets pass.
    let until = simulator.timestamp_in(Duration::from_hours(1));
    let (status, answer) = served.post(&format!("{target}?previous-expires-at={until}"));
    assert_eq!(status, 200, "{answer}");
    let secret = answer["client_secret"].as_str().expect("a secret");
    assert_eq!(answer["client_id"], *old.token.client_id);
    simulator.authenticate(&old.token.client_id, secret).expect("the new secret passes");
    simulator.authenticate(&old.token.client_id, old.client_secret.expose()).expect("the old secret passes");

    // Without: only the newest.
    let (status, answer) = served.post(&target);
    assert_eq!(status, 200, "{answer}");
    let newest = answer["client_secret"].as_str().expect("a secret");
    simulator.authenticate(&old.token.client_id, newest).expect("the newest secret passes");
    simulator.authenticate(&old.token.client_id, secret).expect_err("the one before does not");

    // A lost answer: sent once, and the service says that it does not know.
    simulator.clear_requests();
    simulator.inject(Fault::new(FaultKind::Close).after_commit());
    let (status, answer) = served.post(&target);
    assert_eq!((status, answer["outcome"].as_str()), (502, Some("unknown")), "{answer}");
    assert_eq!(simulator.requests().len(), 1);
    assert_eq!(simulator.tokens(&account).len(), 1);
}
