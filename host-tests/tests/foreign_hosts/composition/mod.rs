//! What the plugin is for: an edge service that imports it, composed with it into one component and served by stock wasmtime.

mod nats;
mod samples;
mod serve;
mod wasmcloud;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::Duration;

use self::serve::Served;
use cloudflare_access_host_tests::interfaces;
use cloudflare_access_host_tests::programs::wait_until;
use cloudflare_access_host_tests::registry::Registry;
use cloudflare_access_simulator::{Fault, FaultKind, Simulator};

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

const CLIENTS: usize = 4;
/// How often each client rotates before a host is told to stop, and again after it has stopped.
const ROTATIONS: usize = 10;

#[tokio::test(flavor = "multi_thread")]
async fn in_wasmcloud_a_host_that_stops_under_load_costs_no_rotation_and_doubles_none() {
    let service = samples::in_rust();
    let simulator = Simulator::start().await.expect("a simulator");
    simulator.set_latency(Duration::from_millis(5));
    let account = simulator.account().clone();
    let tokens: Vec<_> = (0..CLIENTS).map(|number| simulator.add_token(&account, &number.to_string()).token).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let registry = Registry::start(folder.path());
    registry.push("sample/rotate-service:0.1.0", &service);
    let mut cluster = wasmcloud::Cluster::start(2, folder.path());
    cluster.serve(&registry.reference("sample/rotate-service:0.1.0"), &simulator);

    let hosts: Vec<_> = cluster.hosts.iter().map(|host| (host.address.clone(), host.probe.clone())).collect();
    let (warm, is_stopped) = (AtomicUsize::new(0), AtomicBool::new(false));
    let rotate_until_the_host_is_gone = |target: String| {
        let (mut answered, mut afterwards) = ([0, 0], 0);
        while afterwards < ROTATIONS {
            afterwards += usize::from(is_stopped.load(Ordering::Relaxed));
            let turn = answered[0] + answered[1];
            // As a load balancer does: the host whose turn it is, unless it is not ready.
            let host = [turn % 2, (turn + 1) % 2].into_iter().find(|&host| wasmcloud::is_ready(&hosts[host].1));
            let host = host.expect("one of the hosts is ready");
            let (status, answer) = serve::post(&hosts[host].0, wasmcloud::SERVICE, &target).expect("it listens");
            assert_eq!(status, 200, "{answer}");
            answered[host] += 1;
            if turn + 1 == ROTATIONS {
                warm.fetch_add(1, Ordering::Relaxed);
            }
        }
        answered
    };
    let answered: Vec<[usize; 2]> = std::thread::scope(|threads| {
        // However this scope is left: the clients end, so that it can be left.
        let _stopped = SetWhenDropped(&is_stopped);
        let clients: Vec<_> = tokens
            .iter()
            .map(|token| {
                let rotate = &rotate_until_the_host_is_gone;
                let target = format!("/accounts/{}/tokens/{}/rotate", account.id(), token.id);
                threads.spawn(move || rotate(target))
            })
            .collect();
        wait_until("every client to have rotated on both hosts", || {
            let has_failed = clients.iter().any(ScopedJoinHandle::is_finished);
            (has_failed || warm.load(Ordering::Relaxed) == CLIENTS).then_some(())
        });
        cluster.hosts[0].stop();
        is_stopped.store(true, Ordering::Relaxed);
        clients.into_iter().map(|client| client.join().expect("every rotation succeeds")).collect()
    });

    let by_host = [0, 1].map(|host| answered.iter().map(|counts| counts[host]).sum::<usize>());
    println!("rotations by host: {by_host:?}, the first stopped under load");
    assert!(by_host[0] >= CLIENTS * ROTATIONS / 2, "the load was spread: {by_host:?}");
    assert!(by_host[1] >= by_host[0] + CLIENTS * ROTATIONS / 2, "the second took over: {by_host:?}");
    assert_eq!(simulator.commits().len(), by_host[0] + by_host[1], "every rotation happened once");
    assert_eq!(simulator.tokens(&account).len(), CLIENTS, "no token was doubled");
}

/// Sets a flag at the end of a scope, also when that is a panic.
struct SetWhenDropped<'a>(&'a AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn stands_on_wasi_alone(component: &Path) {
    let (imports, _) = interfaces(&std::fs::read(component).expect("the component"));
    assert!(!imports.is_empty() && imports.iter().all(|name| name.starts_with("wasi:")), "{imports:?}");
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
