//! What a caller gets from this crate beyond the component: typed results, pooling, limits, cancellation, spans.

use std::sync::LazyLock;
use std::time::Duration;

use cloudflare_access_host::{
    AccessTokens, Account, CallOptions, Certificate, CodeCache, CreateParams, Credentials, Deletion, ErrorKind,
    ExposeSecret, ListAllParams, ListPageParams, Outcome, PreviousSecret, Proxy, Runtime, Scope, Tokens,
    TransportError, TransportPhase, UpdateParams,
};
use cloudflare_access_simulator::{ACCOUNT_ID, API_TOKEN, Fault, FaultKind, Operation, Simulator, ZONE_ID};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

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
    assert_eq!(account.list_page(ListPageParams::new().per_page(1)).await.unwrap().total_count, Some(1));
    assert_eq!(account.list_all(ListAllParams::new().name("CI")).await.unwrap().len(), 1);
    let updated = account.update(id, UpdateParams::new().client_secret_version(2)).await.unwrap();
    assert!(passes(updated.client_secret.unwrap().expose_secret()));
    let rotated = account.rotate(id, PreviousSecret::expires_in(Duration::from_hours(1))).await.unwrap();
    assert!(passes(rotated.client_secret.expose_secret()));
    assert!(account.refresh(id).await.unwrap().expires_at > rotated.token.expires_at);
    assert!(matches!(account.delete(id).await.unwrap(), Deletion::Deleted(token) if token.id == id));
    assert_eq!(account.get(id).await.unwrap_err().kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn a_delete_whose_answer_was_lost_is_repeated_and_says_that_the_token_is_already_gone() {
    let simulator = simulator().await;
    let id = simulator.add_token(simulator.account(), "CI").token.id;
    simulator.inject(Fault::new(FaultKind::Close).on(Operation::Delete).after_commit());
    assert_eq!(account(&simulator).delete(&id).await.unwrap(), Deletion::AlreadyGone);
    assert_eq!((simulator.request_count(), simulator.faults().len()), (2, 0));
    let error = account(&simulator).delete(&id).await.unwrap_err();
    assert_eq!((error.kind, error.outcome), (ErrorKind::NotFound, Outcome::NotApplied));
}

#[tokio::test]
async fn pages_come_one_after_the_other_until_the_last_and_each_only_when_it_is_wanted() {
    let simulator = simulator().await;
    for name in ["a", "b", "c", "d", "e"] {
        let _ = simulator.add_token(simulator.account(), name);
    }
    let mut pages = account(&simulator).pages(ListPageParams::new().per_page(2));
    let mut lengths = Vec::new();
    assert_eq!(simulator.request_count(), 0);
    while let Some(page) = pages.next().await {
        lengths.push(page.unwrap().tokens.len());
        assert_eq!(simulator.request_count(), lengths.len() as u64);
    }
    assert_eq!(lengths, [2, 2, 1]);
    assert!(pages.next().await.is_none());

    let from_second = account(&simulator).pages(ListPageParams::new().per_page(2).page(2)).next().await.unwrap();
    assert_eq!(from_second.unwrap().page, Some(2));
}

#[tokio::test]
async fn pages_end_after_an_error() {
    let simulator = simulator().await;
    simulator.inject(FaultKind::HtmlPage { status: 503 });
    let options = CallOptions::new().max_retries(0);
    let mut pages = account(&simulator).with(&options).pages(ListPageParams::new());
    assert_eq!(pages.next().await.unwrap().unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(pages.next().await.is_none());
    assert_eq!(simulator.request_count(), 1);
}

#[tokio::test]
async fn a_field_that_no_record_has_a_place_for_reaches_the_caller_by_its_name() {
    let simulator = simulator().await;
    let body = r#"{"success": true, "errors": [], "messages": [], "result":
        {"id": "f174e90a-fafe-4643-bbbc-4a0ed4fc8415", "labels": {"team": "CI"}, "uses": 12345678901234567890123}}"#;
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    simulator.inject(FaultKind::Response { status: 200, headers, body: body.into() });
    let token = account(&simulator).get("f174e90a-fafe-4643-bbbc-4a0ed4fc8415").await.unwrap();
    let fields: Vec<_> = token.additional_fields.iter().map(|field| (&*field.name, &*field.json)).collect();
    assert_eq!(fields, [("labels", r#"{"team": "CI"}"#), ("uses", "12345678901234567890123")]);
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
        account.list_page(ListPageParams::new()).await.unwrap();
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
    let error = account.clone().with(&other).list_page(ListPageParams::new()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthenticated);
    account.list_page(ListPageParams::new()).await.unwrap();
    assert_eq!(simulator.requests()[0].header("authorization"), Some("Bearer another"));
    let unusable = CallOptions::new().credentials(Credentials::api_token("two\nlines"));
    let error = account.with(&unusable).list_page(ListPageParams::new()).await.unwrap_err();
    assert_eq!((error.kind, error.attempts), (ErrorKind::InvalidConfiguration, 0));
    assert_eq!(simulator.request_count(), 2);
}

/// The address `0.0.0.0` is not public, and on this machine it leads to this machine.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_address_inside_a_network_is_reached_only_where_that_was_allowed() {
    let certified = rcgen::generate_simple_self_signed(["0.0.0.0".to_owned()]).unwrap();
    let tls = crate::transport::server_config(&certified);
    let simulator = Simulator::builder().tls(tls).start().await.unwrap();
    let gateway = || {
        AccessTokens::builder()
            .credentials(Credentials::api_token(API_TOKEN))
            .base_url(format!("https://0.0.0.0:{}/client/v4", simulator.address().port()).parse().unwrap())
            .extra_roots([Certificate::from_der(certified.cert.der().to_vec())])
            .proxy(Proxy::None)
            .runtime(RUNTIME.clone())
    };
    let account = gateway().build().unwrap().account(ACCOUNT_ID);
    let error = account.create(CreateParams::named("CI")).await.unwrap_err();
    assert_eq!((error.kind, error.outcome), (ErrorKind::DeniedByHost, Outcome::NotApplied), "{error}");
    assert_eq!(simulator.connections(), 0);
    let account = gateway().allow_private_addresses(true).build().unwrap().account(ACCOUNT_ID);
    account.create(CreateParams::named("CI")).await.unwrap();
}

#[tokio::test]
async fn options_reach_the_component() {
    let simulator = simulator().await;
    simulator.inject(FaultKind::HtmlPage { status: 503 });
    let options = CallOptions::new().max_retries(0).header("x-request-source", "test");
    let error = account(&simulator).with(&options).list_page(ListPageParams::new()).await.unwrap_err();
    assert_eq!((error.kind, error.attempts), (ErrorKind::Unavailable, 1));
    assert_eq!(simulator.requests()[0].header("x-request-source"), Some("test"));

    simulator.inject(FaultKind::NeverAnswer);
    let options = CallOptions::new().timeout(Duration::from_millis(400));
    let error = account(&simulator).with(&options).create(CreateParams::named("CI")).await.unwrap_err();
    assert_eq!((error.kind, error.outcome), (ErrorKind::Timeout, Outcome::Unknown));
    assert!(simulator.faults().is_empty(), "the create met the server that does not answer");
}

#[tokio::test]
async fn times_and_numbers_of_any_size_are_taken() {
    let simulator = simulator().await;
    let options = CallOptions::new().timeout(Duration::MAX).attempt_timeout(Duration::MAX);
    account(&simulator).with(&options).list_page(ListPageParams::new()).await.unwrap();
    let runtime = Runtime::builder().cache(code_cache()).max_calls(u32::MAX).build().unwrap();
    access_on(&simulator, runtime).account(ACCOUNT_ID).list_page(ListPageParams::new()).await.unwrap();
}

#[tokio::test]
async fn a_create_that_found_no_connection_is_known_not_to_have_happened() {
    let simulator = Simulator::builder().never_accepts().start().await.unwrap();
    let options = CallOptions::new().timeout(Duration::from_millis(400));
    let error = account(&simulator).with(&options).create(CreateParams::named("CI")).await.unwrap_err();
    assert_eq!(error.outcome, Outcome::NotApplied, "{error}");
}

/// Serves connections with the same bytes, after their first ones.
async fn always_says(bytes: &'static [u8]) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_buf(&mut Vec::with_capacity(4096)).await.unwrap();
            stream.write_all(bytes).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    authority
}

/// A fatal alert of TLS: `handshake_failure`.
const ALERT: &[u8] = &[0x15, 3, 3, 0, 2, 2, 40];

#[tokio::test]
async fn an_error_without_an_answer_has_the_components_words_and_this_hosts_cause() {
    // Bound, so that nobody else gets it, and without a listener.
    let nobody = tokio::net::TcpSocket::new_v4().unwrap();
    nobody.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let silent = Simulator::builder().never_accepts().start().await.unwrap();
    let unknown = Simulator::builder().self_signed_tls().unwrap().start().await.unwrap();
    let (closes, refuses_tls) = (always_says(b"").await, always_says(ALERT).await);
    for (base_url, phase, words, cause) in [
        ("https://name.invalid".to_owned(), TransportPhase::Dns, "did not resolve", "the name did not resolve"),
        (
            format!("http://{}", nobody.local_addr().unwrap()),
            TransportPhase::Connect,
            "the connection was refused",
            "no TCP connection",
        ),
        (silent.base_url().to_owned(), TransportPhase::Connect, "no connection", "no connection"),
        (unknown.base_url().to_owned(), TransportPhase::Tls, "certificate was not accepted", "no TLS session"),
        (format!("https://{refuses_tls}"), TransportPhase::Tls, "ended TLS with an alert", "HandshakeFailure"),
        (format!("http://{closes}"), TransportPhase::Exchange, "the connection broke", "connection"),
    ] {
        let access = AccessTokens::builder()
            .credentials(Credentials::api_token(API_TOKEN))
            .base_url(base_url.parse().unwrap())
            .proxy(Proxy::None)
            .runtime(RUNTIME.clone())
            .options(CallOptions::new().timeout(Duration::from_millis(600)).max_retries(0))
            .build()
            .unwrap();
        let error = access.account(ACCOUNT_ID).create(CreateParams::named("CI")).await.unwrap_err();
        let left = phase == TransportPhase::Exchange;
        assert_eq!(error.outcome, if left { Outcome::Unknown } else { Outcome::NotApplied }, "{base_url}: {error}");
        assert!(error.message.starts_with("create: ") && error.message.contains(words), "{base_url}: {error}");
        let source = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<TransportError>());
        let source = source.unwrap_or_else(|| panic!("{base_url}: {error} has no source"));
        assert_eq!(source.phase, phase, "{base_url}: {source}");
        assert!(source.message.contains(cause), "{base_url}: {source}");
    }
    let answered = account(&simulator().await).get("f174e90a-fafe-4643-bbbc-4a0ed4fc8415").await.unwrap_err();
    assert!(std::error::Error::source(&answered).is_none());
}

#[tokio::test]
async fn a_dropped_call_stops_its_request() {
    let simulator = simulator().await;
    simulator.inject(FaultKind::NeverAnswer);
    let account = account(&simulator);
    tokio::select! {
        biased;
        _ = account.list_page(ListPageParams::new()) => panic!("there is no answer"),
        _ = simulator.next_request() => {}
    }
    within("the end of every connection", simulator.wait_for_open_connections(0)).await;
    account.list_page(ListPageParams::new()).await.unwrap();
}

#[tokio::test]
async fn a_call_that_finds_no_place_in_time_fails_without_a_request() {
    let simulator = simulator().await;
    simulator.inject(FaultKind::NeverAnswer);
    let runtime = Runtime::builder().cache(code_cache()).max_calls(1).build().unwrap();
    let account = access_on(&simulator, runtime).account(ACCOUNT_ID);
    let first = tokio::spawn({
        let account = account.clone();
        async move { account.list_page(ListPageParams::new()).await }
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
    account.list_page(ListPageParams::new()).await.unwrap();
}

#[tokio::test]
async fn many_calls_at_once_are_all_answered() {
    let simulator = simulator().await;
    let account = account(&simulator);
    let calls: Vec<_> = (0..200)
        .map(|_| {
            let account = account.clone();
            tokio::spawn(async move { account.list_page(ListPageParams::new()).await.map(|page| page.tokens.len()) })
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
    access_on(&simulator, runtime).account(ACCOUNT_ID).list_page(ListPageParams::new()).await.unwrap();
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
    let component = wat::parse_str(
        r#"(component (import "wasi:sockets/tcp-create-socket@0.2.2" (instance (export "create" (func)))))"#,
    )
    .unwrap();
    let error = Runtime::builder().component(component).cache(code_cache()).build().unwrap_err();
    assert!(error.to_string().starts_with("the component cannot be loaded"), "{error}");
    assert!(format!("{error:?}").contains("wasi:sockets/tcp-create-socket"), "{error:?}");
}
