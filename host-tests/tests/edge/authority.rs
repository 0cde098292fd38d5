//! A consumer without a credential and the plugin as two components of one workload: wasmCloud links them, and keeps an environment and
//! a list of hosts for each.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use cloudflare_access_host_tests::edge::confinement::Confinement;
use cloudflare_access_host_tests::edge::samples;
use cloudflare_access_host_tests::programs::{Lines, Running, output};
use cloudflare_access_host_tests::registry::Registry;
use cloudflare_access_host_tests::{LIMIT, component_under_test, fetched};
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
            ("cloudflare-access@sha256:DIGEST", &registry.by_digest("cloudflare-access:0.1.0")),
            ("registry.example", &registry.address),
            ("YOUR-API-TOKEN", API_TOKEN),
            ("YOUR-ACCOUNT-ID", simulator.account().id()),
            ("https://api.cloudflare.com/client/v4", simulator.base_url()),
            ("api.cloudflare.com", &simulator.address().to_string()),
        ],
    );
    cluster.serve_from(0, &manifest);

    judge(&confinement, &cluster.hosts[0].address, "confined.example");
}

/// `wash dev` resolves the secret by itself, from a file that only its owner can read.
#[tokio::test(flavor = "multi_thread")]
async fn in_wash_dev_a_consumer_gets_no_more_than_its_deployer_gives() {
    let confinement = Confinement::start().await;
    let simulator = &confinement.simulator;
    let project = tempfile::tempdir().expect("a folder");
    let consumer = samples::file("confined-consumer", &samples::built("samples", "confined-consumer", &[]));
    let plugin = samples::file("cloudflare-access", component_under_test());
    let mut config = include_str!("../../../samples/wasmcloud/.wash/config.yaml").to_owned();
    for (example, value) in [
        (
            "cargo build --release --target wasm32-unknown-unknown --manifest-path ../Cargo.toml --package confined-consumer",
            "'true'",
        ),
        ("../target/wasm32-unknown-unknown/release/confined_consumer.wasm", &consumer.to_string_lossy()),
        ("../../target/wasm32-unknown-unknown/component/cloudflare_access.wasm", &plugin.to_string_lossy()),
        ("127.0.0.1:8000", "127.0.0.1:0"),
        ("YOUR-ACCOUNT-ID", simulator.account().id()),
        ("https://api.cloudflare.com/client/v4", simulator.base_url()),
        ("api.cloudflare.com", &simulator.address().to_string()),
    ] {
        assert!(config.contains(example), "{example} is not in the configuration");
        config = config.replace(example, value);
    }
    std::fs::create_dir(project.path().join(".wash")).expect("a folder");
    std::fs::write(project.path().join(".wash/config.yaml"), config).expect("the configuration");
    let secret = project.path().join("cloudflare-api.env");
    std::fs::write(&secret, format!("CLOUDFLARE_API_TOKEN={API_TOKEN}\n")).expect("the secret");

    // Others can read it: refused.
    std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o644)).expect("its mode");
    let refused = output(wash_dev(project.path()), LIMIT);
    let said = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert!(!refused.status.success() && said.contains("require 0600") && !said.contains(API_TOKEN), "{said}");

    std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).expect("its mode");
    let mut running = wash_dev(project.path()).stderr(Stdio::piped()).spawn().map(Running).expect("wash runs");
    let mut log = Lines::of(running.0.stderr.take().expect("its log"));
    let address = log.wait_for("the address that wash dev listens on", |line| {
        let (_, rest) = line.split_once("HTTP server listening addr=")?;
        rest.split_whitespace().next().map(str::to_owned)
    });
    log.wait_for("the deployed workload", |line| line.contains("listening for HTTP requests").then_some(()));
    judge(&confinement, &address, "confined.example");
    assert!(!log.seen().contains(API_TOKEN), "the log has the credential");
}

fn wash_dev(project: &Path) -> Command {
    let mut wash = Command::new(fetched::program("wash"));
    wash.args(["dev", "--non-interactive"]).current_dir(project).env("HOME", project).stdout(Stdio::null());
    for folder in ["XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
        wash.env_remove(folder);
    }
    wash
}

/// Checks what the consumer got. In wasmCloud `allowedHosts` of either component lets nothing out to another server.
fn judge(confinement: &Confinement, address: &str, host: &str) {
    let report = confinement.report(address, host);
    confinement.check(&report);
    for attempt in ["another base URL", "the host's credential to another base URL"] {
        assert_eq!(report[attempt]["kind"], "ErrorKind::DeniedByHost", "{report:#}");
    }
    assert_eq!(confinement.strays(), 0);
}
