//! Every fault: what arrives at the client, and what has changed, over every operation that exists.

use std::time::Duration;

use cloudflare_access_simulator::{Commits, Fault, FaultKind, Moment, Operation, Scope, ScopeKind, Simulator, Wait};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Client, body, connect, path, send_on};
use crate::within::within;

/// What a client saw of an answer.
struct Seen {
    bytes: Vec<u8>,
    end: End,
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum End {
    Closed,
    Reset,
    /// The server still had the connection open when the client went.
    Held,
}

/// An HTTP answer in the bytes.
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

#[tokio::test]
async fn every_fault_does_what_it_says_to_every_operation_before_and_after_the_commit() {
    let simulator = Simulator::builder().zones_like_accounts().quota(usize::MAX).start().await.expect("a simulator");
    let scopes = [simulator.account().clone(), simulator.zone().clone()];
    for kind in FaultKind::all().into_iter().map(quick) {
        for scope in &scopes {
            for operation in Operation::ALL.into_iter().filter(|operation| operation.exists_for(scope.kind())) {
                for moment in kind.moments() {
                    check(&simulator, &kind, scope, operation, *moment).await;
                }
            }
        }
    }
}

/// The kind with values that take no time.
fn quick(kind: FaultKind) -> FaultKind {
    match kind {
        FaultKind::DripHead { .. } => FaultKind::DripHead { interval: Duration::ZERO },
        FaultKind::DripBody { .. } => FaultKind::DripBody { interval: Duration::ZERO },
        FaultKind::Delay { .. } => FaultKind::Delay { duration: Duration::from_millis(2) },
        FaultKind::LargeBody { .. } => FaultKind::LargeBody { bytes: 1 << 20 },
        FaultKind::LongList { .. } => FaultKind::LongList { tokens: 300 },
        other => other,
    }
}

async fn check(simulator: &Simulator, kind: &FaultKind, scope: &Scope, operation: Operation, moment: Moment) {
    let id = simulator.add_token(scope, "met by a fault").token.id;
    let before = simulator.tokens(scope);
    simulator.advance(Duration::from_secs(1));
    simulator.clear_requests();
    simulator.inject(Fault::new(kind.clone()).on(operation).under(scope.kind()).at(moment));

    let argument = if operation == Operation::List { "?per_page=2" } else { &id };
    let seen = exchange(simulator, kind, operation, &path(operation, scope, argument)).await;

    let place = format!("{kind:?} {operation} {scope:?} {moment:?}");
    let happens = operation.changes() && (moment == Moment::AfterCommit || matches!(kind, FaultKind::Delay { .. }));
    assert_eq!(simulator.commits().len(), usize::from(happens), "{place}");
    assert_eq!(simulator.tokens(scope) != before, happens, "{place}");
    let requests = simulator.requests();
    assert_eq!(requests.len(), 1, "{place}");
    assert_eq!((requests[0].fault, requests[0].committed), (Some(kind.name()), happens), "{place}");
    assert_eq!(simulator.faults(), [], "{place}");
    check_seen(kind, operation, &seen, &place);
}

/// Sends one request on a connection of its own and reads what comes, for a fault that holds only what is to come.
async fn exchange(simulator: &Simulator, kind: &FaultKind, operation: Operation, target: &str) -> Seen {
    let mut tcp = TcpStream::connect(simulator.address()).await.expect("a connection");
    let token = cloudflare_access_simulator::API_TOKEN;
    let body = body(operation);
    let request = format!(
        "{} {target} HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        operation.method(),
        body.len()
    );
    tcp.write_all(request.as_bytes()).await.expect("written");
    let mut bytes = Vec::new();
    let held_after: fn(&[u8]) -> bool = match kind {
        FaultKind::NeverAnswer => |_| true,
        FaultKind::StallAfterHead => |bytes| bytes.ends_with(b"\r\n\r\n"),
        FaultKind::StallInBody => |bytes| Answer::read(bytes).is_some_and(|a| a.body.len() == a.length() / 2),
        _ => |_| false,
    };
    within("a request", simulator.wait_for_requests(1)).await;
    let end = loop {
        if held_after(&bytes) {
            break End::Held;
        }
        match within("bytes, or the end of the connection", tcp.read_buf(&mut bytes)).await {
            Ok(0) => break End::Closed,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break End::Reset,
            Err(error) => panic!("{error}"),
        }
    };
    drop(tcp);
    within("the end of every connection", simulator.wait_for_open_connections(0)).await;
    Seen { bytes, end }
}

fn check_seen(kind: &FaultKind, operation: Operation, seen: &Seen, place: &str) {
    let end = match kind {
        FaultKind::Reset => End::Reset,
        FaultKind::NeverAnswer | FaultKind::StallAfterHead | FaultKind::StallInBody => End::Held,
        _ => End::Closed,
    };
    assert_eq!(seen.end, end, "{place}");
    match kind {
        FaultKind::Close | FaultKind::Reset | FaultKind::NeverAnswer => {
            return assert!(seen.bytes.is_empty(), "{place}");
        }
        FaultKind::NotHttp => return assert!(!seen.bytes.starts_with(b"HTTP"), "{place}"),
        FaultKind::RawBytes { bytes } => return assert_eq!(seen.bytes, bytes.0, "{place}"),
        FaultKind::CloseInHead => {
            assert!(seen.bytes.starts_with(b"HTTP/1.1 2"), "{place}");
            return assert!(Answer::read(&seen.bytes).is_none(), "{place}");
        }
        _ => {}
    }
    let answer = Answer::read(&seen.bytes).unwrap_or_else(|| panic!("{place}: {:?}", seen.text()));
    assert!(answer.header("date").is_some(), "{place}");
    let has_ray = !matches!(kind, FaultKind::Response { .. });
    assert_eq!(answer.header("cf-ray").is_some(), has_ray, "{place}");
    let is_cut = matches!(kind, FaultKind::TruncatedBody | FaultKind::StallAfterHead | FaultKind::StallInBody);
    if !matches!(kind, FaultKind::CutChunks | FaultKind::EmptyBody { status: 204 }) {
        assert_eq!(answer.body.len() < answer.length(), is_cut, "{place}");
    }
    check_answer(kind, operation, &answer, place);
    if kind.answer_is_whole() {
        let result = &answer.json()["result"];
        let token = if operation == Operation::List { &result[0] } else { result };
        assert!(token["id"].is_string(), "{place}: {token}");
    }
}

#[expect(clippy::too_many_lines, reason = "one arm per kind")]
fn check_answer(kind: &FaultKind, operation: Operation, answer: &Answer, place: &str) {
    let right_status = if operation == Operation::Create { 201 } else { 200 };
    let is = |status: u16| assert_eq!(answer.status, status, "{place}");
    let first_error = || answer.json()["errors"][0].clone();
    match kind {
        FaultKind::Error { status, code, message } => {
            is(*status);
            assert_eq!(first_error(), json!({"code": code, "message": message}), "{place}");
        }
        FaultKind::InternalError => {
            is(403);
            assert_eq!(first_error(), json!({"code": 10001, "message": "internal error"}), "{place}");
        }
        FaultKind::ErrorChain => {
            is(400);
            assert_eq!(first_error()["error_chain"][0]["code"], 6111, "{place}");
        }
        FaultKind::RateLimited { wait } => {
            is(429);
            assert_eq!(first_error()["code"], 971, "{place}");
            let (retry_after, ratelimit) = (answer.header("retry-after"), answer.header("ratelimit"));
            let expected = match wait {
                Wait::Unsaid => (None, None),
                Wait::Seconds(seconds) => (Some(seconds.to_string()), None),
                Wait::DateAfterSeconds(_) => {
                    assert!(retry_after.is_some_and(|date| date.ends_with(" GMT")), "{place}");
                    (retry_after.map(str::to_owned), None)
                }
                Wait::Text(text) => (Some(text.clone()), None),
                Wait::RatelimitHeader(seconds) => (None, Some(format!("\"default\";r=0;t={seconds}"))),
            };
            assert_eq!((retry_after, ratelimit), (expected.0.as_deref(), expected.1.as_deref()), "{place}");
        }
        FaultKind::UnsuccessfulOk => {
            is(200);
            assert_eq!(answer.json()["success"], false, "{place}");
        }
        FaultKind::FlatError { status } => {
            is(*status);
            assert_eq!(answer.json(), json!({"code": 1000, "message": "flat error"}), "{place}");
        }
        FaultKind::NullErrors { status } => {
            is(*status);
            assert_eq!(answer.json()["errors"], Value::Null, "{place}");
        }
        FaultKind::StringCodes { status } => {
            is(*status);
            assert_eq!(first_error()["code"], "7000", "{place}");
        }
        FaultKind::MissingKeys { status } => {
            is(*status);
            assert_eq!(answer.json(), json!({"success": false, "errors": [{"message": "no code"}]}), "{place}");
        }
        FaultKind::Response { status, body, .. } => {
            is(*status);
            assert_eq!(answer.body, body.0, "{place}");
            let names: Vec<_> = answer.headers.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["content-type", "date", "connection", "content-length"], "{place}");
        }
        FaultKind::HtmlPage { status } => {
            is(*status);
            assert_eq!(answer.header("content-type"), Some("text/html; charset=UTF-8"), "{place}");
            assert!(answer.text().contains(&format!("<title>api.cloudflare.com | {status}: ")), "{place}");
        }
        FaultKind::EmptyBody { status } => {
            is(*status);
            assert!(answer.body.is_empty(), "{place}");
        }
        FaultKind::NullBody { status } => {
            is(*status);
            assert_eq!(answer.text(), "null", "{place}");
        }
        FaultKind::Redirect { status, location } => {
            is(*status);
            assert_eq!(answer.header("location"), Some(location.as_str()), "{place}");
        }
        FaultKind::NullResult => {
            is(right_status);
            assert_eq!((&answer.json()["success"], &answer.json()["result"]), (&json!(true), &Value::Null), "{place}");
        }
        FaultKind::Replaced { pointer, value } => {
            is(right_status);
            let found = answer.json().pointer(pointer).cloned();
            let is_there = (operation == Operation::List) == pointer.starts_with("/result_info");
            assert_eq!(found.as_ref() == Some(value), is_there, "{place}");
        }
        FaultKind::Missing { pointer } => {
            is(right_status);
            assert_eq!(answer.json().pointer(pointer), None, "{place}");
        }
        FaultKind::DuplicateKeys => {
            is(right_status);
            assert!(answer.text().contains("\"id\":\"first value\",\"id\":"), "{place}: {}", answer.text());
            let result = &answer.json()["result"];
            let token = if operation == Operation::List { &result[0] } else { result };
            assert_ne!(token["id"], "first value", "{place}");
        }
        FaultKind::InvalidUtf8 => {
            is(right_status);
            assert!(std::str::from_utf8(&answer.body).is_err(), "{place}");
        }
        FaultKind::NestedJson { depth } => {
            is(right_status);
            assert!(answer.text().contains(&format!("{}{}", "[".repeat(*depth), "]".repeat(*depth))), "{place}");
        }
        FaultKind::LongList { tokens } => {
            is(right_status);
            assert_eq!(answer.json()["result"].as_array().map(Vec::len), Some(*tokens), "{place}");
            assert_eq!(answer.json()["result_info"]["total_pages"], 1, "{place}");
        }
        FaultKind::EndlessList { tokens } => {
            is(right_status);
            assert_eq!(answer.json()["result"].as_array().map(Vec::len), Some(*tokens), "{place}");
            assert_eq!(answer.json()["result_info"]["total_pages"], 1_u64 << 31, "{place}");
        }
        FaultKind::LargeBody { bytes } => {
            is(right_status);
            assert_eq!(answer.body.len(), *bytes, "{place}");
        }
        FaultKind::LargeHead { bytes } => {
            is(right_status);
            let length: usize = answer.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
            assert!(length >= *bytes, "{place}");
        }
        FaultKind::NullMessageType => {
            is(right_status);
            assert_eq!(answer.json()["messages"][0].get("type"), Some(&Value::Null), "{place}");
        }
        FaultKind::ErrorsOnSuccess => {
            is(right_status);
            assert_eq!(first_error()["code"], 1000, "{place}");
        }
        FaultKind::TruncatedJson => {
            is(right_status);
            assert!(answer.body.starts_with(b"{\"result\":") && !answer.is_json(), "{place}");
        }
        FaultKind::GarbageJson => {
            is(right_status);
            assert_eq!(answer.header("content-type"), Some("application/json; charset=UTF-8"), "{place}");
            assert!(!answer.is_json(), "{place}");
        }
        FaultKind::TruncatedBody | FaultKind::StallInBody => {
            is(right_status);
            assert_eq!(answer.body.len(), answer.length() / 2, "{place}");
        }
        FaultKind::CutChunks => {
            is(right_status);
            assert_eq!(answer.header("transfer-encoding"), Some("chunked"), "{place}");
            let (length, chunk) =
                answer.text().split_once("\r\n").map(|(a, b)| (a.to_owned(), b.len())).expect("a chunk");
            assert_eq!(usize::from_str_radix(&length, 16).expect("a length") / 2, chunk, "{place}");
        }
        FaultKind::ContentTooLarge => is(413),
        FaultKind::StallAfterHead => {
            is(right_status);
            assert!(answer.body.is_empty(), "{place}");
        }
        FaultKind::DripHead { .. }
        | FaultKind::DripBody { .. }
        | FaultKind::CloseAfterAnswer
        | FaultKind::Delay { .. } => {
            is(right_status);
            assert_eq!(answer.json()["success"], true, "{place}");
        }
        FaultKind::Close
        | FaultKind::Reset
        | FaultKind::CloseInHead
        | FaultKind::NotHttp
        | FaultKind::RawBytes { .. }
        | FaultKind::NeverAnswer => {
            unreachable!("no answer")
        }
    }
}

