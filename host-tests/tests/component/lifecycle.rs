//! The interface `lifecycle` against the simulator, whose clock the tests move: warnings, renewal, overlaps, names, switches.

use std::time::Duration;

use cloudflare_access_host_tests::lifecycle::{Clock, EnsuredChange};
use cloudflare_access_host_tests::requests::{MomentFrom, named, unchanged};
use cloudflare_access_host_tests::types::{
    CreateParams, ErrorKind, Outcome, RequestOptions, Scope, ServiceToken, UpdateParams,
};
use cloudflare_access_host_tests::{Host, Instance, options, scope};
use cloudflare_access_simulator::{Fault, FaultKind, Operation, Simulator, Wait};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

async fn setting() -> (Simulator, Instance, RequestOptions, Scope) {
    let simulator = Simulator::start().await.expect("a simulator");
    let options = options(&simulator);
    let account = scope(simulator.account());
    (simulator, Host::shared().instance().await, options, account)
}

fn living(name: &str, duration: &str) -> CreateParams {
    CreateParams { duration: Some(duration.into()), ..named(name) }
}

fn names<'a>(tokens: impl IntoIterator<Item = &'a ServiceToken>) -> Vec<&'a str> {
    tokens.into_iter().map(|token| token.name.as_deref().expect("a name")).collect()
}

fn passes(simulator: &Simulator, token: &ServiceToken, secret: &str) -> bool {
    simulator.authenticate(token.client_id.as_deref().expect("a client id"), secret).is_ok()
}

#[tokio::test]
async fn expiring_puts_every_token_where_it_belongs_soonest_first() {
    let (_simulator, mut plugin, options, account) = setting().await;
    let some = Some(&options);
    for params in [
        living("in two days", "48h"),
        living("in an hour", "1h"),
        living("in a year", "8760h"),
        living("never", "forever"),
        CreateParams { enabled: Some(false), ..living("switched off", "1h") },
        CreateParams { enabled: Some(false), ..living("switched off, a year", "8760h") },
    ] {
        plugin.create(&account, &params, some).await.expect("created");
    }
    let report = plugin.expiring(&account, 3 * DAY, some).await.expect("a report");
    assert_eq!(names(report.expiring.iter().map(|due| &due.token)), ["in an hour", "in two days"]);
    assert_eq!(names(report.disabled.iter().map(|due| &due.token)), ["switched off"]);
    assert_eq!(names(&report.forever), ["never"]);
    assert_eq!((report.later, report.unreadable.len(), report.clock), (2, 0, Clock::Host));
    let left = report.expiring[0].seconds_left;
    assert!((3500..=3600).contains(&left), "{left}");
}

#[tokio::test]
async fn the_time_is_the_servers_when_the_hosts_clock_is_off_and_the_report_says_so() {
    let (simulator, mut plugin, options, account) = setting().await;
    plugin.create(&account, &living("short", "1h"), Some(&options)).await.expect("created");
    simulator.advance(Duration::from_secs(2 * HOUR));
    let now = MomentFrom::now(&simulator, Duration::ZERO);
    let report = plugin.expiring(&account, 0, Some(&options)).await.expect("a report");
    assert!(report.clock == Clock::Server && now.is(&report.now), "{}", report.now);
    let left = report.expiring[0].seconds_left;
    assert!((-3660..=-3600).contains(&left), "{left}");
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
    let report = plugin.refresh_expiring(simulator.account().id(), 30 * DAY, some).await.expect("a report");
    assert_eq!(report.tokens.iter().map(|token| token.id.as_str()).collect::<Vec<_>>(), [due.token.id.as_str()]);
    let refreshed = report.tokens[0].refreshed.as_ref().expect("refreshed");
    assert_eq!(refreshed.client_id, due.token.client_id);
    simulator.advance(Duration::from_secs(300 * DAY));
    assert!(passes(&simulator, refreshed, &due.client_secret), "the same secret still passes");
    simulator.clear_requests();
    let report = plugin.refresh_expiring(simulator.account().id(), 30 * DAY, some).await.expect("a report");
    assert!(report.tokens.is_empty());
    assert_eq!(simulator.request_count(), 1, "only the list");
}

