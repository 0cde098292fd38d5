//! What a call tells `tracing`. Alone in its program, because what is enabled is decided for a whole process.

mod log;

use cloudflare_access_host::{
    AccessTokens, CallOptions, CodeCache, CreateParams, Credentials, ExposeSecret, ListAllParams, ListPageParams,
    Runtime,
};
use cloudflare_access_simulator::{ACCOUNT_ID, API_TOKEN, FaultKind, Simulator, Wait};
use tracing::instrument::WithSubscriber;

use crate::log::Log;

#[tokio::test]
async fn a_call_is_a_span_that_tells_what_happened_and_no_secret() {
    let simulator = Simulator::start().await.unwrap();
    // That of all tests.
    let code_cache = CodeCache::Folder(concat!(env!("CARGO_TARGET_TMPDIR"), "/code-cache/wasmtime").into());
    let access = AccessTokens::builder()
        .credentials(Credentials::api_token(API_TOKEN))
        .base_url(simulator.base_url().parse().unwrap())
        .runtime(Runtime::builder().cache(code_cache).build().unwrap());
    let account = access.build().unwrap().account(ACCOUNT_ID);
    let log = Log::default();
    let secret = async {
        let issued = account.create(CreateParams::named("name-of-the-token")).await.unwrap();
        simulator.inject(FaultKind::HtmlPage { status: 503 });
        account.get(&issued.token.id).await.unwrap();
        simulator.inject(FaultKind::RateLimited { wait: Wait::Seconds(600) });
        account.delete(&issued.token.id).await.unwrap_err();
        account.ensure(CreateParams::named("name-of-the-token").enabled(false)).await.unwrap();
        simulator.inject(FaultKind::Close);
        account.clone().with(&CallOptions::new().max_retries(0)).list_page(ListPageParams::new()).await.unwrap_err();
        simulator.clear_requests();
        simulator.inject(FaultKind::NeverAnswer);
        tokio::select! {
            biased;
            _ = account.list_all(ListAllParams::new()) => panic!("there is no answer"),
            _ = simulator.next_request() => {}
        }
        issued.client_secret
    }
    .with_subscriber(log.subscriber())
    .await;
    let log = log.text();
    let closed: Vec<&str> = log.lines().filter(|line| line.contains(": close ")).collect();
    assert_eq!(closed.len(), 6, "{log}");
    let fields = |line: &str, fields: &[&str]| {
        for field in fields {
            assert!(line.contains(field), "{field} is missing in {line}");
        }
    };
    fields(
        closed[0],
        &[r#"operation="create""#, r#"scope="account""#, "attempts=1", "status=201", r#"outcome="ok""#, "ray_id="],
    );
    fields(closed[1], &[r#"operation="get""#, "attempts=2", "status=200", "duration_ms="]);
    fields(closed[2], &[r#"operation="delete""#, "status=429", r#"outcome="not-applied""#, r#"error="rate-limited""#]);
    fields(closed[3], &[r#"operation="ensure""#, "attempts=2", "status=200", r#"outcome="ok""#]);
    assert!(
        closed.iter().all(|line| line.contains(" DEBUG service_token_call{")),
        "a span of a library is for who debugs: {log}"
    );
    assert!(!log.contains(" INFO "), "{log}");

    let events = |text: &str| -> Vec<&str> { log.lines().filter(|line| line.contains(text)).collect() };
    let attempts = events("attempt answered");
    assert_eq!(attempts.len(), 1 + 2 + 1 + 2, "one for each request: {log}");
    fields(attempts[0], &[r#"operation="create""#, "attempt=1", "method=POST", "status=201", "duration_ms="]);
    fields(attempts[1], &[r#"operation="get""#, "attempt=1", "method=GET", "status=503"]);
    fields(attempts[2], &[r#"operation="get""#, "attempt=2", "method=GET", "status=200"]);
    fields(attempts[5], &[r#"operation="ensure""#, "attempt=2", "method=PUT", "status=200"]);
    let waits = events("waited before another attempt");
    assert_eq!(waits.len(), 1, "only the get waited: {log}");
    fields(waits[0], &[r#"operation="get""#, "duration_ms="]);
    fields(events("attempt failed")[0], &[r#"operation="list-page""#, "attempt=1", "phase=\"exchange\"", "error="]);
    fields(events("attempt given up")[0], &[r#"operation="list-all""#, "attempt=1", "method=GET"]);

    for secret in [secret.expose_secret(), API_TOKEN, "name-of-the-token"] {
        assert!(!log.contains(secret), "{secret} is in the log: {log}");
    }
}
