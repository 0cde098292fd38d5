//! A consumer without a credential and the plugin as two components of one workload: wasmCloud links them, and keeps an environment and
//! a list of hosts for each.

use cloudflare_access_host_tests::component_under_test;
use cloudflare_access_host_tests::edge::confinement::Confinement;
use cloudflare_access_host_tests::edge::samples;
use cloudflare_access_host_tests::registry::Registry;
use cloudflare_access_simulator::API_TOKEN;

use crate::wasmcloud::{Cluster, Manifest};

#[tokio::test(flavor = "multi_thread")]
async fn in_wasmcloud_a_consumer_gets_no_more_than_its_deployer_gives() {
    let confinement = Confinement::start().await;
    let simulator = &confinement.simulator;
    let folder = tempfile::tempdir().expect("a folder");
    let registry = Registry::start(folder.path());
    let consumer = samples::file("confined-consumer", &samples::built("samples", "confined-consumer", &[]));
    registry.push("confined-consumer:0.1.0", &consumer);
    registry.push("cloudflare-access:0.1.0", &samples::file("cloudflare-access", component_under_test()));
    let mut cluster = Cluster::start(1, folder.path());
    let manifest = Manifest::read(
        "confined.json",
        &[
            ("registry.example", &registry.address),
            ("YOUR-API-TOKEN", API_TOKEN),
            ("YOUR-ACCOUNT-ID", simulator.account().id()),
            ("https://api.cloudflare.com/client/v4", simulator.base_url()),
            ("api.cloudflare.com", &simulator.address().to_string()),
        ],
    );
    cluster.serve_from(0, &manifest);

    let report = confinement.report(&cluster.hosts[0].address, "confined.example");
    confinement.check(&report);
    for attempt in ["another base URL", "the host's credential to another base URL"] {
        assert_eq!(report[attempt]["kind"], "ErrorKind::DeniedByHost", "{report:#}");
    }
    assert_eq!(confinement.strays(), 0, "`allowedHosts` of either component lets nothing out to another server");
}
