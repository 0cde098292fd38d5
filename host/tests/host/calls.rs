//! What a caller gets from this crate beyond the component: typed results, pooling, limits, cancellation, spans.

use std::sync::LazyLock;
use std::time::Duration;

use cloudflare_access_host::{
    AccessTokens, Account, CallOptions, CodeCache, CreateParams, Credentials, ErrorKind, ExposeSecret, ListAllParams,
    ListParams, Outcome, PreviousSecret, Runtime, Scope, Tokens, UpdateParams,
};
use cloudflare_access_simulator::{ACCOUNT_ID, API_TOKEN, FaultKind, Simulator, ZONE_ID};

use crate::code_cache;
use crate::within::within;

async fn simulator() -> Simulator {
    Simulator::start().await.unwrap()
}

/// One for all tests of this suite, since loading the component takes longer than most of them do.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::builder().cache(code_cache()).build().unwrap());

fn access(simulator: &Simulator) -> AccessTokens {
    access_on(simulator, RUNTIME.clone())
}

fn access_on(simulator: &Simulator, runtime: Runtime) -> AccessTokens {
    AccessTokens::builder()
        .credentials(Credentials::api_token(API_TOKEN))
        .base_url(simulator.base_url().parse().unwrap())
        .runtime(runtime)
        .build()
        .unwrap()
}

fn account(simulator: &Simulator) -> Tokens<Account> {
    access(simulator).account(ACCOUNT_ID)
}

#[test]
fn handles_can_be_shared_and_sent() {
    fn check<T: Send + Sync + Clone + 'static>() {}
    check::<AccessTokens>();
    check::<Tokens<Account>>();
    check::<Tokens<Scope>>();
    check::<Runtime>();
}

