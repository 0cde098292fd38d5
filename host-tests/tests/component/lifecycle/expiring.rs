//! Which tokens expire, by which clock, and the renewal of those that are due.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cloudflare_access_host_tests::lifecycle::{Clock, RefreshParams, RefreshReport};
use cloudflare_access_host_tests::requests::{MomentFrom, by_default, due_within, named};
use cloudflare_access_host_tests::types::{CreateParams, Error, ErrorKind, Outcome, RequestOptions};
use cloudflare_access_host_tests::{Action, Done, Host, RawServer, api_token, endpoint, options, scope};
use cloudflare_access_simulator::{ACCOUNT_ID, Fault, FaultKind, Operation, Simulator, Wait};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::sync::Barrier;

use super::{DAY, HOUR, living, names, passes, setting};

fn days(days: u32) -> Duration {
    Duration::from_secs(u64::from(days) * u64::from(DAY))
}

fn refreshed_ids(report: &RefreshReport) -> Vec<&str> {
    report.tokens.iter().map(|token| token.id.as_str()).collect()
}

fn errors(report: &RefreshReport) -> Vec<&Error> {
    report.tokens.iter().filter_map(|token| token.refreshed.as_ref().err()).collect()
}

fn refreshes(simulator: &Simulator) -> usize {
    simulator.commits().iter().filter(|commit| commit.operation == Operation::Refresh).count()
}

#[tokio::test]
async fn expiring_puts_every_token_where_it_belongs_soonest_first() {
    let (simulator, mut plugin, options, _) = setting().await;
    let some = Some(&options);
    for home in [simulator.account(), simulator.zone()] {
        let home = scope(home);
        for params in [
            living("in two days", "48h"),
            living("in an hour", "1h"),
            living("in a year", "8760h"),
            living("never", "forever"),
            CreateParams { enabled: Some(false), ..living("switched off", "1h") },
            CreateParams { enabled: Some(false), ..living("switched off, a year", "8760h") },
        ] {
            plugin.create(&home, &params, some).await.expect("created");
        }
        let now = MomentFrom::now(&simulator, Duration::ZERO);
        let report = plugin.expiring(&home, 3 * DAY, some).await.expect("a report");
        assert_eq!(names(report.expiring.iter().map(|due| &due.token)), ["in an hour", "in two days"]);
        assert_eq!(names(report.disabled.iter().map(|due| &due.token)), ["switched off"]);
        assert_eq!(names(&report.forever), ["never"]);
        assert_eq!((report.later, report.unreadable.len(), report.clock), (2, 0, Clock::Host));
        assert!(now.is(&report.now), "{}", report.now);
        let left = report.expiring[0].seconds_left;
        assert!((3500..=3600).contains(&left), "{left}");
    }
}

#[tokio::test]
async fn the_time_is_the_servers_when_the_hosts_clock_is_off_and_the_report_says_so() {
    let (simulator, mut plugin, options, account) = setting().await;
    plugin.create(&account, &living("short", "1h"), Some(&options)).await.expect("created");
    simulator.advance(Duration::from_secs((2 * HOUR).into()));
    let now = MomentFrom::now(&simulator, Duration::ZERO);
    let report = plugin.expiring(&account, 0, Some(&options)).await.expect("a report");
    assert!(report.clock == Clock::Server && now.is(&report.now), "{}", report.now);
    let left = report.expiring[0].seconds_left;
    assert!((-3660..=-3600).contains(&left), "{left}");
}

#[tokio::test]
async fn seconds_beyond_the_range_of_the_contract_are_its_limits() {
    let (simulator, mut plugin, options, account) = setting().await;
    plugin.create(&account, &living("in 100 years", "876000h"), Some(&options)).await.expect("created");
    let report = plugin.expiring(&account, u32::MAX, Some(&options)).await.expect("a report");
    assert_eq!(report.expiring[0].seconds_left, i32::MAX);
    simulator.advance(days(365 * 200));
    let report = plugin.expiring(&account, 0, Some(&options)).await.expect("a report");
    assert_eq!((report.clock, report.expiring[0].seconds_left), (Clock::Server, i32::MIN));
}

