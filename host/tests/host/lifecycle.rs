//! The calls of `lifecycle` through this crate: typed results, and what a failure leaves to go on with.

use std::sync::LazyLock;
use std::time::Duration;

use cloudflare_access_host::{
    AccessTokens, Account, CallOptions, Clock, CreateParams, Credentials, Ensured, ErrorKind, ExposeSecret, IssueKey,
    IssuedToken, Outcome, PreviousSecret, RefreshParams, RunningOverlap, Runtime, SecretString, Selector, ServiceToken,
    TimeLeft, Tokens, TransportPhase,
};
use cloudflare_access_simulator::{ACCOUNT_ID, API_TOKEN, Fault, FaultKind, Operation, Simulator, ZONE_ID};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::code_cache;

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// One for all tests of this suite, since loading the component takes longer than most of them do.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::builder().cache(code_cache()).build().unwrap());

fn access(base_url: &str, runtime: Runtime) -> AccessTokens {
    AccessTokens::builder()
        .credentials(Credentials::api_token(API_TOKEN))
        .base_url(base_url.parse().unwrap())
        .runtime(runtime)
        .build()
        .unwrap()
}

async fn setting() -> (Simulator, Tokens<Account>) {
    let simulator = Simulator::start().await.unwrap();
    let account = account(&simulator);
    (simulator, account)
}

fn account(simulator: &Simulator) -> Tokens<Account> {
    access(simulator.base_url(), RUNTIME.clone()).account(ACCOUNT_ID)
}

fn living(name: &str, duration: Duration) -> CreateParams {
    CreateParams::named(name).duration(duration)
}

fn due_within(window: Duration) -> RefreshParams {
    RefreshParams::within(window)
}

fn key() -> IssueKey {
    IssueKey::new("key-1").unwrap()
}

fn within(timeout: Duration) -> CallOptions {
    CallOptions::new().timeout(timeout)
}

fn passes(simulator: &Simulator, token: &ServiceToken, secret: &SecretString) -> bool {
    simulator.authenticate(token.client_id.as_deref().unwrap(), secret.expose_secret()).is_ok()
}

/// There is one token, it is the one that was returned under the name that was asked for, and its secret passes.
fn assert_exactly_one(simulator: &Simulator, issued: &IssuedToken, name: &str) {
    let tokens = simulator.tokens(simulator.account());
    let [token] = tokens.as_slice() else { panic!("{} tokens: {tokens:?}", tokens.len()) };
    assert_eq!((token.id.as_str(), token.name.as_str()), (issued.token.id.as_str(), name));
    assert!(passes(simulator, &issued.token, &issued.client_secret));
}

// --- Expiry

#[tokio::test]
async fn an_expiry_report_has_every_token_where_it_belongs_and_the_time_it_has() {
    let (simulator, account) = setting().await;
    for params in [
        living("soon", 2 * HOUR),
        living("later", 60 * DAY),
        CreateParams::named("never").duration(cloudflare_access_host::TokenDuration::forever()),
        living("off", HOUR).enabled(false),
    ] {
        account.create(params).await.unwrap();
    }
    let report = account.expiring(DAY).await.unwrap();
    let name = |token: &ServiceToken| token.name.clone().unwrap();
    assert_eq!(report.expiring.iter().map(|due| name(&due.token)).collect::<Vec<_>>(), ["soon"]);
    assert_eq!(report.disabled.iter().map(|due| name(&due.token)).collect::<Vec<_>>(), ["off"]);
    assert_eq!(report.forever.iter().map(name).collect::<Vec<_>>(), ["never"]);
    assert_eq!((report.later, report.unreadable.len(), report.clock), (1, 0, Clock::Host));
    let TimeLeft::Remaining(left) = report.expiring[0].time_left else { panic!("{report:?}") };
    assert!((HOUR..=2 * HOUR).contains(&left), "{left:?}");

    simulator.advance(DAY);
    let before = simulator.timestamp_in(Duration::ZERO);
    let report = account.expiring(Duration::ZERO).await.unwrap();
    assert_eq!(report.clock, Clock::Server);
    assert!((before..=simulator.timestamp_in(Duration::ZERO)).contains(&report.now), "{}", report.now);
    let TimeLeft::Expired(since) = report.expiring[0].time_left else { panic!("{report:?}") };
    assert!((21 * HOUR..=23 * HOUR).contains(&since), "{since:?}");
}

