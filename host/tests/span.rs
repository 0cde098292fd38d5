//! What a call tells `tracing`. Alone in its program, because what is enabled is decided for a whole process.

mod log;

use cloudflare_access_host::{AccessTokens, CodeCache, CreateParams, Credentials, ExposeSecret, Runtime};
use cloudflare_access_simulator::{ACCOUNT_ID, API_TOKEN, FaultKind, Operation, Simulator, Wait};
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
        issued.client_secret
    }
    .with_subscriber(log.subscriber())
    .await;
    let log = log.text();
    let closed: Vec<&str> = log.lines().filter(|line| line.contains(": close ")).collect();
    assert_eq!(closed.len(), 4, "{log}");
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
    for secret in [secret.expose_secret(), API_TOKEN, "name-of-the-token"] {
        assert!(!log.contains(secret), "{secret} is in the log: {log}");
    }
    assert_eq!(simulator.requests().iter().filter(|request| request.operation == Some(Operation::Get)).count(), 2);
}