#[tokio::test]
async fn a_token_without_a_readable_expiry_is_reported_as_such() {
    let (simulator, mut plugin, options, account) = setting().await;
    plugin.create(&account, &named("odd"), Some(&options)).await.expect("created");
    simulator.inject(FaultKind::replaced("/result/0/expires_at", "soon"));
    let report = plugin.expiring(&account, DAY, Some(&options)).await.expect("a report");
    assert_eq!(names(&report.unreadable), ["odd"]);
}

#[tokio::test]
async fn refreshing_renews_what_is_due_in_place_and_a_second_run_does_nothing() {
    let (simulator, mut plugin, options, account) = setting().await;
    let some = Some(&options);
    let due = plugin.create(&account, &living("due", "24h"), some).await.expect("created");
    let off = CreateParams { enabled: Some(false), ..living("off", "24h") };
    plugin.create(&account, &off, some).await.expect("created");
    plugin.create(&account, &living("never", "forever"), some).await.expect("created");
    plugin.create(&account, &living("later", "8760h"), some).await.expect("created");
    let now = MomentFrom::now(&simulator, Duration::ZERO);
    let report =
        plugin.refresh_expiring(simulator.account().id(), &due_within(30 * DAY), some).await.expect("a report");
    assert_eq!(refreshed_ids(&report), [due.token.id.as_str()]);
    assert!(now.is(&report.now), "{}", report.now);
    let refreshed = report.tokens[0].refreshed.as_ref().expect("refreshed");
    assert_eq!(refreshed.client_id, due.token.client_id);
    simulator.advance(days(300));
    assert!(passes(&simulator, refreshed, &due.client_secret), "the same secret still passes");
    simulator.clear_requests();
    let report =
        plugin.refresh_expiring(simulator.account().id(), &due_within(30 * DAY), some).await.expect("a report");
    assert!(report.tokens.is_empty());
    assert_eq!(simulator.request_count(), 1, "only the list");
}

#[tokio::test]
async fn an_expired_token_is_refreshed_only_where_that_is_asked_for() {
    let (simulator, mut plugin, options, account) = setting().await;
    let some = Some(&options);
    let expired = plugin.create(&account, &living("expired", "1h"), some).await.expect("created");
    let due = plugin.create(&account, &living("due", "5h"), some).await.expect("created");
    simulator.advance(Duration::from_secs((2 * HOUR).into()));

    let params = RefreshParams { include_expired: false, ..due_within(DAY) };
    let report = plugin.refresh_expiring(simulator.account().id(), &params, some).await.expect("a report");
    assert_eq!(refreshed_ids(&report), [due.token.id.as_str()]);
    assert!(!passes(&simulator, &expired.token, &expired.client_secret), "it stays expired");

    let params = RefreshParams { include_expired: true, ..params };
    let report = plugin.refresh_expiring(simulator.account().id(), &params, some).await.expect("a report");
    assert_eq!(refreshed_ids(&report), [expired.token.id.as_str()]);
    assert!(passes(&simulator, &expired.token, &expired.client_secret), "it passes again");
}

#[tokio::test]
async fn with_a_name_only_tokens_of_exactly_this_name_are_refreshed() {
    let (simulator, mut plugin, options, account) = setting().await;
    let some = Some(&options);
    let mut of_the_name = Vec::new();
    for name in ["CI", "CI 2", "ci", "CI"] {
        let id = plugin.create(&account, &living(name, "1h"), some).await.expect("created").token.id;
        of_the_name.extend((name == "CI").then_some(id));
    }
    let params = RefreshParams { name: Some("CI".into()), ..due_within(DAY) };
    let report = plugin.refresh_expiring(simulator.account().id(), &params, some).await.expect("a report");
    let mut ids = refreshed_ids(&report);
    ids.sort_unstable();
    of_the_name.sort_unstable();
    assert_eq!(ids, of_the_name);
    assert_eq!(refreshes(&simulator), 2);

    // A server that does not filter changes nothing about that.
    simulator.clear_requests();
    let others: Vec<_> = simulator.tokens(simulator.account()).into_iter().filter(|token| token.name != "CI").collect();
    let soon = simulator.timestamp_in(Duration::from_mins(1));
    let shown = others.iter().map(|token| json!({"id": token.id, "name": token.name, "expires_at": soon}));
    let answer = json!({"success": true, "result": shown.collect::<Value>()});
    simulator.inject(FaultKind::Response {
        status: 200,
        headers: vec![],
        body: answer.to_string().into_bytes().into(),
    });
    let report = plugin.refresh_expiring(simulator.account().id(), &params, some).await.expect("a report");
    assert!(report.tokens.is_empty() && refreshes(&simulator) == 0, "{report:?}");
    assert!(simulator.faults().is_empty(), "the answer was given");
}