#[tokio::test]
async fn many_pages_are_fetched_six_at_a_time() {
    let simulator = Simulator::builder().default_per_page(1).start().await.unwrap();
    simulator.add_tokens(simulator.account(), 20);
    // The first page is answered; six others have to be under way before one of them is.
    simulator.hold_answers(2..=7);
    assert_eq!(account(&simulator).expiring(DAY).await.unwrap().later, 20);
    assert_eq!((simulator.request_count(), simulator.peak_requests_in_flight()), (20, 6));
}

#[tokio::test]
async fn a_renewal_gives_one_result_per_token_that_was_due() {
    let (simulator, account) = setting().await;
    for name in ["one", "two", "three"] {
        account.create(living(name, HOUR)).await.unwrap();
    }
    simulator.inject(Fault::new(FaultKind::error(409, 12132, "busy")).on(Operation::Refresh).skipping(1));
    let report = account.refresh_expiring(due_within(DAY)).await.unwrap();
    let failures: Vec<_> = report.failures().map(|error| error.kind).collect();
    assert_eq!((report.tokens.len(), failures), (3, vec![ErrorKind::Conflict]));
    let renewed = report.tokens.iter().find_map(|token| token.refreshed.as_ref().ok()).unwrap();
    assert!(renewed.expires_at.as_deref().unwrap() > simulator.timestamp_in(300 * DAY).as_str());
    let report = account.refresh_expiring(due_within(DAY)).await.unwrap();
    assert_eq!((report.tokens.len(), report.failures().count()), (1, 0), "only the one that failed");
    assert!(account.refresh_expiring(due_within(DAY)).await.unwrap().tokens.is_empty());
    let error = account.refresh_expiring(due_within(365 * DAY)).await.unwrap_err();
    assert_eq!((error.kind, error.attempts), (ErrorKind::InvalidArgument, 0));
}

