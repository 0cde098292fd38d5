//! A server that sends the credential back does not get it into an error, a report, an id, a span or a log.
//!
//! One test alone in its program, because what is enabled in `tracing` is decided for a whole process.

mod log;

use std::fmt::{Debug, Display};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use cloudflare_access_host::{
    AccessTokens, Account, CallOptions, CodeCache, CreateParams, Credentials, ListAllParams, ListParams,
    PreviousSecret, Runtime, Tokens, UpdateParams,
};
use serde_json::{Value, json};
use tracing::instrument::WithSubscriber;

use crate::log::Log;

const TOKEN: &str = "cfut_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcd1234";
const KEY: &str = "0123456789abcdef0123456789abcdef01234";
const EMAIL: &str = "operator@example.com";
/// How many functions the two interfaces have.
const FUNCTIONS: usize = 19;
/// How many answers had the credential in them.
static SENT_BACK: AtomicUsize = AtomicUsize::new(0);

/// Where the server puts what it has got.
#[derive(Clone, Copy, Debug)]
enum Echo {
    /// Into every text of a refusal.
    Refusal,
    /// Into the ids of tokens that it shows, and into the refusal of every change.
    RefusedChange,
    /// Into the ids of tokens in answers that cannot be used.
    UnusableAnswer,
}

/// The credential of a request, or of both its headers.
fn sent_back(headers: &HeaderMap) -> String {
    let value = |name| headers.get(name).map(|value| value.to_str().unwrap());
    let both = || Some(format!("{} {}", value("x-auth-email")?, value("x-auth-key")?));
    value("authorization").map(str::to_owned).or_else(both).expect("a credential")
}

async fn answer(State(echo): State<Echo>, request: Request) -> Response {
    let sent = sent_back(request.headers());
    let id = sent.rsplit(' ').next().unwrap_or_default();
    // The whole of it, and a part that has the form of a ray id.
    let ray_id = if id == KEY { format!("{}-AMS", &KEY[3..19]) } else { id.to_owned() };
    let token = |id: &str| json!({"id": id, "name": "CI", "expires_at": "2020-01-01T00:00:00Z"});
    let is_list = request.uri().path().ends_with("/service_tokens");
    let (status, body) = match (echo, request.method()) {
        (Echo::RefusedChange, &Method::GET) => {
            (200, success(&if is_list { json!([token(id), token(&format!("x{id}"))]) } else { token(id) }))
        }
        (Echo::Refusal | Echo::RefusedChange, _) => (400, refusal(&sent)),
        (Echo::UnusableAnswer, _) => (200, success(&json!({"id": id, "client_secret": 7}))),
    };
    let body = body.to_string();
    if body.contains(id) {
        SENT_BACK.fetch_add(1, Ordering::SeqCst);
    }
    let status = StatusCode::from_u16(status).unwrap();
    (status, [("cf-ray", ray_id.as_str()), ("content-type", "application/json")], body).into_response()
}

fn success(result: &Value) -> Value {
    json!({"success": true, "errors": [], "messages": [], "result": result})
}

fn refusal(sent: &str) -> Value {
    let cut = format!("{}{sent}", "x".repeat(470)); // the component cuts it in the middle of the credential
    json!({"success": false, "result": null, "errors": [
        {
            "code": 1000, "message": format!("bad header {sent}"), "documentation_url": format!("https://evil.example/?{sent}"),
            "source": {"pointer": format!("/{sent}")}, "error_chain": [{"code": 1001, "message": format!("caused by {sent}")}],
        },
        {"code": 1000, "message": cut},
    ]})
}

async fn server(echo: Echo) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/client/v4", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(echo);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// All that a result shows.
fn shown<T: Debug, E: Debug + Display>(result: Result<T, E>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{error} {error:?}"),
    }
}

