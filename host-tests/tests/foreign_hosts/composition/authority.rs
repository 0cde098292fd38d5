//! A consumer without a credential, composed with the plugin into one component. In a composition all parts see the environment and the
//! network of the host, unless `adapters/no-authority` is plugged in before one.

use cloudflare_access_host_tests::component_under_test;
use cloudflare_access_host_tests::edge::confinement::Confinement;
use cloudflare_access_host_tests::edge::samples;
use cloudflare_access_host_tests::edge::serve::Served;
use cloudflare_access_simulator::API_TOKEN;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_composed_consumer_gets_no_more_than_its_deployer_gives() {
    let consumer = samples::built("samples", "confined-consumer", &[]);
    let no_authority = samples::built("adapters", "no-authority", &[]);
    let confined = samples::plugged(&consumer, &[component_under_test(), &no_authority]);
    let confined = samples::file("confined-consumer", &confined);
    for release in ["wasmtime-36", "wasmtime-48"] {
        let confinement = Confinement::start().await;
        let served = Served::start(release, &confined, &environment(&confinement));
        confinement.check(&confinement.report(&served.address, &served.address));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_is_composed_without_the_adapter_sees_the_credential_and_the_network() {
    let confinement = Confinement::start().await;
    let consumer = samples::with_the_plugin(&samples::built("samples", "confined-consumer", &[]));
    let consumer = samples::file("unconfined-consumer", &consumer);
    let served = Served::start("wasmtime-48", &consumer, &environment(&confinement));
    let report = confinement.report(&served.address, &served.address);
    assert_eq!(report["the environment"]["CLOUDFLARE_API_TOKEN"], API_TOKEN, "{report:#}");
    assert_eq!(report["another host"], json!({"ok": 404}), "{report:#}");
    assert!(confinement.strays() > 0);
}

/// What the deployer grants: the credential, for one account and for reading.
fn environment(confinement: &Confinement) -> Vec<(&'static str, String)> {
    let simulator = &confinement.simulator;
    vec![
        ("CLOUDFLARE_API_TOKEN", API_TOKEN.to_owned()),
        ("CLOUDFLARE_BASE_URL", simulator.base_url().to_owned()),
        ("CLOUDFLARE_ACCESS_SCOPE", format!("account:{}", simulator.account().id())),
        ("CLOUDFLARE_ACCESS_OPERATIONS", "read".to_owned()),
    ]
}
