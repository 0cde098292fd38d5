//! The program.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::within::within;

const PROGRAM: &str = env!("CARGO_BIN_EXE_cloudflare-access-simulator");

#[tokio::test]
async fn it_says_where_it_listens_serves_with_the_given_token_and_stops_on_ctrl_c() {
    let mut command = Command::new(PROGRAM);
    command.args(["--port", "0", "--api-token", "of-the-test"]).stdout(Stdio::piped()).kill_on_drop(true);
    let mut program = command.spawn().expect("the program");
    let mut lines = BufReader::new(program.stdout.take().expect("its output")).lines();
    let first = within("the address of the program", lines.next_line()).await.expect("readable").expect("a line");
    let address = first.strip_prefix("listening on http://").expect("an address").to_owned();

    let account = cloudflare_access_simulator::ACCOUNT_ID;
    let mut tcp = TcpStream::connect(address).await.expect("a connection");
    let request = format!(
        "GET /client/v4/accounts/{account}/access/service_tokens HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\
         authorization: Bearer of-the-test\r\n\r\n"
    );
    tcp.write_all(request.as_bytes()).await.expect("written");
    let mut answer = String::new();
    within("an answer", tcp.read_to_string(&mut answer)).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");

    let id = program.id().expect("running").to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().await.expect("kill").success());
    assert!(within("the end of the program", program.wait()).await.expect("ended").success());
}

#[tokio::test]
async fn an_address_that_is_not_loopback_is_refused() {
    let mut command = Command::new(PROGRAM);
    command.args(["--host", "0.0.0.0", "--port", "0"]).kill_on_drop(true);
    let output = within("the end of the program", command.output()).await.expect("the program");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("0.0.0.0 is not a loopback address"));
}

#[tokio::test]
async fn every_flag_of_the_behaviour_shows_in_the_behaviour() {
    let mut command = Command::new(PROGRAM);
    command.args([
        "--port",
        "0",
        "--host",
        "0.0.0.0",
        "--allow-remote",
        "--seed",
        "7",
        "--clock",
        "2026-01-01T00:00:00Z",
    ]);
    command.args(["--quota", "3", "--rate-limit", "10/20/30", "--access-disabled", "--zones-accept-api-tokens"]);
    command.args(["--account-lists", "page-ignored", "--zone-lists", "page-ignored", "--per-page", "5", "--create-ok"]);
    command.args(["--older-tokens", "--hexadecimal-secrets", "--inactivity-days", "30", "--inactivity-disables"]);
    command.args(["--application", "login", "--learns-after", "9"]);
    let mut program = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("the program");
    let mut lines = BufReader::new(program.stdout.take().expect("its output")).lines();
    let first = within("the address of the program", lines.next_line()).await.expect("readable").expect("a line");
    let port = first.rsplit(':').next().expect("a port").to_owned();

    let mut shown = Vec::new();
    for path in ["behaviour", "clock"] {
        let mut tcp = TcpStream::connect(format!("127.0.0.1:{port}")).await.expect("a connection");
        let request = format!("GET /simulator/{path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n");
        tcp.write_all(request.as_bytes()).await.expect("written");
        let mut answer = String::new();
        within("an answer", tcp.read_to_string(&mut answer)).await.expect("an answer");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        shown.push(serde_json::from_str::<serde_json::Value>(body).expect("JSON")["result"].clone());
    }
    assert_eq!(
        shown[0],
        serde_json::json!({
            "access_enabled": false, "zones_refuse_api_tokens": false, "account_lists": "page-ignored",
            "zone_lists": "page-ignored", "default_per_page": 5, "quota": 3,
            "rate_limit": {"requests": 10, "window_seconds": 20, "block_seconds": 30}, "create_status": 200,
            "token_shape": "older", "secret_form": "hexadecimal", "inactivity_days": 30,
            "inactivity_action": "disable",
            "application": {"protection": "login", "learns_after_seconds": 9},
        })
    );
    assert_eq!(shown[1]["now"], "2026-01-01T00:00:00Z");
}