/// What every function of both interfaces returns.
async fn of_every_function(account: &Tokens<Account>) -> [(&'static str, String); FUNCTIONS] {
    let (id, day) = ("f174e90a-fafe-4643-bbbc-4a0ed4fc8415", Duration::from_hours(24));
    let new = || CreateParams::named("CI");
    [
        ("list", shown(account.list(ListParams::new()).await)),
        ("list-all", shown(account.list_all(ListAllParams::new()).await)),
        ("get", shown(account.get(id).await)),
        ("create", shown(account.create(new()).await)),
        ("update", shown(account.update(id, UpdateParams::new().client_secret_version(2)).await)),
        ("delete", shown(account.delete(id).await)),
        ("refresh", shown(account.refresh(id).await)),
        ("rotate", shown(account.rotate(id, PreviousSecret::ExpiresNow).await)),
        ("expiring", shown(account.expiring(day).await)),
        ("refresh-expiring", shown(account.refresh_expiring(day).await)),
        ("rotate-with-overlap", shown(account.rotate_with_overlap(id, day).await)),
        ("end-overlap", shown(account.end_overlap(id).await)),
        ("extend-overlap", shown(account.extend_overlap(id, day).await)),
        ("find", shown(account.find("CI").await)),
        ("ensure", shown(account.ensure(new()).await)),
        ("issue", shown(account.issue(new(), None).await)),
        ("resolve-create", shown(account.resolve_create("CI", "2019-01-01T00:00:00Z").await)),
        ("disable", shown(account.disable(id).await)),
        ("enable", shown(account.enable(id).await)),
    ]
}

/// Whether a text has a credential or a part of one that is worth having.
fn gives_away(text: &str, credential: &str) -> bool {
    credential.as_bytes().windows(12).any(|part| text.contains(str::from_utf8(part).unwrap()))
}

#[tokio::test]
async fn what_a_server_sends_back_of_the_credential_is_taken_out_of_all_that_a_call_shows() {
    let code_cache = CodeCache::Folder(concat!(env!("CARGO_TARGET_TMPDIR"), "/code-cache/wasmtime").into());
    let runtime = Runtime::builder().cache(code_cache).build().unwrap();
    let log = Log::default();
    let calls = async {
        let mut calls = 0;
        for credentials in [Credentials::api_token(TOKEN), Credentials::api_key(EMAIL, KEY)] {
            for echo in [Echo::Refusal, Echo::RefusedChange, Echo::UnusableAnswer] {
                let access = AccessTokens::builder()
                    .credentials(credentials.clone())
                    .base_url(server(echo).await.parse().unwrap())
                    .runtime(runtime.clone())
                    .options(CallOptions::new().timeout(Duration::from_millis(700)).max_retries(0))
                    .build()
                    .unwrap();
                let before = SENT_BACK.load(Ordering::SeqCst);
                let results = of_every_function(&access.account("a")).await;
                let sent_back = SENT_BACK.load(Ordering::SeqCst) - before;
                assert!(sent_back >= FUNCTIONS, "{echo:?}: {sent_back} answers had the credential");
                for (function, shown) in results {
                    for secret in [TOKEN, KEY] {
                        assert!(!gives_away(&shown, secret), "{function} with {echo:?}: {shown}");
                    }
                    assert!(!shown.contains(EMAIL), "{function} with {echo:?}: {shown}");
                    // What comes back shows where it was.
                    let least = match (echo, function) {
                        (Echo::Refusal, _) => 5,
                        (Echo::RefusedChange, "list" | "find") => 1,
                        // The component itself shows no id that is none.
                        _ => 0,
                    };
                    assert!(shown.matches("[redacted]").count() >= least, "{function} with {echo:?}: {shown}");
                    calls += 1;
                }
            }
        }
        calls
    };
    let calls = calls.with_subscriber(log.subscriber()).await;
    assert_eq!(calls, 2 * 3 * FUNCTIONS);
    let log = log.text();
    let closed: Vec<&str> = log.lines().filter(|line| line.contains(": close ")).collect();
    assert_eq!(closed.len(), calls, "{log}");
    assert!(closed.iter().all(|span| span.contains("status=") && !span.contains("ray_id=")), "{log}");
    assert!(!gives_away(&log, TOKEN) && !gives_away(&log, KEY) && !log.contains(EMAIL), "{log}");
}