#[tokio::test]
async fn every_operation_gives_typed_values() {
    let simulator = simulator().await;
    let account = account(&simulator);
    let issued = account.create(CreateParams::named("CI").duration(Duration::from_hours(24))).await.unwrap();
    let (id, client_id) = (issued.token.id.as_str(), issued.token.client_id.as_deref().unwrap());
    let passes = |secret: &str| simulator.authenticate(client_id, secret).is_ok();
    assert!(passes(issued.client_secret.expose_secret()));
    assert_eq!(issued.token.duration.as_deref(), Some("24h"));
    assert_eq!(account.get(id).await.unwrap().name.as_deref(), Some("CI"));
    assert_eq!(account.list(ListParams::new().per_page(1)).await.unwrap().total_count, Some(1));
    assert_eq!(account.list_all(ListAllParams::new().name("CI")).await.unwrap().len(), 1);
    let updated = account.update(id, UpdateParams::new().client_secret_version(2)).await.unwrap();
    assert!(passes(updated.client_secret.unwrap().expose_secret()));
    let rotated = account.rotate(id, PreviousSecret::expires_in(Duration::from_hours(1))).await.unwrap();
    assert!(passes(rotated.client_secret.expose_secret()));
    assert!(account.refresh(id).await.unwrap().expires_at > rotated.token.expires_at);
    assert_eq!(account.delete(id).await.unwrap().id, id);
    assert_eq!(account.get(id).await.unwrap_err().kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn a_zone_has_the_operations_that_the_api_has_for_zones() {
    let simulator = Simulator::builder().zones_refuse_api_tokens(false).start().await.unwrap();
    let zone = access(&simulator).zone(ZONE_ID);
    let issued = zone.create(CreateParams::named("CI")).await.unwrap();
    assert_eq!(zone.list_all(ListAllParams::new()).await.unwrap().len(), 1);
    zone.delete(&issued.token.id).await.unwrap();
    assert!(simulator.requests().iter().all(|request| request.path.contains("/zones/")));
}

#[tokio::test]
async fn an_error_keeps_every_field_of_the_contract() {
    let simulator = simulator().await;
    let error = account(&simulator).get("f174e90a-fafe-4643-bbbc-4a0ed4fc8415").await.unwrap_err();
    assert_eq!((error.kind, error.outcome, error.status), (ErrorKind::NotFound, Outcome::NotApplied, Some(404)));
    assert_eq!((error.attempts, error.api_errors[0].code), (1, Some(12135)));
    assert!(error.ray_id.is_some());
    assert_eq!(error.token_id.as_deref(), Some("f174e90a-fafe-4643-bbbc-4a0ed4fc8415"));
    assert_eq!(error.to_string(), error.message);
}

#[tokio::test]
async fn calls_share_a_connection_and_the_credential_goes_with_each() {
    let simulator = simulator().await;
    let account = account(&simulator);
    for _ in 0..5 {
        account.list(ListParams::new()).await.unwrap();
    }
    assert_eq!(simulator.connections(), 1);
    let expected = format!("Bearer {API_TOKEN}");
    assert!(simulator.requests().iter().all(|request| request.header("authorization") == Some(&expected)));
}

#[tokio::test]
async fn a_call_may_bring_its_own_credential() {
    let simulator = simulator().await;
    let account = account(&simulator);
    let other = CallOptions::new().credentials(Credentials::api_token("another"));
    let error = account.clone().with(&other).list(ListParams::new()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthenticated);
    account.list(ListParams::new()).await.unwrap();
    assert_eq!(simulator.requests()[0].header("authorization"), Some("Bearer another"));
    let unusable = CallOptions::new().credentials(Credentials::api_token("two\nlines"));
    let error = account.with(&unusable).list(ListParams::new()).await.unwrap_err();
    assert_eq!((error.kind, error.attempts), (ErrorKind::InvalidConfiguration, 0));
    assert_eq!(simulator.request_count(), 2);
}

#[tokio::test]
async fn options_reach_the_component() {
    let simulator = simulator().await;
    simulator.inject(FaultKind::HtmlPage { status: 503 });
    let options = CallOptions::new().max_retries(0).header("x-request-source", "test");
    let error = account(&simulator).with(&options).list(ListParams::new()).await.unwrap_err();
    assert_eq!((error.kind, error.attempts), (ErrorKind::Unavailable, 1));
    assert_eq!(simulator.requests()[0].header("x-request-source"), Some("test"));

    simulator.inject(FaultKind::NeverAnswer);
    let options = CallOptions::new().timeout(Duration::from_millis(50));
    let error = account(&simulator).with(&options).create(CreateParams::named("CI")).await.unwrap_err();
    assert_eq!((error.kind, error.outcome), (ErrorKind::Timeout, Outcome::Unknown));
}

#[tokio::test]
async fn a_create_that_found_no_connection_is_known_not_to_have_happened() {
    let simulator = Simulator::builder().never_accepts().start().await.unwrap();
    let options = CallOptions::new().timeout(Duration::from_millis(100));
    let error = account(&simulator).with(&options).create(CreateParams::named("CI")).await.unwrap_err();
    assert_eq!(error.outcome, Outcome::NotApplied, "{error}");
}

#[tokio::test]
async fn a_dropped_call_stops_its_request() {
    let simulator = simulator().await;
    simulator.inject(FaultKind::NeverAnswer);
    let account = account(&simulator);
    tokio::select! {
        biased;
        _ = account.list(ListParams::new()) => panic!("there is no answer"),
        _ = simulator.next_request() => {}
    }
    within("the end of every connection", simulator.wait_for_open_connections(0)).await;
    account.list(ListParams::new()).await.unwrap();
}

#[tokio::test]
async fn a_call_that_finds_no_place_in_time_fails_without_a_request() {
    let simulator = simulator().await;
    simulator.inject(FaultKind::NeverAnswer);
    let runtime = Runtime::builder().cache(code_cache()).max_calls(1).build().unwrap();
    let account = access_on(&simulator, runtime).account(ACCOUNT_ID);
    let first = tokio::spawn({
        let account = account.clone();
        async move { account.list(ListParams::new()).await }
    });
    within("the next request", simulator.next_request()).await;
    let hurried = account.with(&CallOptions::new().timeout(Duration::from_millis(1)));
    let error = hurried.create(CreateParams::named("CI")).await.unwrap_err();
    assert_eq!((error.kind, error.outcome, error.attempts), (ErrorKind::Timeout, Outcome::NotApplied, 0));
    assert!(error.message.contains("max_calls"), "{error}");
    first.abort();
    assert_eq!(simulator.request_count(), 1);
}

#[tokio::test]
async fn a_component_that_reaches_its_memory_limit_fails_that_call_and_no_other() {
    let simulator = simulator().await;
    simulator.inject(FaultKind::LargeBody { bytes: 7 << 20 });
    let runtime = Runtime::builder().cache(code_cache()).max_memory(4 << 20).build().unwrap();
    let account = access_on(&simulator, runtime).account(ACCOUNT_ID);
    let error = account.create(CreateParams::named("CI")).await.unwrap_err();
    assert_eq!((error.kind, error.outcome), (ErrorKind::Component, Outcome::Unknown), "{error}");
    assert_eq!((error.attempts, error.status), (1, Some(201)));
    assert_eq!(error.message.lines().count(), 1);
    account.list(ListParams::new()).await.unwrap();
}

#[tokio::test]
async fn many_calls_at_once_are_all_answered() {
    let simulator = simulator().await;
    let account = account(&simulator);
    let calls: Vec<_> = (0..200)
        .map(|_| {
            let account = account.clone();
            tokio::spawn(async move { account.list(ListParams::new()).await.map(|page| page.tokens.len()) })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), 0);
    }
}

#[tokio::test]
async fn precompiled_code_runs_and_other_code_is_refused() {
    let simulator = simulator().await;
    let code = Runtime::precompile(cloudflare_access_host::COMPONENT).unwrap();
    // SAFETY: `precompile` has just made it.
    let runtime = unsafe { Runtime::builder().precompiled(code) }.build().unwrap();
    access_on(&simulator, runtime).account(ACCOUNT_ID).list(ListParams::new()).await.unwrap();
    // SAFETY: it is no code at all, which is what is tested.
    let error = unsafe { Runtime::builder().precompiled(b"\0asm".as_slice()) }.build().unwrap_err();
    assert!(error.to_string().starts_with("the component cannot be loaded"), "{error}");
}

#[tokio::test]
async fn compiled_code_is_kept_where_it_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let cache = CodeCache::Folder(folder.path().join("code"));
    Runtime::builder().cache(cache.clone()).build().unwrap();
    assert!(std::fs::read_dir(folder.path().join("code")).unwrap().count() > 0);
    Runtime::builder().cache(cache).build().unwrap();
}

#[test]
fn a_component_that_wants_more_than_this_host_offers_is_refused() {
    // (component (import "wasi:sockets/tcp-create-socket@0.2.2" (instance (export "create" (func)))))
    let name = b"wasi:sockets/tcp-create-socket@0.2.2";
    let length = u8::try_from(name.len()).unwrap();
    let mut component = b"\0asm\x0d\0\x01\0".to_vec();
    // One type: an instance with two declarations, the type of a function and an export of that type.
    component.extend(b"\x07\x13\x01\x42\x02\x01\x40\0\x01\0\x04\0\x06create\x01\0");
    // One import, by name: an instance of that type.
    component.extend([0x0a, length + 5, 1, 0, length]);
    component.extend(name);
    component.extend([5, 0]);
    let error = Runtime::builder().component(component).cache(code_cache()).build().unwrap_err();
    assert!(error.to_string().starts_with("the component cannot be loaded"), "{error}");
    assert!(format!("{error:?}").contains("wasi:sockets/tcp-create-socket"), "{error:?}");
}
