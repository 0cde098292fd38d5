//! Cloudflare's own SDKs against the simulator: it answers as they expect of the API, in all seven operations. And what becomes of a
//! `create` whose answer is lost, with each of them and with the component.

use std::path::Path;
use std::process::Command;

use cloudflare_access_host_tests::fetched::{self, HOSTS};
use cloudflare_access_host_tests::requests::named;
use cloudflare_access_host_tests::types::{Outcome, RequestOptions};
use cloudflare_access_host_tests::{Host, LIMIT, options, programs, scope};
use cloudflare_access_simulator::{API_TOKEN, Fault, FaultKind, Operation, Simulator};
use serde_json::Value;

/// An SDK: its name, and how its driver is started.
type Sdk = (&'static str, fn() -> Command);

const SDKS: [Sdk; 2] = [("cloudflare 7.3.0 (npm)", javascript), ("cloudflare 5.9.0 (PyPI)", python)];

fn javascript() -> Command {
    // node_modules/cloudflare/package.json of the folder that the SDK was installed into.
    let package = fetched::program("sdk-javascript");
    let folder = package.ancestors().nth(3).expect("a folder").to_owned();
    let mut driver = Command::new("node");
    driver.arg(Path::new(HOSTS).join("sdk-javascript/driver.js")).arg(folder);
    driver
}

fn python() -> Command {
    let package = fetched::program("sdk-python");
    let mut driver = Command::new("python3");
    driver.arg(Path::new(HOSTS).join("sdk-python/driver.py"));
    driver.env("PYTHONPATH", package.ancestors().nth(2).expect("a folder")).env("PYTHONDONTWRITEBYTECODE", "1");
    driver
}

/// What the calls of a driver gave, in their order.
async fn run(driver: fn() -> Command, simulator: &Simulator, what: &'static str) -> Vec<Value> {
    let (account, base_url) = (simulator.account().id().to_owned(), simulator.base_url().to_owned());
    let output = tokio::task::spawn_blocking(move || {
        let mut driver = driver();
        driver.args([&account, what]).env("CLOUDFLARE_API_TOKEN", API_TOKEN).env("CLOUDFLARE_BASE_URL", base_url);
        programs::output(driver, LIMIT)
    });
    let output = output.await.expect("the driver ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).expect("text");
    lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[tokio::test]
async fn cloudflares_sdks_do_all_seven_operations_against_the_simulator() {
    for (name, driver) in SDKS {
        let simulator = Simulator::start().await.expect("a simulator");

        let calls = run(driver, &simulator, "cycle").await;

        let operations: Vec<_> = calls.iter().filter_map(|call| call["operation"].as_str()).collect();
        assert_eq!(operations, ["create", "list", "get", "update", "refresh", "rotate", "delete"], "{name}");
        let result = |operation: usize| &calls[operation]["result"];
        let id = &result(0)["id"];
        assert!(id.is_string() && calls.iter().all(|call| call["error"].is_null()), "{name}: {calls:#?}");
        assert_eq!((&result(1)[0]["id"], &result(2)["id"]), (id, id), "{name}");
        assert_eq!((&result(3)["name"], &result(5)["name"]), (&"renamed".into(), &"renamed".into()), "{name}");
        let secrets: Vec<_> = [result(0), result(5)].map(|issued| issued["client_secret"].as_str()).into();
        let issued = simulator.issued_secrets();
        assert_eq!(secrets, [Some(issued[0].expose()), Some(issued[1].expose())], "{name}");
        let committed: Vec<_> = simulator.commits().into_iter().map(|commit| commit.operation).collect();
        let changes = [Operation::Create, Operation::Update, Operation::Refresh, Operation::Rotate, Operation::Delete];
        assert_eq!(committed, changes, "{name}");
    }
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_makes_two_tokens_with_an_sdk_and_one_with_the_component() {
    let lost = || Fault::new(FaultKind::Close).on(Operation::Create).after_commit();
    for (name, driver) in SDKS {
        let simulator = Simulator::start().await.expect("a simulator");
        simulator.inject(lost());
        let calls = run(driver, &simulator, "create").await;
        assert!(simulator.faults().is_empty(), "{name}: no answer was lost");
        assert_eq!(simulator.tokens(simulator.account()).len(), 2, "{name}: {calls:?}");
    }

    let simulator = Simulator::start().await.expect("a simulator");
    simulator.inject(lost());
    let mut plugin = Host::shared().instance().await;
    let home = scope(simulator.account());
    // As many retries as by default, which are as many as those of the SDKs.
    let options = RequestOptions { max_retries: None, ..options(&simulator) };
    let error = plugin.create(&home, &named("CI"), Some(&options)).await.expect_err("a lost answer");
    assert!(simulator.faults().is_empty(), "no answer was lost");
    assert_eq!((error.outcome, simulator.tokens(simulator.account()).len()), (Outcome::Unknown, 1));
}