#[tokio::test]
async fn one_token_that_cannot_be_refreshed_does_not_stop_the_others() {
    let (simulator, mut plugin, options, account) = setting().await;
    for number in 0..5 {
        plugin.create(&account, &living(&format!("token {number}"), "1h"), Some(&options)).await.expect("created");
    }
    simulator.inject(Fault::new(FaultKind::error(409, 12132, "busy")).on(Operation::Refresh).skipping(2));
    let report = plugin.refresh_expiring(simulator.account().id(), DAY, Some(&options)).await.expect("a report");
    let failed: Vec<_> = report.tokens.iter().filter_map(|token| token.refreshed.as_ref().err()).collect();
    assert_eq!((report.tokens.len(), failed.len(), failed[0].kind), (5, 1, ErrorKind::Conflict));
    assert!(failed[0].token_id.is_some());
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
    let report = plugin.refresh_expiring(simulator.account().id(), DAY, Some(&options)).await.expect("a report");
    assert!(report.tokens.len() == 10 && report.tokens.iter().all(|token| token.refreshed.is_ok()), "{report:?}");
    assert_eq!(simulator.request_count(), 1 + 10 + 4);
    let refreshed = simulator.commits().iter().filter(|commit| commit.operation == Operation::Refresh).count();
    assert_eq!(refreshed, 10);
}

#[tokio::test]
async fn a_window_of_almost_a_year_is_refused_since_it_would_refresh_for_ever() {
    let (simulator, mut plugin, options, _) = setting().await;
    let account = simulator.account().id();
    plugin.create(&scope(simulator.account()), &living("due", "24h"), Some(&options)).await.expect("created");
    let first = plugin.refresh_expiring(account, 364 * DAY, Some(&options)).await.expect("a report");
    assert!(!first.tokens.is_empty());
    let second = plugin.refresh_expiring(account, 364 * DAY, Some(&options)).await.expect("a report");
    assert!(second.tokens.is_empty(), "{second:?}");
    let error = plugin.refresh_expiring(account, 364 * DAY + 1, Some(&options)).await.expect_err("refused");
    assert_eq!((error.kind, error.attempts), (ErrorKind::InvalidArgument, 0));
    assert!(error.message.starts_with("within-seconds is 31449601"), "{}", error.message);
}

#[tokio::test]
async fn three_years_of_renewals_leave_every_token_passing_with_its_first_secret() {
    let (simulator, mut plugin, options, account) = setting().await;
    let mut issued = Vec::new();
    for number in 0..10 {
        let params = living(&format!("token {number}"), &format!("{}h", 24 * (20 + number)));
        issued.push(plugin.create(&account, &params, Some(&options)).await.expect("created"));
    }
    for _ in 0..80 {
        simulator.advance(Duration::from_secs(14 * DAY));
        let report =
            plugin.refresh_expiring(simulator.account().id(), 30 * DAY, Some(&options)).await.expect("a report");
        assert!(report.tokens.iter().all(|token| token.refreshed.is_ok()));
        for issued in &issued {
            assert!(passes(&simulator, &issued.token, &issued.client_secret), "{:?}", issued.token.name);
        }
    }
    let refreshes = simulator.commits().iter().filter(|commit| commit.operation == Operation::Refresh).count();
    assert!((30..=40).contains(&refreshes), "about one a year and token: {refreshes}");
}

#[tokio::test]
async fn many_refreshes_are_under_way_at_once_but_never_more_than_six() {
    let (simulator, mut plugin, options, account) = setting().await;
    for number in 0..50 {
        plugin.create(&account, &living(&format!("token {number}"), "1h"), Some(&options)).await.expect("created");
    }
    simulator.clear_requests();
    // The list is answered; six refreshes have to be under way before one of them is.
    simulator.hold_answers(2..=7);
    let report = plugin.refresh_expiring(simulator.account().id(), DAY, Some(&options)).await.expect("a report");
    assert!(report.tokens.iter().all(|token| token.refreshed.is_ok()) && report.tokens.len() == 50);
    assert_eq!((simulator.request_count(), simulator.peak_requests_in_flight()), (51, 6));
}

#[tokio::test]
async fn what_the_time_does_not_suffice_for_is_named_and_was_not_sent() {
    let (simulator, mut plugin, options, account) = setting().await;
    for number in 0..30 {
        plugin.create(&account, &living(&format!("token {number}"), "1h"), Some(&options)).await.expect("created");
    }
    let late = FaultKind::Delay { duration: Duration::from_secs(HOUR) };
    simulator.inject(Fault::new(late).on(Operation::Refresh).forever());
    let hurried = RequestOptions { timeout_ms: Some(400), ..options };
    let report = plugin.refresh_expiring(simulator.account().id(), DAY, Some(&hurried)).await.expect("a report");
    let errors: Vec<_> = report.tokens.iter().filter_map(|token| token.refreshed.as_ref().err()).collect();
    assert_eq!(errors.len(), 30);
    assert!(errors.iter().all(|error| error.kind == ErrorKind::Timeout), "{errors:?}");
    assert!(errors.iter().any(|error| error.outcome == Outcome::NotApplied));
    // Nothing was answered, so every request that was made was under way until the time was over.
    assert!(simulator.peak_requests_in_flight() <= 6, "{} at once", simulator.peak_requests_in_flight());
}

