//! Answers that are broken, or somebody else's: each has its error, with the status and the ray id where they came, on one line,
//! and says of a `create` no more than is known.

use cloudflare_access_host_tests::types::{Error, ErrorKind, Outcome, RequestOptions};
use cloudflare_access_host_tests::{Action, Done, Host, Instance, RawServer, code_cache, options, within};
use cloudflare_access_simulator::{Fault, FaultKind, Simulator};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How often a connection is closed between two requests.
const ROUNDS: usize = 20;
const RAY: &str = "9f1c2ab34cd56ef7-AMS";

async fn setting() -> (Simulator, Instance, RequestOptions) {
    let simulator = Simulator::start().await.expect("a simulator");
    let options = options(&simulator);
    (simulator, Host::shared().instance().await, options)
}

/// The error of a `create` that is answered with these bytes, how many requests there were, and whether the instance works.
async fn answered(bytes: Vec<u8>) -> (Result<Done, Error>, usize) {
    let server = RawServer::start(move |_| bytes.clone()).await;
    let (simulator, mut plugin, good) = setting().await;
    let bad = RequestOptions { base_url: Some(server.base_url()), max_retries: Some(2), ..good.clone() };
    let result = Action::Create.call(&mut plugin, simulator.account(), "", &bad).await;
    Action::List.call(&mut plugin, simulator.account(), "", &good).await.expect("it works afterwards");
    (result, server.requests())
}