#[tokio::test]
async fn a_renewal_leaves_expired_tokens_and_other_names_alone_unless_it_is_told_otherwise() {
    let (simulator, account) = setting().await;
    for (name, duration) in [("dead", HOUR), ("CI", 3 * HOUR), ("other", 3 * HOUR)] {
        account.create(living(name, duration)).await.unwrap();
    }
    simulator.advance(2 * HOUR);
    let renewed = async |params| {
        let report = account.refresh_expiring(params).await.unwrap();
        report.tokens.into_iter().map(|token| token.name.unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(renewed(due_within(DAY).name("CI")).await, ["CI"]);
    assert_eq!(renewed(due_within(DAY)).await, ["other"]);
    assert!(renewed(due_within(DAY)).await.is_empty(), "the one that has expired stays so");
    assert_eq!(renewed(due_within(DAY).include_expired(true)).await, ["dead"]);
}

// --- Overlap and switch

#[tokio::test]
async fn an_overlap_is_begun_extended_and_ended() {
    let (simulator, account) = setting().await;
    let first = account.create(CreateParams::named("CI")).await.unwrap();
    let (token, id) = (&first.token, first.token.id.as_str());
    let second = account.rotate_with_overlap(id, HOUR, RunningOverlap::Refuse).await.unwrap();
    assert!(second.previous_secret_expires_at <= simulator.timestamp_in(HOUR));
    assert!(passes(&simulator, token, &first.client_secret));
    assert!(passes(&simulator, token, &second.issued.client_secret));

    account.extend_overlap(id, 2 * DAY).await.unwrap();
    simulator.advance(DAY);
    assert!(passes(&simulator, token, &first.client_secret), "extended");
    account.end_overlap(id).await.unwrap();
    assert!(!passes(&simulator, token, &first.client_secret), "ended");
    assert!(passes(&simulator, token, &second.issued.client_secret));
    let error = account.extend_overlap(id, DAY).await.unwrap_err();
    assert_eq!((error.kind, error.outcome), (ErrorKind::Conflict, Outcome::NotApplied));
}

#[tokio::test]
async fn a_rotation_over_a_running_overlap_is_refused_unless_it_may_end_it() {
    let (simulator, account) = setting().await;
    let first = account.create(CreateParams::named("CI")).await.unwrap();
    let (token, id) = (&first.token, first.token.id.as_str());
    account.rotate_with_overlap(id, HOUR, RunningOverlap::Refuse).await.unwrap();
    let error = account.rotate_with_overlap(id, HOUR, RunningOverlap::default()).await.unwrap_err();
    assert_eq!((error.kind, error.outcome), (ErrorKind::Conflict, Outcome::NotApplied), "{error}");
    assert!(passes(&simulator, token, &first.client_secret));
    let third = account.rotate_with_overlap(id, HOUR, RunningOverlap::End).await.unwrap();
    assert!(passes(&simulator, token, &third.issued.client_secret) && !passes(&simulator, token, &first.client_secret));
}

#[tokio::test]
async fn a_rotation_whose_secret_is_lost_says_until_when_the_old_one_passes() {
    let (simulator, account) = setting().await;
    let first = account.create(CreateParams::named("CI")).await.unwrap();
    simulator.inject(Fault::new(FaultKind::Close).on(Operation::Update).after_commit());
    let error = account.rotate_with_overlap(&first.token.id, HOUR, RunningOverlap::Refuse).await.unwrap_err();
    assert_eq!((error.outcome, simulator.faults().len()), (Outcome::Applied, 0), "{error}");
    let token = account.get(&first.token.id).await.unwrap();
    assert_eq!(error.previous_secret_expires_at(), token.previous_client_secret_expires_at.as_deref());
    assert!(token.previous_client_secret_expires_at.is_some() && passes(&simulator, &token, &first.client_secret));
}

#[tokio::test]
async fn an_overlap_of_no_time_is_refused_and_one_of_a_fraction_is_a_second() {
    let (simulator, account) = setting().await;
    let id = simulator.add_token(simulator.account(), "CI").token.id;
    let error = account.rotate_with_overlap(&id, Duration::ZERO, RunningOverlap::Refuse).await.unwrap_err();
    assert_eq!((error.kind, simulator.request_count()), (ErrorKind::InvalidArgument, 0));
    let rotated = account.rotate_with_overlap(&id, Duration::from_millis(1), RunningOverlap::Refuse).await.unwrap();
    assert!(rotated.previous_secret_expires_at <= simulator.timestamp_in(Duration::from_secs(1)));
}

#[tokio::test]
async fn a_switch_off_ends_the_overlap_and_a_switch_on_does_not_bring_it_back() {
    let (simulator, account) = setting().await;
    let first = account.create(CreateParams::named("CI")).await.unwrap();
    let (token, id) = (&first.token, first.token.id.as_str());
    let second = account.rotate_with_overlap(id, DAY, RunningOverlap::Refuse).await.unwrap().issued;
    assert_eq!(account.disable(id).await.unwrap().enabled, Some(false));
    assert!(!passes(&simulator, token, &second.client_secret));
    assert_eq!(account.enable(id).await.unwrap().enabled, Some(true));
    assert!(passes(&simulator, token, &second.client_secret) && !passes(&simulator, token, &first.client_secret));
}

#[tokio::test]
async fn a_zone_has_what_needs_no_refresh_and_rotates_by_version() {
    let simulator = Simulator::builder().zones_refuse_api_tokens(false).start().await.unwrap();
    let zone = access(simulator.base_url(), RUNTIME.clone()).zone(ZONE_ID);
    let id = zone.ensure(living("CI", HOUR)).await.unwrap().token().id.clone();
    assert_eq!(zone.expiring(DAY).await.unwrap().expiring.len(), 1);
    assert_eq!(zone.find(Selector::name("CI")).await.unwrap()[0].id, id);
    let rotated = zone.rotate_with_overlap(&id, HOUR, RunningOverlap::Refuse).await.unwrap().issued;
    assert!(passes(&simulator, &rotated.token, &rotated.client_secret));
    assert_eq!(zone.resolve_create("CI", "2000-01-01T00:00:00Z").await.unwrap()[0].id, id);
    zone.disable(&id).await.unwrap();
    zone.enable(&id).await.unwrap();
    zone.end_overlap(&id).await.unwrap();
    assert!(simulator.requests().iter().all(|request| request.path.contains("/zones/")));
}

// --- Names

#[tokio::test]
async fn find_gives_exact_matches_only() {
    let (simulator, account) = setting().await;
    for name in ["CI", "CI", "CI 2", "ci"] {
        let _ = simulator.add_token(simulator.account(), name);
    }
    let found = account.find(Selector::name("CI")).await.unwrap();
    assert!(found.len() == 2 && found.iter().all(|token| token.name.as_deref() == Some("CI")));
    assert!(account.find(Selector::name("CD")).await.unwrap().is_empty());
}

#[tokio::test]
async fn find_gives_the_token_of_a_client_id() {
    let (simulator, account) = setting().await;
    let token = simulator.add_token(simulator.account(), "CI").token;
    let _ = simulator.add_token(simulator.account(), &token.client_id);
    let found = account.find(Selector::client_id(&token.client_id)).await.unwrap();
    assert!(matches!(found.as_slice(), [only] if only.id == token.id), "{found:?}");
    assert!(account.find(Selector::client_id(&token.id)).await.unwrap().is_empty());
}

#[tokio::test]
async fn ensure_says_what_it_did_and_has_a_secret_only_for_what_it_made() {
    let (simulator, account) = setting().await;
    let wanted = || living("CI", DAY);
    let made = account.ensure(wanted()).await.unwrap();
    let Ensured::Created(issued) = &made else { panic!("{made:?}") };
    assert!(passes(&simulator, &issued.token, &issued.client_secret));
    assert!(!format!("{made:?}").contains(issued.client_secret.expose_secret()));
    let same = account.ensure(wanted()).await.unwrap();
    assert!(matches!(&same, Ensured::Unchanged(token) if token.id == issued.token.id), "{same:?}");
    let changed = account.ensure(wanted().enabled(false)).await.unwrap();
    let Ensured::Updated(token) = &changed else { panic!("{changed:?}") };
    assert_eq!((&token.id, token.enabled), (&made.token().id, Some(false)));
    assert_eq!([made, changed, same].map(|ensured| ensured.as_str()), ["created", "updated", "unchanged"]);
    let twin = simulator.add_token(simulator.account(), "CI").token.id;
    let error = account.ensure(wanted()).await.unwrap_err();
    assert_eq!((error.kind, error.outcome), (ErrorKind::Conflict, Outcome::NotApplied));
    assert!(error.message.contains(&twin), "{error}");
}

#[tokio::test]
async fn a_create_whose_answer_was_lost_is_resolved() {
    let (simulator, account) = setting().await;
    let _ = simulator.add_token(simulator.account(), "CI");
    simulator.advance(HOUR);
    let since = simulator.timestamp_in(Duration::ZERO);
    simulator.inject(Fault::new(FaultKind::Close).on(Operation::Create).after_commit());
    assert_eq!(account.create(CreateParams::named("CI")).await.unwrap_err().outcome, Outcome::Unknown);
    let found = account.resolve_create("CI", &since).await.unwrap();
    assert_eq!(found.len(), 1, "not the one from before");
    let issued = account.rotate(&found[0].id, PreviousSecret::ExpiresNow).await.unwrap();
    assert!(passes(&simulator, &issued.token, &issued.client_secret));
}

/// Answers one list with no tokens, and then accepts nobody.
fn answers_a_list_and_then_accepts_nobody() -> String {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let _fills_the_queue = TcpStream::connect(address).await.unwrap();
        connection.read_buf(&mut Vec::with_capacity(64 << 10)).await.unwrap();
        let body = r#"{"success":true,"errors":[],"messages":[],"result":[]}"#;
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
        let answer = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        connection.write_all(answer.as_bytes()).await.unwrap();
        drop(connection);
        std::future::pending::<()>().await;
    });
    format!("http://{address}/client/v4")
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_change_that_found_no_connection_after_a_read_is_known_not_to_have_happened() {
    let base_url = answers_a_list_and_then_accepts_nobody();
    let account = access(&base_url, RUNTIME.clone()).account(ACCOUNT_ID).with(&within(Duration::from_secs(2)));
    let error = account.ensure(CreateParams::named("CI")).await.unwrap_err();
    assert_eq!((error.kind, error.outcome, error.attempts), (ErrorKind::Timeout, Outcome::NotApplied, 2), "{error}");
    let told = "; this host made no connection for the change, so nothing was changed";
    assert!(error.message.starts_with("ensure: no ") && error.message.ends_with(told), "{error}");
    assert_eq!(error.transport.as_ref().map(|error| error.phase), Some(TransportPhase::Connect));
}

// --- Issue

#[tokio::test]
async fn an_issue_whose_create_loses_its_answer_ends_with_one_token() {
    let (simulator, account) = setting().await;
    simulator.inject(Fault::new(FaultKind::Close).on(Operation::Create).after_commit());
    let issued = account.issue(CreateParams::named("CI"), &key()).await.unwrap();
    assert_exactly_one(&simulator, &issued, "CI [issue:key-1]");
    let finished = account.finish_issue(&key()).await.unwrap();
    assert_eq!((&finished.id, finished.name.as_deref()), (&issued.token.id, Some("CI")));
    assert_exactly_one(&simulator, &issued, "CI");
    let error = account.finish_issue(&key()).await.unwrap_err();
    assert_eq!((error.kind, error.outcome), (ErrorKind::NotFound, Outcome::NotApplied), "{error}");
}

#[tokio::test]
async fn an_issue_that_runs_out_of_time_goes_on_under_the_same_key() {
    let (simulator, account) = setting().await;
    simulator.inject(Fault::new(FaultKind::Close).on(Operation::Create).after_commit());
    simulator.inject(Fault::new(FaultKind::Close).on(Operation::Update).forever());
    let hurried = account.clone().with(&within(Duration::from_secs(2)));
    let error = hurried.issue(CreateParams::named("CI: 100 %"), &key()).await.unwrap_err();
    assert_eq!(error.outcome, Outcome::Applied, "{error}");
    assert_eq!(error.token_id.as_ref(), Some(&simulator.tokens(simulator.account())[0].id));

    simulator.clear_faults();
    let issued = account.issue(CreateParams::named("CI: 100 %"), &key()).await.unwrap();
    assert_exactly_one(&simulator, &issued, "CI: 100 % [issue:key-1]");
    account.finish_issue(&key()).await.unwrap();
    assert_exactly_one(&simulator, &issued, "CI: 100 %");
}

#[tokio::test]
async fn an_issue_that_found_no_connection_has_made_nothing() {
    let simulator = Simulator::builder().never_accepts().start().await.unwrap();
    let account = account(&simulator).with(&within(Duration::from_millis(200)));
    let error = account.issue(CreateParams::named("CI"), &key()).await.unwrap_err();
    assert_eq!(error.outcome, Outcome::NotApplied, "{error}");
}

#[tokio::test]
async fn an_issue_whose_component_fails_goes_on_under_the_same_key() {
    let simulator = Simulator::start().await.unwrap();
    let runtime = Runtime::builder().cache(code_cache()).max_memory(4 << 20).build().unwrap();
    let account = access(simulator.base_url(), runtime).account(ACCOUNT_ID);
    simulator.inject(Fault::new(FaultKind::LargeBody { bytes: 7 << 20 }).on(Operation::Create));
    let error = account.issue(CreateParams::named("CI"), &key()).await.unwrap_err();
    assert_eq!((error.kind, error.outcome), (ErrorKind::Component, Outcome::Unknown), "{error}");
    let issued = account.issue(CreateParams::named("CI"), &key()).await.unwrap();
    assert_exactly_one(&simulator, &issued, "CI [issue:key-1]");
}