#[tokio::test]
async fn one_token_that_cannot_be_refreshed_does_not_stop_the_others() {
    let (simulator, mut plugin, options, account) = setting().await;
    for number in 0..5 {
        plugin.create(&account, &living(&format!("token {number}"), "1h"), Some(&options)).await.expect("created");
    }
    simulator.inject(Fault::new(FaultKind::error(409, 12132, "busy")).on(Operation::Refresh).skipping(2));
    let report =
        plugin.refresh_expiring(simulator.account().id(), &due_within(DAY), Some(&options)).await.expect("a report");
    let failed = errors(&report);
    assert_eq!((report.tokens.len(), failed.len(), failed[0].kind), (5, 1, ErrorKind::Conflict));
    assert!(failed[0].token_id.is_some() && failed[0].message.starts_with("refresh-expiring: "), "{failed:?}");
    assert_eq!(refreshes(&simulator), 4);
}

#[tokio::test]
async fn a_rate_limit_among_the_refreshes_is_waited_out_and_every_token_is_refreshed_once() {
    let (simulator, mut plugin, options, account) = setting().await;
    for number in 0..10 {
        plugin.create(&account, &living(&format!("token {number}"), "1h"), Some(&options)).await.expect("created");
    }
    let limit = FaultKind::RateLimited { wait: Wait::Seconds(1) };
    simulator.inject(Fault::new(limit).on(Operation::Refresh).skipping(3).times(4));
    simulator.clear_requests();
    let options = RequestOptions { max_retries: None, ..options };
    let report =
        plugin.refresh_expiring(simulator.account().id(), &due_within(DAY), Some(&options)).await.expect("a report");
    assert!(report.tokens.len() == 10 && report.tokens.iter().all(|token| token.refreshed.is_ok()), "{report:?}");
    assert_eq!(simulator.request_count(), 1 + 10 + 4);
    assert_eq!(refreshes(&simulator), 10);
}

#[tokio::test]
async fn a_window_of_almost_a_year_is_refused_since_it_would_refresh_for_ever() {
    let (simulator, mut plugin, options, _) = setting().await;
    let account = simulator.account().id();
    plugin.create(&scope(simulator.account()), &living("due", "24h"), Some(&options)).await.expect("created");
    let first = plugin.refresh_expiring(account, &due_within(364 * DAY), Some(&options)).await.expect("a report");
    assert!(!first.tokens.is_empty());
    let second = plugin.refresh_expiring(account, &due_within(364 * DAY), Some(&options)).await.expect("a report");
    assert!(second.tokens.is_empty(), "{second:?}");
    let too_long = due_within(364 * DAY + 1);
    let error = plugin.refresh_expiring(account, &too_long, Some(&options)).await.expect_err("refused");
    assert_eq!((error.kind, error.attempts), (ErrorKind::InvalidArgument, 0));
    assert!(error.message.contains("within-seconds is 31449601"), "{}", error.message);
}

#[tokio::test]
async fn three_years_of_renewals_leave_every_token_passing_with_its_first_secret() {
    let (simulator, mut plugin, options, account) = setting().await;
    let mut issued = Vec::new();
    for number in 0..10 {
        let params = living(&format!("token {number}"), &format!("{}h", 24 * (20 + number)));
        issued.push(plugin.create(&account, &params, Some(&options)).await.expect("created"));
    }
    let params = RefreshParams { include_expired: false, ..due_within(30 * DAY) };
    for _ in 0..80 {
        simulator.advance(days(14));
        let report =
            plugin.refresh_expiring(simulator.account().id(), &params, Some(&options)).await.expect("a report");
        assert!(report.tokens.iter().all(|token| token.refreshed.is_ok()));
        for issued in &issued {
            assert!(passes(&simulator, &issued.token, &issued.client_secret), "{:?}", issued.token.name);
        }
    }
    let refreshes = refreshes(&simulator);
    assert!((30..=40).contains(&refreshes), "about one a year and token: {refreshes}");
}