#[tokio::test]
async fn an_overlap_lets_both_secrets_pass_until_it_ends_or_is_ended() {
    let (simulator, mut plugin, options, account) = setting().await;
    let some = Some(&options);
    let id = simulator.account().id().to_owned();
    let first = plugin.create(&account, &named("CI"), some).await.expect("created");
    let token = &first.token;

    let second = plugin.rotate_with_overlap(&id, &token.id, DAY, some).await.expect("rotated");
    assert_eq!(second.clock, Clock::Host);
    assert!(passes(&simulator, token, &first.client_secret) && passes(&simulator, token, &second.issued.client_secret));
    plugin.extend_overlap(&account, &token.id, 3 * DAY, some).await.expect("extended");
    simulator.advance(Duration::from_secs(2 * DAY));
    assert!(passes(&simulator, token, &first.client_secret), "extended past its first end");
    simulator.advance(Duration::from_secs(2 * DAY));
    assert!(!passes(&simulator, token, &first.client_secret), "ended by itself");
    let error = plugin.extend_overlap(&account, &token.id, DAY, some).await.expect_err("it has ended");
    assert_eq!(
        (error.kind, error.outcome, error.token_id.as_ref()),
        (ErrorKind::Conflict, Outcome::NotApplied, Some(&token.id))
    );

    let in_a_day = MomentFrom::now(&simulator, Duration::from_secs(DAY));
    let third = plugin.rotate_with_overlap(&id, &token.id, DAY, some).await.expect("rotated");
    assert_eq!(third.clock, Clock::Server, "the simulator is four days ahead");
    assert!(in_a_day.is(&third.previous_secret_expires_at), "{}", third.previous_secret_expires_at);
    assert!(passes(&simulator, token, &second.issued.client_secret));
    for _ in 0..2 {
        plugin.end_overlap(&account, &token.id, some).await.expect("ended");
        assert!(!passes(&simulator, token, &second.issued.client_secret));
        assert!(passes(&simulator, token, &third.issued.client_secret));
    }

    let requests = simulator.request_count();
    let error = plugin.rotate_with_overlap(&id, &token.id, 0, some).await.expect_err("another call does that");
    assert!(error.kind == ErrorKind::InvalidArgument && error.message.contains("`expires-now`"), "{}", error.message);
    let error = plugin.rotate_with_overlap(&id, &token.id, u64::MAX, some).await.expect_err("too far");
    assert!(error.message.contains("after the year 9999"), "{}", error.message);
    assert_eq!((error.kind, error.attempts), (ErrorKind::InvalidArgument, 0), "refused before anything is sent");
    assert_eq!(simulator.commits().iter().filter(|commit| commit.operation == Operation::Rotate).count(), 2);
    assert_eq!(simulator.request_count(), requests);
}

#[tokio::test]
async fn find_compares_exactly_over_all_pages() {
    let (simulator, mut plugin, options, account) = setting().await;
    let _ = simulator.add_tokens(simulator.account(), 40);
    for name in ["twin", "twin", "twin 2", "Twin"] {
        let _ = simulator.add_token(simulator.account(), name);
    }
    let found = plugin.find(&account, "twin", Some(&options)).await.expect("found");
    assert_eq!(names(&found), ["twin", "twin"]);
    assert!(plugin.find(&account, "nobody", Some(&options)).await.expect("found").is_empty());
}

