//! The component in the stock command `wasmtime`, with no code of ours: the line of the README, on both long-term releases.

use std::process::Output;

use cloudflare_access_host_tests::programs;
use cloudflare_access_host_tests::{LIMIT, fetched};
use cloudflare_access_simulator::{API_TOKEN, Simulator};

/// The long-term releases.
const RELEASES: [&str; 2] = ["wasmtime-36", "wasmtime-48"];

/// Runs `wasmtime run -S http --env … --invoke <call>`, with the settings in the environment of the command.
async fn invoke(release: &str, simulator: &Simulator, call: String) -> Output {
    let mut command = fetched::command(release);
    command
        .args(["run", "-S", "http", "--env", "CLOUDFLARE_API_TOKEN", "--env", "CLOUDFLARE_BASE_URL"])
        .args(["--invoke", &call])
        .arg(fetched::component())
        .env("CLOUDFLARE_API_TOKEN", API_TOKEN)
        .env("CLOUDFLARE_BASE_URL", simulator.base_url());
    tokio::task::spawn_blocking(|| programs::output(command, LIMIT)).await.expect("it ends")
}

#[tokio::test]
async fn get_prints_the_token_with_the_settings_of_the_environment() {
    for release in RELEASES {
        let simulator = Simulator::start().await.expect("a simulator");
        let account = simulator.account().clone();
        let issued = simulator.add_token(&account, "CI pipeline");
        let call = format!(r#"get(account("{}"), "{}", none)"#, account.id(), issued.token.id);

        let output = invoke(release, &simulator, call).await;

        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{release}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(printed.starts_with(&format!(r#"ok({{id: "{}""#, issued.token.id)), "{release}: {printed}");
        assert!(printed.contains(r#"name: some("CI pipeline")"#), "{release}: {printed}");
        let requests = simulator.requests();
        assert_eq!(requests.len(), 1, "{release}");
        assert_eq!(requests[0].header("authorization"), Some(&*format!("Bearer {API_TOKEN}")), "{release}");
    }
}

#[tokio::test]
async fn a_token_that_is_not_there_is_an_error_value_and_not_a_trap() {
    for release in RELEASES {
        let simulator = Simulator::start().await.expect("a simulator");
        let id = "f174e90a-fafe-4643-bbbc-4a0ed4fc8415";
        let call = format!(r#"get(account("{}"), "{id}", none)"#, simulator.account().id());

        let output = invoke(release, &simulator, call).await;

        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(printed.starts_with("err({kind: not-found, outcome: not-applied"), "{release}: {printed}");
        assert!(printed.contains("status: some(404)"), "{release}: {printed}");
        assert!(printed.contains("code: some(12135)"), "{release}: {printed}");
    }
}

#[tokio::test]
async fn the_line_of_the_readme_lists_the_tokens() {
    let readme = include_str!("../../../README.md");
    let line = readme.lines().find(|line| line.starts_with("wasmtime run ")).expect("a line that runs wasmtime");
    let (_, call) = line.split_once("--invoke '").expect("a call");
    let (call, _) = call.split_once('\'').expect("the end of the call");
    for release in RELEASES {
        let simulator = Simulator::start().await.expect("a simulator");
        let _ = simulator.add_token(simulator.account(), "CI pipeline");

        let output = invoke(release, &simulator, call.replace('…', simulator.account().id())).await;

        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{release}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(printed.starts_with("ok([{id: ") && printed.contains(r#"name: some("CI pipeline")"#), "{printed}");
    }
}