impl Seen {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

impl Answer {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut headers = vec![httparse::EMPTY_HEADER; 2000];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(head) = response.parse(bytes).ok()? else { return None };
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        Some(Self {
            status: response.code?,
            headers: response.headers.iter().map(|header| (header.name.to_owned(), text(header.value))).collect(),
            body: bytes[head..].to_vec(),
        })
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// The announced length of the body.
    fn length(&self) -> usize {
        self.header("content-length").and_then(|length| length.parse().ok()).unwrap_or_default()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn is_json(&self) -> bool {
        serde_json::from_slice::<Value>(&self.body).is_ok()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

#[test]
fn a_kind_can_be_where_its_commits_say() {
    for kind in FaultKind::all() {
        let expected = match kind.commits() {
            Commits::Never => (true, false),
            Commits::Maybe => (true, true),
            Commits::Always => (false, true),
        };
        assert_eq!((kind.may_be_before_commit(), kind.may_be_after_commit()), expected, "{kind:?}");
        for moment in [Moment::BeforeCommit, Moment::AfterCommit] {
            let is_possible = Fault::new(kind.clone()).at(moment).check().is_ok();
            assert_eq!(is_possible, kind.moments().contains(&moment), "{kind:?} {moment:?}");
        }
        assert_eq!(Fault::new(kind.clone()).check(), Ok(()), "{kind:?}");
    }
}

#[test]
fn what_a_status_says_about_the_change() {
    let error = |status, code, message| FaultKind::error(status, code, message).commits();
    let other = |status| FaultKind::EmptyBody { status }.commits();
    assert_eq!(error(400, 12130, ""), Commits::Never);
    assert_eq!(error(409, 1000, ""), Commits::Never);
    assert_eq!(error(200, 1000, ""), Commits::Never);
    assert_eq!(error(408, 1000, ""), Commits::Maybe);
    assert_eq!(error(500, 1000, ""), Commits::Maybe);
    assert_eq!(error(500, 971, ""), Commits::Never);
    assert_eq!(error(403, 10001, "internal error"), Commits::Maybe);
    assert_eq!(error(403, 10001, "Method not allowed for token"), Commits::Never);
    for (status, commits) in [
        (200, Commits::Maybe),
        (302, Commits::Never),
        (303, Commits::Maybe),
        (307, Commits::Never),
        (404, Commits::Never),
        (408, Commits::Maybe),
        (429, Commits::Never),
        (502, Commits::Maybe),
    ] {
        assert_eq!(other(status), commits, "{status}");
    }
}

#[tokio::test]
async fn a_fault_meets_only_its_operation_and_scope_after_what_it_skips_as_often_as_it_says() {
    let simulator = Simulator::start().await.expect("a simulator");
    let client = Client::new(&simulator);
    let busy = FaultKind::error(503, 1000, "busy");
    simulator.inject(Fault::new(busy).on(Operation::List).under(ScopeKind::Account).skipping(1).times(2));
    let mut statuses = Vec::new();
    for scope in [simulator.account(), simulator.zone(), simulator.account(), simulator.account(), simulator.account()]
    {
        statuses.push(client.list(scope, "").await.status);
        client.get(scope, "x").await.failure();
    }
    assert_eq!(statuses, [200, 200, 503, 503, 200]);
    assert_eq!(simulator.faults(), []);
}

#[tokio::test]
async fn faults_are_met_in_the_order_of_their_injection() {
    let simulator = Simulator::start().await.expect("a simulator");
    let client = Client::new(&simulator);
    for status in [500, 502, 503] {
        simulator.inject(FaultKind::error(status, 1000, "one after the other"));
    }
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(client.list(simulator.account(), "").await.status);
    }
    assert_eq!(statuses, [500, 502, 503, 200]);
}

#[tokio::test]
async fn a_fault_for_ever_ends_when_the_faults_are_cleared() {
    let simulator = Simulator::start().await.expect("a simulator");
    let client = Client::new(&simulator);
    simulator.inject(Fault::new(FaultKind::InternalError).forever());
    for _ in 0..3 {
        assert_eq!(client.list(simulator.account(), "").await.failure(), (403, 10001));
    }
    simulator.clear_faults();
    client.list(simulator.account(), "").await.result();
}

#[tokio::test]
#[should_panic(expected = "impossible fault: null-result at BeforeCommit")]
async fn a_fault_that_contradicts_itself_cannot_be_injected() {
    let simulator = Simulator::start().await.expect("a simulator");
    simulator.inject(Fault::new(FaultKind::NullResult).before_commit());
}

#[tokio::test]
async fn a_refused_request_stays_refused_when_the_fault_would_say_that_it_happened() {
    let simulator = Simulator::start().await.expect("a simulator");
    let client = Client::new(&simulator);
    for kind in FaultKind::all().into_iter().filter(|kind| kind.commits() == Commits::Always).map(quick) {
        simulator.inject(kind);
        assert_eq!(client.get(simulator.account(), "x").await.failure(), (404, 12135));
    }
}

#[tokio::test]
async fn a_client_that_goes_during_a_delay_before_the_commit_prevents_the_change() {
    let simulator = Simulator::start().await.expect("a simulator");
    let client = Client::new(&simulator);
    simulator.inject(FaultKind::Delay { duration: Duration::from_hours(1) });
    let mut connection = connect(&simulator).await;
    let request = client.request("POST", &path(Operation::Create, simulator.account(), ""), &body(Operation::Create));
    let answer = tokio::spawn(async move { send_on(&mut connection, request).await });
    within("a request", simulator.wait_for_requests(1)).await;
    answer.abort();
    within("the end of every connection", simulator.wait_for_open_connections(0)).await;
    assert_eq!(simulator.commits(), []);
    assert_eq!(simulator.tokens(simulator.account()), []);
}

#[tokio::test]
async fn a_delay_after_the_commit_has_changed_everything_while_the_client_waits() {
    let simulator = Simulator::start().await.expect("a simulator");
    let client = Client::new(&simulator);
    simulator.inject(Fault::new(FaultKind::Delay { duration: Duration::from_hours(1) }).after_commit());
    let mut connection = connect(&simulator).await;
    let request = client.request("POST", &path(Operation::Create, simulator.account(), ""), &body(Operation::Create));
    let answer = tokio::spawn(async move { send_on(&mut connection, request).await });
    within("a request", simulator.wait_for_requests(1)).await;
    client.list(simulator.account(), "").await.result();
    assert_eq!(simulator.commits().len(), 1);
    answer.abort();
    within("the end of every connection", simulator.wait_for_open_connections(0)).await;
}

#[tokio::test]
async fn a_dripping_answer_ends_when_the_client_goes() {
    let simulator = Simulator::start().await.expect("a simulator");
    for kind in [
        FaultKind::DripHead { interval: Duration::from_hours(1) },
        FaultKind::DripBody { interval: Duration::from_hours(1) },
    ] {
        simulator.inject(kind);
        let mut tcp = TcpStream::connect(simulator.address()).await.expect("a connection");
        let target = path(Operation::List, simulator.account(), "");
        tcp.write_all(format!("GET {target} HTTP/1.1\r\nhost: h\r\n\r\n").as_bytes()).await.expect("written");
        assert_eq!(within("the first byte", tcp.read_u8()).await.expect("the first byte"), b'H');
        drop(tcp);
        within("the end of every connection", simulator.wait_for_open_connections(0)).await;
    }
}

#[tokio::test]
async fn after_close_after_answer_the_next_request_on_the_connection_fails() {
    let simulator = Simulator::start().await.expect("a simulator");
    let client = Client::new(&simulator);
    simulator.inject(FaultKind::CloseAfterAnswer);
    let mut connection = connect(&simulator).await;
    let list = || client.request("GET", &path(Operation::List, simulator.account(), ""), "");
    let reply = send_on(&mut connection, list()).await.expect("an answer");
    assert_eq!((reply.status, reply.headers.get("connection")), (200, None));
    within("the end of every connection", simulator.wait_for_open_connections(0)).await;
    assert!(send_on(&mut connection, list()).await.is_err());
}

#[tokio::test]
async fn content_too_large_is_answered_before_the_body_and_can_still_be_read_after_it() {
    let simulator = Simulator::start().await.expect("a simulator");
    simulator.inject(FaultKind::ContentTooLarge);
    let mut tcp = TcpStream::connect(simulator.address()).await.expect("a connection");
    let target = path(Operation::Create, simulator.account(), "");
    let length = 4 << 20;
    let head = format!("POST {target} HTTP/1.1\r\nhost: h\r\ncontent-length: {length}\r\n\r\n");
    tcp.write_all(head.as_bytes()).await.expect("written");
    let mut answer = Vec::new();
    within("an answer", tcp.read_to_end(&mut answer)).await.expect("an answer before the body is sent");
    assert_eq!(Answer::read(&answer).expect("an answer").status, 413);
    tcp.write_all(&vec![b' '; length]).await.expect("the body is taken");
    let recorded = within("the next request", simulator.next_request()).await;
    assert_eq!(recorded.body, b"");
}

#[tokio::test]
async fn what_is_pretended_before_the_commit_is_not_what_the_next_commit_makes() {
    let simulator = Simulator::start().await.expect("a simulator");
    let client = Client::new(&simulator);
    simulator.inject(FaultKind::TruncatedJson);
    let operation = Operation::Create;
    let half = client.send("POST", &path(operation, simulator.account(), ""), &body(operation)).await;
    let half = String::from_utf8_lossy(&half.body).into_owned();
    let created = client.create(simulator.account(), json!({"name": "real"})).await.result();
    for made in ["id", "client_id", "client_secret"] {
        assert!(half.contains(made), "{half}");
        assert!(!half.contains(created[made].as_str().expect("a text")), "{made}");
    }
}

#[tokio::test]
async fn an_endless_list_has_new_tokens_on_the_page_that_is_asked_for() {
    let simulator = Simulator::start().await.expect("a simulator");
    let client = Client::new(&simulator);
    simulator.inject(Fault::new(FaultKind::EndlessList { tokens: 3 }).forever());
    let mut ids = std::collections::HashSet::new();
    for page in [1, 2, 900] {
        let answer = client.list(simulator.account(), &format!("?page={page}")).await.json();
        assert_eq!(answer["result_info"]["page"], page);
        ids.extend(answer["result"].as_array().expect("a list").iter().map(|token| token["id"].to_string()));
    }
    assert_eq!(ids.len(), 9);
}

#[tokio::test]
async fn the_date_in_retry_after_is_counted_from_the_date_of_the_answer() {
    let start = time::macros::datetime!(2026-01-01 00:00:00 UTC);
    let simulator = Simulator::builder().clock_stands_at(start).start().await.expect("a simulator");
    let client = Client::new(&simulator);
    for (seconds, date) in [(90, "Thu, 01 Jan 2026 00:01:30 GMT"), (-1, "Wed, 31 Dec 2025 23:59:59 GMT")] {
        simulator.inject(FaultKind::RateLimited { wait: Wait::DateAfterSeconds(seconds) });
        assert_eq!(client.list(simulator.account(), "").await.header("retry-after"), date);
    }
}
