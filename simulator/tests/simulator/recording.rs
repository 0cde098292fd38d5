//! What the simulator remembers of requests, changes and connections.

use std::time::Duration;

use cloudflare_access_simulator::{
    ACCOUNT_ID, API_TOKEN, Commit, Fault, FaultKind, FaultName, Operation, Scope, Simulator,
};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Client, body, connect, path, send_on};
use crate::within::within;

#[tokio::test]
async fn a_request_is_recorded_exactly_as_it_was_received() {
    let simulator = Simulator::start().await.expect("a simulator");
    let mut tcp = TcpStream::connect(simulator.address()).await.expect("a connection");
    let target = format!("/client/v4/accounts/{ACCOUNT_ID}/access/service_tokens?name=%C3%A9&name");
    let body = "{\"name\" : \"x\"}";
    let request = format!(
        "POST {target} HTTP/1.1\r\nHost: h\r\nX-ODD: 1\r\naUTHORIZATION: Bearer {API_TOKEN}\r\nx-oDD: \u{e9}\r\n\
         Content-Length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    // The e with an acute accent is one byte of Latin-1 in the header.
    let bytes: Vec<u8> = request.chars().map(|c| u8::try_from(c).expect("Latin-1")).collect();
    let (start, rest) = bytes.split_at(150);
    tcp.write_all(start).await.expect("written");
    tcp.write_all(rest).await.expect("written");
    within("an answer", tcp.read_to_end(&mut Vec::new())).await.expect("an answer");

    let recorded = within("the next request", simulator.next_request()).await;
    let length = body.len().to_string();
    let authorization = format!("Bearer {API_TOKEN}");
    let headers: [(&str, &[u8]); 6] = [
        ("Host", b"h"),
        ("X-ODD", b"1"),
        ("aUTHORIZATION", authorization.as_bytes()),
        ("x-oDD", b"\xe9"),
        ("Content-Length", length.as_bytes()),
        ("connection", b"close"),
    ];
    assert_eq!(recorded.headers, headers.map(|(name, value)| (name.to_owned(), value.to_vec())));
    assert_eq!((recorded.method.as_str(), recorded.version), ("POST", "HTTP/1.1"));
    assert_eq!(recorded.target(), target);
    assert_eq!(recorded.query.as_deref(), Some("name=%C3%A9&name"));
    assert_eq!(recorded.body, body.as_bytes());
    assert_eq!(recorded.json(), json!({"name": "x"}));
    assert_eq!(recorded.header("x-odd"), Some("1"));
    assert_eq!(recorded.operation, Some(Operation::Create));
    assert_eq!(recorded.scope, Some(Scope::Account(ACCOUNT_ID.to_owned())));
    assert_eq!((recorded.fault, recorded.committed), (None, true));
    assert!(!format!("{recorded:?}").contains(API_TOKEN));
}

#[tokio::test]
async fn every_request_of_a_kept_connection_is_recorded_exactly() {
    let simulator = Simulator::start().await.expect("a simulator");
    let mut tcp = TcpStream::connect(simulator.address()).await.expect("a connection");
    for (name, body) in
        [("X-First", "a body that is longer than the next head".repeat(2000)), ("X-Second", String::new())]
    {
        let request =
            format!("PUT /x HTTP/1.1\r\nHost: h\r\n{name}: v\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        tcp.write_all(request.as_bytes()).await.expect("written");
        let recorded = within("the next request", simulator.next_request()).await;
        assert_eq!(recorded.headers[1], (name.to_owned(), b"v".to_vec()));
        assert_eq!(recorded.body, body.as_bytes());
        assert_eq!((recorded.operation, recorded.scope), (None, None));
        let mut answer = vec![0; 4096];
        assert_ne!(within("an answer", tcp.read(&mut answer)).await.expect("an answer"), 0);
    }
}

#[tokio::test]
async fn requests_that_arrive_at_once_are_all_recorded() {
    let simulator = Simulator::start().await.expect("a simulator");
    let mut tcp = TcpStream::connect(simulator.address()).await.expect("a connection");
    let request = "GET /x HTTP/1.1\r\nHost: h\r\nX-Name: v\r\n\r\n";
    tcp.write_all(request.repeat(3).as_bytes()).await.expect("written");
    let requests = within("3 requests", simulator.wait_for_requests(3)).await;
    assert!(requests.iter().all(|request| request.header("x-name") == Some("v")), "{requests:?}");
}

#[tokio::test]
async fn a_commit_names_what_was_changed_and_reads_are_none() {
    let simulator = Simulator::start().await.expect("a simulator");
    let client = Client::new(&simulator);
    let account = simulator.account();
    let id = simulator.add_token(account, "changed").token.id;
    for operation in [Operation::Get, Operation::Update, Operation::Refresh, Operation::Rotate, Operation::Delete] {
        client.operate(operation, account, &id, &body(operation)).await.result();
    }
    client.list(account, "").await.result();
    client.delete(account, &id).await.failure();
    let changing = [Operation::Update, Operation::Refresh, Operation::Rotate, Operation::Delete];
    let commits = simulator.commits();
    assert_eq!(commits.iter().map(|commit| commit.operation).collect::<Vec<_>>(), changing);
    assert!(commits.iter().all(|commit| commit.scope == *account && commit.token_id == id), "{commits:?}");
    let committed: Vec<_> = simulator.requests().iter().map(|request| request.committed).collect();
    assert_eq!(committed, [false, true, true, true, true, false, false]);
}

#[tokio::test]
async fn a_fault_is_recorded_with_its_request() {
    let simulator = Simulator::start().await.expect("a simulator");
    let client = Client::new(&simulator);
    simulator.inject(Fault::new(FaultKind::error(503, 1000, "later")).after_commit());
    client.send("POST", &path(Operation::Create, simulator.account(), ""), &body(Operation::Create)).await;
    let recorded = within("the next request", simulator.next_request()).await;
    assert_eq!((recorded.fault, recorded.committed), (Some(FaultName::Error), true));
}

#[tokio::test]
async fn connections_are_numbered_and_a_kept_one_keeps_its_number() {
    let simulator = Simulator::start().await.expect("a simulator");
    let client = Client::new(&simulator);
    let get = || client.request("GET", &path(Operation::List, simulator.account(), ""), "");
    let mut first = connect(&simulator).await;
    send_on(&mut first, get()).await.expect("an answer");
    let mut second = connect(&simulator).await;
    send_on(&mut second, get()).await.expect("an answer");
    send_on(&mut first, get()).await.expect("an answer");
    let numbers: Vec<_> = simulator.requests().iter().map(|request| request.connection).collect();
    assert_eq!(numbers, [1, 2, 1]);
    assert_eq!((simulator.connections(), simulator.open_connections()), (2, 2));
    let gone = simulator.wait_for_open_connections(0);
    assert!(tokio::time::timeout(Duration::ZERO, gone).await.is_err(), "both are still open");
    drop((first, second));
    within("the end of every connection", simulator.wait_for_open_connections(0)).await;
    assert_eq!(simulator.connections(), 2);
}

#[tokio::test]
async fn the_peak_is_the_most_requests_that_waited_at_once() {
    let simulator = Simulator::start().await.expect("a simulator");
    let client = Client::new(&simulator);
    simulator.hold_answers(1..=3);
    let list = || client.list(simulator.account(), "");
    tokio::join!(list(), list(), list());
    assert_eq!(simulator.peak_requests_in_flight(), 3);
    simulator.clear_requests();
    list().await;
    list().await;
    assert_eq!(simulator.peak_requests_in_flight(), 1);
}

#[tokio::test]
async fn held_answers_come_when_the_last_request_has_come_or_all_are_forgotten() {
    let simulator = Simulator::start().await.expect("a simulator");
    let client = Client::new(&simulator);
    for is_forgotten in [false, true] {
        simulator.clear_requests();
        simulator.hold_answers(2..=3);
        client.list(simulator.account(), "").await.result();
        let held = async {
            client.list(simulator.account(), "").await.result();
            simulator.request_count()
        };
        let last = async {
            within("2 requests", simulator.wait_for_requests(2)).await;
            if is_forgotten {
                simulator.clear_requests();
            } else {
                client.list(simulator.account(), "").await.result();
            }
        };
        let (count, ()) = tokio::join!(held, last);
        assert_eq!(count, if is_forgotten { 0 } else { 3 });
    }
}

#[tokio::test]
async fn clearing_forgets_and_counting_starts_again() {
    let simulator = Simulator::start().await.expect("a simulator");
    let client = Client::new(&simulator);
    client.create(simulator.account(), json!({"name": "forgotten"})).await;
    simulator.clear_requests();
    assert_eq!((simulator.requests(), simulator.commits(), simulator.request_count()), (vec![], vec![], 0));
    client.create(simulator.zone(), json!({"name": "kept"})).await;
    assert_eq!(within("the next request", simulator.next_request()).await.json(), json!({"name": "kept"}));
    assert_eq!((simulator.commits().len(), simulator.request_count()), (1, 1));
}

#[tokio::test]
async fn a_change_under_way_while_requests_are_cleared_marks_no_other_request() {
    let simulator = Simulator::start().await.expect("a simulator");
    let client = Client::new(&simulator);
    let account = simulator.account();
    simulator.inject(FaultKind::Delay { duration: Duration::from_millis(50) });
    let slow = client.create(account, json!({"name": "slow"}));
    let meanwhile = async {
        within("the next request", simulator.next_request()).await;
        simulator.clear_requests();
        client.list(account, "").await
    };
    tokio::join!(slow, meanwhile);
    assert_eq!(simulator.commits().len(), 1);
    assert!(!simulator.requests()[0].committed);
}

#[tokio::test]
async fn recording_can_be_bounded_and_switched_off() {
    let bounded = Simulator::builder().record_limit(2).start().await.expect("a simulator");
    let off = Simulator::builder().record_requests(false).start().await.expect("a simulator");
    for name in ["a", "b", "c"] {
        for simulator in [&bounded, &off] {
            Client::new(simulator).create(simulator.account(), json!({"name": name})).await;
        }
    }
    let kept: Vec<_> =
        bounded.requests().iter().map(|request| (request.json()["name"].clone(), request.committed)).collect();
    assert_eq!(kept, [(json!("b"), true), (json!("c"), true)]);
    assert_eq!((bounded.request_count(), bounded.commits().len()), (3, 2));
    assert_eq!(within("the next request", bounded.next_request()).await.json(), json!({"name": "b"}));
    assert_eq!(within("the next request", bounded.next_request()).await.json(), json!({"name": "c"}));
    assert_eq!((off.requests(), off.commits(), off.request_count()), (vec![], vec![], 3));
    within("3 requests", off.wait_for_requests(3)).await;
}

/// Whether a secret passes at a time, computed from the log of commits alone.
fn passes(commits: &[Commit], version: u32, at: &str) -> bool {
    let Some(last) = commits.iter().rfind(|commit| commit.at.as_str() <= at) else { return false };
    let is_current = last.client_secret_version == version;
    let is_previous = last.client_secret_version == version + 1
        && last.previous_client_secret_expires_at.as_deref().is_some_and(|end| at < end);
    last.operation != Operation::Delete && last.enabled && at < last.expires_at.as_str() && (is_current || is_previous)
}

#[tokio::test]
async fn the_log_of_commits_tells_which_pairs_passed_when() {
    let start = time::macros::datetime!(2026-01-01 00:00:00 UTC);
    let simulator = Simulator::builder().clock_stands_at(start).start().await.expect("a simulator");
    let (client, account) = (Client::new(&simulator), simulator.account().clone());
    let created = client.create(&account, json!({"name": "logged", "duration": "72h"})).await.result();
    let id = created["id"].as_str().expect("an id").to_owned();
    let client_id = created["client_id"].as_str().expect("a client id").to_owned();
    let mut secrets = vec![created["client_secret"].as_str().expect("a secret").to_owned()];
    for hour in 0..80 {
        match hour {
            10 => {
                let end = simulator.timestamp_in(Duration::from_hours(20));
                let body = json!({"previous_client_secret_expires_at": end}).to_string();
                let rotated = client.rotate(&account, &id, &body).await.result();
                secrets.push(rotated["client_secret"].as_str().expect("a secret").to_owned());
            }
            40 | 50 => {
                client.update(&account, &id, json!({"enabled": hour == 50})).await.result();
            }
            _ => {}
        }
        let (now, commits) = (simulator.timestamp_in(Duration::ZERO), simulator.commits());
        for (version, secret) in (1..).zip(&secrets) {
            let is_let_in = simulator.authenticate(&client_id, secret).is_ok();
            assert_eq!(passes(&commits, version, &now), is_let_in, "version {version} at {now}: {commits:?}");
        }
        simulator.advance(Duration::from_hours(1));
    }
}