/// An answer with a ray id and a length.
fn http(status: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes =
        format!("HTTP/1.1 {status} x\r\ncf-ray: {RAY}\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn every_broken_answer_has_its_error() {
    use ErrorKind::{Connection, InvalidResponse, Rejected, Unavailable};
    use Outcome::{Applied, NotApplied, Unknown};
    let long =
        |body: &str| format!("HTTP/1.1 201 x\r\ncf-ray: {RAY}\r\ncontent-length: 500\r\n\r\n{body}").into_bytes();
    let whole = |body: &str| http(201, body.as_bytes());
    for (what, bytes, kind, outcome, status, text) in [
        (
            "truncated JSON",
            whole(r#"{"success":true,"result":{"id":"x","cli"#),
            InvalidResponse,
            Unknown,
            Some(201),
            "JSON that ends too early",
        ),
        (
            "truncated wire",
            long(r#"{"success":true,"#),
            Connection,
            Unknown,
            Some(201),
            "broke in the middle of the answer",
        ),
        (
            "a chunk cut short",
            format!("HTTP/1.1 201 x\r\ncf-ray: {RAY}\r\ntransfer-encoding: chunked\r\n\r\nff\r\n{{").into(),
            Connection,
            Unknown,
            Some(201),
            "broke in the middle",
        ),
        (
            "a chunk of no size",
            format!("HTTP/1.1 201 x\r\ncf-ray: {RAY}\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n").into(),
            Connection,
            Unknown,
            Some(201),
            "broke in the middle",
        ),
        (
            "garbage as JSON",
            http(201, &(0..=255).collect::<Vec<u8>>()),
            InvalidResponse,
            Unknown,
            Some(201),
            "not JSON",
        ),
        ("bytes that are not HTTP", b"\x16\x03\x01\x02\x00".to_vec(), Connection, Unknown, None, "was not HTTP"),
        ("SSH", b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), Connection, Unknown, None, "was not HTTP"),
        ("nothing", Vec::new(), Connection, Unknown, None, "broke before the answer"),
        ("half a head", b"HTTP/1.1 201 x\r\ncf-".to_vec(), Connection, Unknown, None, "broke before the answer"),
        ("an empty 200", http(200, b""), InvalidResponse, Unknown, Some(200), "an empty body"),
        ("blanks", http(200, b" \r\n\t"), InvalidResponse, Unknown, Some(200), "an empty body"),
        (
            "HTML with 200",
            http(200, b"<!DOCTYPE html><title>hi</title>"),
            InvalidResponse,
            Unknown,
            Some(200),
            "not JSON",
        ),
        (
            "HTML with 520",
            http(520, b"<!DOCTYPE html>"),
            Unavailable,
            Unknown,
            Some(520),
            "520 Cloudflare: unknown error",
        ),
        ("HTML with 403", http(403, b"<!DOCTYPE html>"), InvalidResponse, NotApplied, Some(403), "403 Forbidden"),
        ("a null body", whole("null"), InvalidResponse, Unknown, Some(201), "not this API's"),
        ("a null result", whole(r#"{"success":true,"result":null}"#), InvalidResponse, Applied, Some(201), "no result"),
        ("no result", whole(r#"{"success":true}"#), InvalidResponse, Applied, Some(201), "no result"),
        (
            "a list for a token",
            whole(r#"{"success":true,"result":[]}"#),
            InvalidResponse,
            Applied,
            Some(201),
            "not a token",
        ),
        (
            "no secret",
            whole(r#"{"success":true,"result":{"id":"x"}}"#),
            InvalidResponse,
            Applied,
            Some(201),
            "no client_secret",
        ),
        (
            "two secrets",
            whole(r#"{"success":true,"result":{"id":"x","client_secret":"a","client_secret":"b"}}"#),
            InvalidResponse,
            Applied,
            Some(201),
            "two values for client_secret",
        ),
        (
            "two verdicts",
            whole(r#"{"success":true,"success":false,"result":{"id":"x","client_secret":"a"}}"#),
            InvalidResponse,
            Unknown,
            Some(201),
            "not this API's",
        ),
        (
            "a verdict in text",
            whole(r#"{"success":"true","result":{"id":"x","client_secret":"a"}}"#),
            InvalidResponse,
            Unknown,
            Some(201),
            "not this API's",
        ),
        (
            "invalid UTF-8",
            http(201, b"{\"success\":true,\"result\":{\"id\":\"\xff\",\"client_secret\":\"a\"}}"),
            InvalidResponse,
            Unknown,
            Some(201),
            "not JSON",
        ),
        (
            "half a surrogate",
            whole(r#"{"success":true,"result":{"id":"\ud83d","client_secret":"a"}}"#),
            InvalidResponse,
            Applied,
            Some(201),
            "id",
        ),
        (
            "two answers in one",
            whole(r#"{"success":false,"errors":[{"message":"no"}]}{"success":true}"#),
            InvalidResponse,
            Unknown,
            Some(201),
            "not JSON",
        ),
        (
            "a yes under a no",
            http(400, br#"{"success":true,"result":{"id":"x","client_secret":"a"}}"#),
            Rejected,
            NotApplied,
            Some(400),
            "400 Bad Request",
        ),
        (
            "a no under a yes",
            whole(r#"{"success":false,"errors":[{"message":"no"}]}"#),
            Rejected,
            Unknown,
            Some(201),
            "the API says that it failed",
        ),
    ] {
        let (result, requests) = answered(bytes).await;
        let error = result.expect_err(what);
        assert_eq!((error.kind, error.outcome, error.status), (kind, outcome, status), "{what}: {}", error.message);
        assert!(error.message.contains(text), "{what}: {}", error.message);
        assert_eq!(error.message.lines().count(), 1, "{what}");
        assert_eq!(error.ray_id.as_deref(), status.map(|_| RAY), "{what}");
        assert_eq!((requests, error.attempts), (1, 1), "{what}");
        assert!(error.token_id.is_none_or(|id| id == "x"), "{what}");
    }
}

#[tokio::test]
async fn a_value_of_the_wrong_type_costs_no_other_and_never_the_secret() {
    let fields = ["client_id", "name", "duration", "enabled", "expires_at", "created_at", "updated_at", "last_seen_at"];
    let numbers = ["client_secret_version", "previous_client_secret_expires_at"];
    for field in fields.into_iter().chain(numbers) {
        for value in ["[1]", "{\"a\":null}", "1e999", "-7.5"] {
            let body = format!(r#"{{"success":true,"result":{{"id":"x","{field}":{value},"client_secret":"s"}}}}"#);
            let (result, _) = answered(http(201, body.as_bytes())).await;
            let Ok(Done::Issued(issued)) = result else { panic!("{field}: {result:?}") };
            assert_eq!(issued.client_secret, "s");
            assert_eq!(issued.token.additional_fields, [(field.to_owned(), value.to_owned())]);
        }
    }
    for (field, value) in [("id", "7"), ("client_secret", "[]")] {
        let body = r#"{"success":true,"result":{"id":"x","client_secret":"s"}}"#;
        let body = body.replace(if field == "id" { "\"x\"" } else { "\"s\"" }, value);
        let error = answered(http(201, body.as_bytes())).await.0.expect_err(field);
        assert_eq!((error.kind, error.outcome), (ErrorKind::InvalidResponse, Outcome::Applied));
        assert!(error.message.contains(&format!("the value of {field} is not text")), "{}", error.message);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_the_credential_stays() {
    for status in [301, 302, 303, 307, 308] {
        let (elsewhere, mut plugin, good) = setting().await;
        let simulator = Simulator::start().await.expect("a simulator");
        let location = format!("{}/accounts/{}/access/service_tokens", elsewhere.base_url(), elsewhere.account().id());
        simulator.inject(Fault::new(FaultKind::Redirect { status, location }).forever());
        let options = RequestOptions { base_url: Some(simulator.base_url().to_owned()), ..good };
        for action in [Action::Get, Action::Create] {
            let error = action.call(&mut plugin, simulator.account(), "x", &options).await.expect_err("a redirect");
            assert_eq!((error.kind, error.status), (ErrorKind::InvalidResponse, Some(status)));
            assert!(error.message.contains("redirects are not followed"), "{}", error.message);
        }
        assert_eq!((simulator.request_count(), elsewhere.connections()), (2, 0));
    }
}

#[tokio::test]
async fn a_413_that_comes_before_the_body_was_read_is_the_answer() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut head = Vec::new();
        while !head.windows(4).any(|window| window == b"\r\n\r\n") {
            assert!(stream.read_buf(&mut head).await.expect("bytes") > 0);
        }
        let body = br#"{"success":false,"errors":[{"code":1000,"message":"too large"}]}"#;
        stream.write_all(&http(413, body)).await.expect("the answer leaves");
        stream.shutdown().await.expect("closed for writing");
        // The body is read after that, so that no reset overtakes the answer.
        while stream.read_buf(&mut head).await.is_ok_and(|bytes| bytes > 0) {}
    });
    let (simulator, mut plugin, good) = setting().await;
    let options = RequestOptions { base_url: Some(format!("http://{address}")), ..good };
    let error = Action::Create.call(&mut plugin, simulator.account(), "", &options).await.expect_err("413");
    assert_eq!((error.kind, error.outcome, error.status), (ErrorKind::Rejected, Outcome::NotApplied, Some(413)));
    assert_eq!(error.api_errors[0].message, "too large");
    within("the end of the server", serving).await.expect("it read the whole request");
}

#[tokio::test]
async fn a_connection_closed_after_an_answer_spoils_no_next_call() {
    let (simulator, mut plugin, options) = setting().await;
    for _ in 0..3 {
        simulator.inject(FaultKind::CloseAfterAnswer);
        for action in [Action::List, Action::Create] {
            action.call(&mut plugin, simulator.account(), "", &options).await.expect("a whole answer");
        }
    }
    assert_eq!(simulator.tokens(simulator.account()).len(), 3);
}

#[tokio::test]
async fn a_connection_closed_between_requests_doubles_nothing_on_a_host_that_keeps_connections() {
    use cloudflare_access_host::{AccessTokens, CodeCache, CreateParams, Credentials, ListParams, Outcome, Runtime};
    let simulator = Simulator::start().await.expect("a simulator");
    let access = AccessTokens::builder()
        .credentials(Credentials::api_token(cloudflare_access_simulator::API_TOKEN))
        .base_url(simulator.base_url().parse().expect("a URL"))
        .runtime(Runtime::builder().cache(CodeCache::Folder(code_cache())).build().expect("a runtime"))
        .build()
        .expect("a host");
    let account = access.account(simulator.account().id());
    let mut failures = 0;
    for round in 0..ROUNDS {
        simulator.inject(FaultKind::CloseAfterAnswer);
        account.list(ListParams::default()).await.expect("a whole answer");
        assert!(simulator.faults().is_empty(), "round {round}: no connection was closed");
        // The host may or may not have seen yet that the connection is closed. If not, the request may be lost with it.
        let before = simulator.commits().len();
        let result = account.create(CreateParams::named("CI")).await;
        let made = simulator.commits().len() - before;
        if let Err(error) = result {
            assert!(made <= 1 && error.outcome == Outcome::Unknown, "round {round}: {error}");
            failures += 1;
            account.create(CreateParams::named("CI")).await.expect("the next call has a new connection");
        } else {
            assert_eq!(made, 1, "round {round}");
        }
    }
    assert!(
        failures < ROUNDS / 2,
        "{failures} of {ROUNDS} calls failed: the host hardly ever sees a closed connection"
    );
}