/// A list of 48 tokens that are due, and a refresh that is answered once six are waiting: fewer at once wait for ever. Counts how many
/// waited at once.
async fn answered_six_at_a_time(most: Arc<AtomicUsize>) -> RawServer {
    let (six, waiting) = (Arc::new(Barrier::new(6)), Arc::new(AtomicUsize::new(0)));
    RawServer::start_with(move |mut stream, request| {
        let (six, waiting, most) = (Arc::clone(&six), Arc::clone(&waiting), Arc::clone(&most));
        async move {
            let request = String::from_utf8(request).expect("a request is text");
            let path = request.split(' ').nth(1).expect("a path");
            let result = match path.strip_suffix("/refresh") {
                None => {
                    let due = |number| json!({"id": format!("token-{number}"), "expires_at": "2026-01-01T00:00:00Z"});
                    (0..48).map(due).collect::<Value>()
                }
                Some(path) => {
                    let now = waiting.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(now, Ordering::SeqCst);
                    // The sixth goes on first, before any of the others is answered.
                    if six.wait().await.is_leader() {
                        waiting.fetch_sub(6, Ordering::SeqCst);
                    }
                    json!({"id": path.rsplit('/').next()})
                }
            };
            let body = json!({"success": true, "result": result}).to_string();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            stream.write_all((head + &body).as_bytes()).await
        }
    })
    .await
}

#[tokio::test]
async fn six_refreshes_are_under_way_at_once_and_never_more() {
    let most = Arc::new(AtomicUsize::new(0));
    let server = answered_six_at_a_time(Arc::clone(&most)).await;
    let mut plugin = Host::shared().instance().await;
    let options = RequestOptions {
        endpoint: Some(endpoint(api_token(), &server.base_url())),
        max_retries: Some(0),
        ..by_default()
    };
    let report = plugin.refresh_expiring(ACCOUNT_ID, &due_within(DAY), Some(&options)).await.expect("a report");
    assert!(report.tokens.len() == 48 && report.tokens.iter().all(|token| token.refreshed.is_ok()), "{report:?}");
    assert_eq!((server.requests(), most.load(Ordering::SeqCst)), (1 + 48, 6));
}

#[tokio::test]
async fn what_the_time_does_not_suffice_for_is_named_and_was_not_sent() {
    let (simulator, mut plugin, options, account) = setting().await;
    for number in 0..30 {
        plugin.create(&account, &living(&format!("token {number}"), "1h"), Some(&options)).await.expect("created");
    }
    simulator.inject(Fault::new(FaultKind::NeverAnswer).on(Operation::Refresh).forever());
    simulator.clear_requests();
    // The list takes a part of the time, on a loaded machine a large one.
    let hurried = RequestOptions { timeout_ms: Some(2000), ..options };
    let report =
        plugin.refresh_expiring(simulator.account().id(), &due_within(DAY), Some(&hurried)).await.expect("a report");
    let errors = errors(&report);
    assert_eq!(errors.len(), 30);
    assert!(errors.iter().all(|error| error.kind == ErrorKind::Timeout), "{errors:?}");
    let sent = errors.iter().filter(|error| error.outcome == Outcome::Unknown).count();
    let not_sent = errors.iter().filter(|error| error.outcome == Outcome::NotApplied).count();
    assert_eq!((sent, not_sent), (6, 24), "six were under way when the time ended");
    assert_eq!(simulator.request_count(), 1 + 6);
}

#[tokio::test]
async fn no_answer_makes_a_report_of_a_shortened_list() {
    let simulator = Simulator::builder().default_per_page(5).start().await.expect("a simulator");
    let options = options(&simulator);
    let mut plugin = Host::shared().instance().await;
    let _ = simulator.add_tokens(simulator.account(), 12);
    simulator.inject(Fault::new(FaultKind::error(503, 1000, "later")).on(Operation::List).skipping(2));
    let error =
        Action::Expiring.call(&mut plugin, simulator.account(), "", &options).await.expect_err("a page is missing");
    assert_eq!((error.kind, error.outcome), (ErrorKind::Unavailable, Outcome::NotApplied));
    let report = Action::Expiring.call(&mut plugin, simulator.account(), "", &options).await.expect("all pages");
    let Done::Report(report) = report else { unreachable!() };
    assert_eq!(report.later, 12);
}