#[tokio::test]
async fn ensure_creates_once_then_changes_only_what_differs_and_refuses_twins() {
    let (simulator, mut plugin, options, account) = setting().await;
    let some = Some(&options);
    let wanted = living("CI", "24h");
    let created = plugin.ensure(&account, &wanted, some).await.expect("ensured");
    let EnsuredChange::Created(secret) = &created.change else { panic!("{:?}", created.change) };
    assert!(passes(&simulator, &created.token, secret));

    for same in
        [wanted.clone(), living("CI", "1440m"), named("CI"), CreateParams { enabled: Some(true), ..named("CI") }]
    {
        let again = plugin.ensure(&account, &same, some).await.expect("ensured");
        assert!(matches!(again.change, EnsuredChange::Unchanged), "{same:?}");
        assert_eq!(again.token.id, created.token.id);
    }
    let longer = CreateParams { enabled: Some(false), ..living("CI", "48h") };
    let changed = plugin.ensure(&account, &longer, some).await.expect("ensured");
    assert!(matches!(changed.change, EnsuredChange::Updated));
    assert_eq!((changed.token.duration.as_deref(), changed.token.enabled), (Some("48h"), Some(false)));

    let twin = simulator.add_token(simulator.account(), "CI").token.id;
    let error = plugin.ensure(&account, &wanted, some).await.expect_err("two have the name");
    assert_eq!((error.kind, error.outcome), (ErrorKind::Conflict, Outcome::NotApplied));
    assert!(error.message.contains(&twin) && error.message.contains(&created.token.id), "{}", error.message);
}

#[tokio::test]
async fn a_create_of_unknown_outcome_is_resolved_by_name_and_time() {
    let (simulator, mut plugin, options, account) = setting().await;
    let some = Some(&options);
    let _ = simulator.add_token(simulator.account(), "CI");
    simulator.advance(Duration::from_secs(HOUR));
    let since = simulator.timestamp_in(Duration::ZERO);
    simulator.inject(Fault::new(FaultKind::Close).on(Operation::Create).after_commit());
    let error = plugin.create(&account, &named("CI"), some).await.expect_err("the answer is lost");
    assert_eq!(error.outcome, Outcome::Unknown);
    let found = plugin.resolve_create(&account, "CI", &since, some).await.expect("resolved");
    assert_eq!(found.len(), 1, "not the one that was there before");

    // The recipe of the documentation: a new secret for the token that nobody has one of.
    let previous = cloudflare_access_host_tests::types::PreviousSecret::ExpiresNow;
    let issued = plugin.rotate(simulator.account().id(), &found[0].id, &previous, some).await.expect("rotated");
    assert!(passes(&simulator, &issued.token, &issued.client_secret));
    let later = simulator.timestamp_in(Duration::from_secs(1));
    assert!(plugin.resolve_create(&account, "CI", &later, some).await.expect("resolved").is_empty());
    let error = plugin.resolve_create(&account, "CI", "today", some).await.expect_err("no time");
    assert!(error.message.starts_with("since is \"today\""), "{}", error.message);
}

#[tokio::test]
async fn disabling_ends_the_overlap_and_enabling_does_not_bring_it_back() {
    let (simulator, mut plugin, options, account) = setting().await;
    let some = Some(&options);
    let first = plugin.create(&account, &named("CI"), some).await.expect("created");
    let id = &first.token.id;
    let second = plugin.rotate_with_overlap(simulator.account().id(), id, DAY, some).await.expect("rotated");
    assert_eq!(plugin.disable(&account, id, some).await.expect("disabled").enabled, Some(false));
    assert!(!passes(&simulator, &first.token, &second.issued.client_secret));
    assert_eq!(plugin.enable(&account, id, some).await.expect("enabled").enabled, Some(true));
    assert!(passes(&simulator, &first.token, &second.issued.client_secret));
    assert!(!passes(&simulator, &first.token, &first.client_secret), "the overlap is over");
}

#[tokio::test]
async fn zones_have_what_needs_no_refresh_and_no_rotation() {
    let (simulator, mut plugin, options, _) = setting().await;
    let zone = scope(simulator.zone());
    let some = Some(&options);
    let ensured = plugin.ensure(&zone, &living("CI", "1h"), some).await.expect("ensured");
    let id = &ensured.token.id;
    assert_eq!(plugin.expiring(&zone, DAY, some).await.expect("a report").expiring.len(), 1);
    assert_eq!(plugin.find(&zone, "CI", some).await.expect("found").len(), 1);
    plugin.disable(&zone, id, some).await.expect("disabled");
    plugin.enable(&zone, id, some).await.expect("enabled");
    let raised = UpdateParams {
        client_secret_version: Some(2),
        previous_client_secret_expires_at: Some(simulator.timestamp_in(Duration::from_secs(DAY))),
        ..unchanged()
    };
    plugin.update(&zone, id, &raised, some).await.expect("updated");
    plugin.extend_overlap(&zone, id, 2 * DAY, some).await.expect("extended");
    plugin.end_overlap(&zone, id, some).await.expect("ended");
}
