//! Every operation in every scope, through the component, against the simulator: what it does, what it returns, and what
//! it sends to the last byte.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cloudflare_access_host_tests::hooks::Reply;
use cloudflare_access_host_tests::requests::{
    MomentFrom, everything, first_page, header, named, on_the_wire, unchanged,
};
use cloudflare_access_host_tests::types::{
    ApiKey, Credentials, Deletion, Error, ErrorKind, JsonField, ListAllParams, ListPageParams, Outcome, PreviousSecret,
    RequestOptions, Scope as ScopeArgument, ServiceToken, UpdateParams,
};
use cloudflare_access_host_tests::{Action, Host, Instance, endpoint, options, scope};
use cloudflare_access_simulator::{
    API_KEY, Body, EMAIL, Fault, FaultKind, ListBehaviour, Operation, Scope, Simulator, Wait,
};

/// A simulator, an instance, and the options that join them.
async fn setting() -> (Simulator, Instance, RequestOptions) {
    let simulator = Simulator::builder().zones_like_accounts().start().await.expect("a simulator");
    let options = options(&simulator);
    (simulator, Host::shared().instance().await, options)
}

fn both(simulator: &Simulator) -> [Scope; 2] {
    [simulator.account().clone(), simulator.zone().clone()]
}

fn passes(simulator: &Simulator, token: &ServiceToken, secret: &str) -> bool {
    simulator.authenticate(token.client_id.as_deref().expect("a client id"), secret).is_ok()
}

#[tokio::test]
async fn a_token_lives_its_whole_life_in_an_account_and_in_a_zone() {
    let (simulator, mut plugin, options) = setting().await;
    let options = Some(&options);
    for home in both(&simulator) {
        let scope = scope(&home);
        let mut params = named("CI/CD \u{1f511} \"quoted\" \u{0}");
        params.duration = Some("24h".into());
        params.enabled = Some(true);
        params.client_secret_version = Some(3);
        params.previous_client_secret_expires_at = Some("2030-01-01T00:00:00Z".into());
        let issued = plugin.create(&scope, &params, options).await.expect("created");
        let id = issued.token.id.clone();
        assert_eq!(issued.token.name.as_deref(), Some(params.name.as_str()));
        assert_eq!(issued.token.duration.as_deref(), Some("24h"));
        assert_eq!(issued.token.client_secret_version, Some(3));
        assert!(issued.client_secret.starts_with("cfast_") && issued.client_secret.len() == 54);
        let used = MomentFrom::now(&simulator, Duration::ZERO);
        assert!(passes(&simulator, &issued.token, &issued.client_secret));

        let read = plugin.get(&scope, &id, options).await.expect("read");
        assert_eq!((&read.id, &read.name), (&id, &issued.token.name));
        assert!(used.is(read.last_seen_at.as_deref().expect("a time")));
        assert_eq!(read.created_at, read.updated_at);

        let renamed = UpdateParams { name: Some("renamed".into()), ..unchanged() };
        let updated = plugin.update(&scope, &id, &renamed, options).await.expect("updated");
        assert_eq!((updated.token.name.as_deref(), updated.client_secret), (Some("renamed"), None));
        assert_eq!(updated.token.duration.as_deref(), Some("24h"), "what is not sent stays");

        let raised = UpdateParams {
            client_secret_version: Some(4),
            previous_client_secret_expires_at: Some(simulator.timestamp_in(Duration::from_hours(1))),
            ..unchanged()
        };
        let updated = plugin.update(&scope, &id, &raised, options).await.expect("updated");
        let second = updated.client_secret.expect("the new secret reaches the caller");
        assert_eq!(updated.token.client_secret_version, Some(4));
        assert!(passes(&simulator, &updated.token, &issued.client_secret), "grace");
        assert!(passes(&simulator, &updated.token, &second));
        simulator.advance(Duration::from_secs(3601));
        assert!(!passes(&simulator, &updated.token, &issued.client_secret), "grace is over");

        let disabled = UpdateParams { enabled: Some(false), ..unchanged() };
        let updated = plugin.update(&scope, &id, &disabled, options).await.expect("updated");
        assert_eq!(updated.token.enabled, Some(false));
        assert!(!passes(&simulator, &updated.token, &second));

        let deleted = plugin.delete(&scope, &id, options).await.expect("deleted");
        let Deletion::Deleted(deleted) = deleted else { panic!("{deleted:?}") };
        assert_eq!((&deleted.id, deleted.name.as_deref()), (&id, Some("renamed")));
        assert!(simulator.tokens(&home).is_empty());
        let error = plugin.get(&scope, &id, options).await.expect_err("gone");
        assert_eq!((error.kind, error.status, error.token_id), (ErrorKind::NotFound, Some(404), Some(id)));
    }
}

#[tokio::test]
async fn rotate_says_what_becomes_of_the_old_secret_and_refresh_keeps_it() {
    let (simulator, mut plugin, options) = setting().await;
    let options = Some(&options);
    let account = simulator.account().clone();
    let issued = plugin.create(&scope(&account), &named("CI"), options).await.expect("created");
    let id = &issued.token.id;

    let until = simulator.timestamp_in(Duration::from_hours(1));
    let kept =
        plugin.rotate(account.id(), id, &PreviousSecret::ExpiresAt(until.clone()), options).await.expect("rotated");
    assert_eq!(kept.token.previous_client_secret_expires_at, Some(until));
    assert_eq!(kept.token.client_id, issued.token.client_id);
    assert!(
        passes(&simulator, &kept.token, &issued.client_secret) && passes(&simulator, &kept.token, &kept.client_secret)
    );

    let ended = plugin.rotate(account.id(), id, &PreviousSecret::ExpiresNow, options).await.expect("rotated");
    assert!(!passes(&simulator, &ended.token, &kept.client_secret));
    assert!(passes(&simulator, &ended.token, &ended.client_secret));

    simulator.advance(Duration::from_hours(1));
    let in_a_year = MomentFrom::now(&simulator, Duration::from_hours(8760));
    let refreshed = plugin.refresh(account.id(), id, options).await.expect("refreshed");
    assert!(in_a_year.is(refreshed.expires_at.as_deref().expect("a time")));
    assert!(passes(&simulator, &refreshed, &ended.client_secret));
}

#[tokio::test]
async fn a_delete_whose_answer_is_empty_is_done() {
    for kind in [
        FaultKind::EmptyBody { status: 200 },
        FaultKind::EmptyBody { status: 204 },
        FaultKind::Response { status: 200, headers: Vec::new(), body: Body(b" \r\n".to_vec()) },
        FaultKind::Response { status: 200, headers: Vec::new(), body: Body(br#"{"success":true}"#.to_vec()) },
        FaultKind::NullResult,
    ] {
        let (simulator, mut plugin, options) = setting().await;
        for home in both(&simulator) {
            simulator.clear_requests();
            let id = simulator.add_token(&home, "token").token.id;
            simulator.inject(Fault::new(kind.clone()).after_commit());
            let patient = RequestOptions { max_retries: Some(2), ..options.clone() };
            let deleted = plugin.delete(&scope(&home), &id, Some(&patient)).await.expect("deleted");
            let Deletion::Deleted(token) = deleted else { panic!("{kind:?}: {deleted:?}") };
            assert_eq!((token.id, token.name, token.additional_fields.len()), (id, None, 0), "{kind:?}");
            assert_eq!((simulator.request_count(), simulator.tokens(&home).len()), (1, 0), "{kind:?}");
        }
    }
}

#[tokio::test]
async fn an_empty_answer_to_anything_but_a_delete_is_no_success() {
    for action in Action::SERVICE_TOKENS.into_iter().filter(|action| *action != Action::Delete) {
        for kind in [FaultKind::EmptyBody { status: 204 }, FaultKind::EmptyBody { status: 200 }, FaultKind::NullResult]
        {
            let (simulator, mut plugin, options) = setting().await;
            let id = simulator.add_token(simulator.account(), "token").token.id;
            simulator.inject(Fault::new(kind.clone()).after_commit());
            let error = action.call(&mut plugin, simulator.account(), &id, &options).await.expect_err("no success");
            let expected = match (action.changes(), &kind) {
                (false, _) => Outcome::NotApplied,
                (true, FaultKind::NullResult) => Outcome::Applied,
                (true, _) => Outcome::Unknown,
            };
            let shown = format!("{action:?} with {kind:?}: {}", error.message);
            assert_eq!((error.kind, error.outcome), (ErrorKind::InvalidResponse, expected), "{shown}");
        }
    }
}

#[tokio::test]
async fn a_token_is_already_gone_only_where_a_repeat_finds_it_gone() {
    let (simulator, mut plugin, options) = setting().await;
    let options = RequestOptions { max_retries: Some(2), ..options };
    for home in both(&simulator) {
        let home_argument = scope(&home);
        for kind in [FaultKind::Close, FaultKind::TruncatedJson, FaultKind::error(503, 1000, "later")] {
            simulator.clear_requests();
            let id = simulator.add_token(&home, "token").token.id;
            simulator.inject(Fault::new(kind.clone()).after_commit());
            let deleted = plugin.delete(&home_argument, &id, Some(&options)).await.expect("gone");
            assert!(matches!(deleted, Deletion::AlreadyGone), "{kind:?}: {deleted:?}");
            assert_eq!((simulator.request_count(), simulator.tokens(&home).len()), (2, 0), "{kind:?}");
        }
        // Not by our own repeat: the first answer, and one after a request that certainly did nothing.
        for fault in [None, Some(FaultKind::RateLimited { wait: Wait::Seconds(0) })] {
            simulator.clear_requests();
            let requests = if fault.is_some() { 2 } else { 1 };
            if let Some(kind) = fault {
                simulator.inject(kind);
            }
            let nobody = "f174e90a-fafe-4643-bbbc-4a0ed4fc8415";
            let error = plugin.delete(&home_argument, nobody, Some(&options)).await.expect_err("not found");
            assert_eq!(
                (error.kind, error.outcome, error.attempts),
                (ErrorKind::NotFound, Outcome::NotApplied, requests),
                "{}",
                error.message
            );
        }
        // A repeat that does not find the account says nothing about the token.
        let id = simulator.add_token(&home, "token").token.id;
        simulator.inject(Fault::new(FaultKind::Close).before_commit());
        simulator.inject(FaultKind::error(404, 7003, "Could not route to /client/v4/accounts/x"));
        let error = plugin.delete(&home_argument, &id, Some(&options)).await.expect_err("not found");
        assert_eq!((error.kind, error.outcome, error.attempts), (ErrorKind::NotFound, Outcome::Unknown, 2));
        assert_eq!(simulator.tokens(&home).len(), 1);
    }
}

#[tokio::test]
async fn an_answer_about_another_token_is_invalid_for_every_function_that_takes_an_id() {
    let other = "00000000-fafe-4643-bbbc-4a0ed4fc8415";
    for action in Action::all().filter(|action| action.takes_an_id()) {
        let (simulator, mut plugin, options) = setting().await;
        let id = simulator.add_token(simulator.account(), "token").token.id;
        let fault = Fault::new(FaultKind::replaced("/result/id", other)).on(action.operation());
        simulator.inject(fault);
        let error = action.call(&mut plugin, simulator.account(), &id, &options).await.expect_err("another token");
        let changed = action.operation().changes();
        let outcome = if changed { Outcome::Applied } else { Outcome::NotApplied };
        assert_eq!(
            (error.kind, error.outcome, error.token_id.as_deref()),
            (ErrorKind::InvalidResponse, outcome, Some(id.as_str())),
            "{action:?}: {}",
            error.message
        );
        assert!(error.message.contains("it is about another token"), "{}", error.message);
        assert_eq!(simulator.commits().len(), usize::from(changed), "{action:?}");
        assert!(simulator.faults().is_empty(), "{action:?}");
    }
}

#[tokio::test]
async fn what_goes_over_the_wire_is_exactly_this() {
    let (simulator, mut plugin, options) = setting().await;
    let account = simulator.account().clone();
    let id = simulator.add_token(&account, "token").token.id;
    let mut sent = String::new();
    let mut note = |label: &str, id: &str| {
        let request = simulator.requests().pop().expect("a request");
        sent.extend(["== ", label, "\n", &on_the_wire(&request, id), "\n\n"]);
    };
    let some = Some(&options);
    let (a, z) = (scope(&account), scope(simulator.zone()));
    plugin.list_page(&a, &first_page(), some).await.expect("listed");
    note("list-page, nothing asked", "");
    let all = ListPageParams {
        name: Some("a&b=c ".into()),
        search: Some("\u{e9}?".into()),
        page: Some(1),
        per_page: Some(50),
    };
    plugin.list_page(&a, &all, some).await.expect("listed");
    note("list-page, everything asked", "");
    plugin.list_page(&z, &all, some).await.expect("listed");
    note("list-page of a zone", "");
    plugin.list_all(&a, &everything(), some).await.expect("listed");
    note("list-all", "");
    plugin.get(&a, &id, some).await.expect("read");
    note("get", &id);
    plugin.update(&a, &id, &UpdateParams { enabled: Some(true), ..unchanged() }, some).await.expect("updated");
    note("update, one field given", &id);
    let all = UpdateParams {
        name: Some("n\u{e9}\u{1f511}\"\\\u{0}".into()),
        duration: Some("forever".into()),
        enabled: Some(false),
        client_secret_version: Some(2),
        previous_client_secret_expires_at: Some("2030-01-01T00:00:00+02:00".into()),
    };
    plugin.update(&a, &id, &all, some).await.expect("updated");
    note("update, everything given", &id);
    plugin.refresh(account.id(), &id, some).await.expect("refreshed");
    note("refresh", &id);
    plugin.rotate(account.id(), &id, &PreviousSecret::ExpiresNow, some).await.expect("rotated");
    note("rotate, the old secret ends now", &id);
    let later = PreviousSecret::ExpiresAt("2030-01-01T00:00:00Z".into());
    plugin.rotate(account.id(), &id, &later, some).await.expect("rotated");
    note("rotate, the old secret ends later", &id);
    plugin.delete(&a, &id, some).await.expect("deleted");
    note("delete", &id);
    let created = plugin.create(&z, &named("CI"), some).await.expect("created");
    note("create in a zone, only a name", &created.token.id);
    let mut everything = named("CI");
    everything.duration = Some("1h".into());
    everything.enabled = Some(false);
    everything.client_secret_version = Some(7);
    everything.previous_client_secret_expires_at = Some("2030-01-01T00:00:00Z".into());
    let key = Credentials::ApiKey(ApiKey { email: EMAIL.into(), key: API_KEY.into() });
    let headers = vec![
        header("X-Trace", "1"),
        header("X-Trace", "2"),
        header("User-Agent", "mine/1"),
        header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ];
    let by_key =
        RequestOptions { endpoint: Some(endpoint(key, simulator.base_url())), headers: Some(headers), ..options };
    plugin.create(&a, &everything, Some(&by_key)).await.expect("created");
    note("create, everything given, by key, with headers", "");
    insta::assert_snapshot!(sent);
}

#[tokio::test]
async fn ids_are_sent_encoded_and_never_as_a_path() {
    let (simulator, mut plugin, options) = setting().await;
    let a = scope(simulator.account());
    for (id, path) in [
        ("../x", "..%2Fx"),
        ("a?b#c", "a%3Fb%23c"),
        ("%2e%2e/", "%252e%252e%2F"),
        ("a\r\nX: y", "a%0D%0AX%3A%20y"),
        ("\u{1f511}", "%F0%9F%94%91"),
    ] {
        let error = plugin.delete(&a, id, Some(&options)).await.expect_err("no such token");
        assert_eq!(error.kind, ErrorKind::NotFound, "{id:?}: {}", error.message);
        let request = simulator.requests().pop().expect("a request");
        assert!(request.path.ends_with(&format!("/access/service_tokens/{path}")), "{}", request.path);
        assert_eq!(request.query, None);
    }
}

#[tokio::test]
async fn a_list_tells_where_it_stands_and_list_all_brings_every_token_once() {
    let simulator = Simulator::builder().zones_like_accounts().quota(500).start().await.expect("a simulator");
    let mut plugin = Host::shared().instance().await;
    let options = options(&simulator);
    let options = Some(&options);
    for home in both(&simulator) {
        let expected = simulator.add_tokens(&home, 105);
        let scope = scope(&home);
        let page = |page| ListPageParams { page, per_page: Some(50), ..first_page() };
        let first = plugin.list_page(&scope, &page(None), options).await.expect("listed");
        assert_eq!((first.tokens.len(), first.page, first.per_page, first.count), (50, Some(1), Some(50), Some(50)));
        assert_eq!((first.total_count, first.total_pages, first.next_page), (Some(105), Some(3), Some(2)));
        let last = plugin.list_page(&scope, &page(Some(3)), options).await.expect("listed");
        assert_eq!((last.tokens.len(), last.next_page), (5, None));

        simulator.clear_requests();
        let all = ListAllParams { per_page: Some(10), ..everything() };
        let tokens = plugin.list_all(&scope, &all, options).await.expect("listed");
        assert_eq!(tokens.iter().map(|token| token.id.as_str()).collect::<Vec<_>>(), expected);
        assert_eq!(simulator.request_count(), 11);

        let by_name = ListAllParams { name: Some("token 7".into()), ..everything() };
        let tokens = plugin.list_all(&scope, &by_name, options).await.expect("listed");
        assert_eq!(tokens.iter().map(|token| token.name.as_deref()).collect::<Vec<_>>(), [Some("token 7")]);
    }
}

#[tokio::test]
async fn a_zone_that_ignores_the_page_ends_the_list() {
    let simulator = Simulator::builder()
        .zones_like_accounts()
        .zone_lists(ListBehaviour::PageIgnored)
        .start()
        .await
        .expect("a simulator");
    let mut plugin = Host::shared().instance().await;
    let expected = simulator.add_tokens(simulator.zone(), 30);
    let all = ListAllParams { per_page: Some(10), ..everything() };
    let tokens = plugin.list_all(&scope(simulator.zone()), &all, Some(&options(&simulator))).await.expect("listed");
    assert_eq!(tokens.iter().map(|token| token.id.as_str()).collect::<Vec<_>>(), expected[..10]);
    assert!(simulator.request_count() <= 7, "{}", simulator.request_count());
}

#[tokio::test]
async fn a_list_that_ignores_the_page_ends_whatever_the_order_of_its_tokens() {
    let (mut plugin, replies) = Host::shared().instance_in_memory().await;
    let (simulator, _, options) = setting().await;
    let requests = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&requests);
    replies.set(move |_| {
        let request = count.fetch_add(1, Ordering::Relaxed);
        let tokens: Vec<_> =
            (0..10).map(|number| serde_json::json!({ "id": format!("{}", (number + request) % 10) })).collect();
        let info = serde_json::json!({ "per_page": 10, "count": 10, "total_count": 10_000, "total_pages": 1000 });
        let body = serde_json::json!({ "success": true, "result": tokens, "result_info": info });
        Reply::json(200, body.to_string())
    });
    let tokens = plugin.list_all(&scope(simulator.account()), &everything(), Some(&options)).await.expect("listed");
    assert_eq!(tokens.iter().map(|token| token.id.as_str()).collect::<Vec<_>>().concat(), "0123456789");
    assert!((2..=7).contains(&requests.load(Ordering::Relaxed)), "{requests:?}");
}

#[tokio::test]
async fn what_the_answer_leaves_out_is_none_and_what_it_adds_is_kept() {
    let (simulator, mut plugin, options) = setting().await;
    let id = simulator.add_token(simulator.account(), "token").token.id;
    let a = scope(simulator.account());
    let full = plugin.get(&a, &id, Some(&options)).await.expect("read");
    assert!(full.client_id.is_some() && full.duration.is_some() && full.expires_at.is_some());
    for field in
        ["client_id", "name", "duration", "enabled", "expires_at", "created_at", "updated_at", "client_secret_version"]
    {
        simulator.inject(FaultKind::missing(&format!("/result/{field}")));
        let token = plugin.get(&a, &id, Some(&options)).await.expect("read");
        let present = [
            ("client_id", token.client_id.is_some()),
            ("name", token.name.is_some()),
            ("duration", token.duration.is_some()),
            ("enabled", token.enabled.is_some()),
            ("expires_at", token.expires_at.is_some()),
            ("created_at", token.created_at.is_some()),
            ("updated_at", token.updated_at.is_some()),
            ("client_secret_version", token.client_secret_version.is_some()),
        ];
        for (name, is_present) in present {
            assert_eq!(is_present, name != field, "{name} without {field}");
        }
    }
    simulator.inject(FaultKind::replaced("/result/brand_new_field", serde_json::json!({"a": [1, null]})));
    let token = plugin.get(&a, &id, Some(&options)).await.expect("read");
    let [JsonField { name, json }] = &token.additional_fields[..] else { panic!("{:?}", token.additional_fields) };
    assert_eq!((name.as_str(), json.as_str()), ("brand_new_field", r#"{"a":[1,null]}"#));
}

#[tokio::test]
async fn any_2xx_with_success_is_a_success_whatever_notes_it_has() {
    let (simulator, mut plugin, options) = setting().await;
    let a = scope(simulator.account());
    for operation in [Operation::Create, Operation::List] {
        for kind in [FaultKind::ErrorsOnSuccess, FaultKind::NullMessageType] {
            simulator.inject(Fault::new(kind).on(operation));
            match operation {
                Operation::Create => drop(plugin.create(&a, &named("CI"), Some(&options)).await.expect("created")),
                _ => drop(plugin.list_page(&a, &first_page(), Some(&options)).await.expect("listed")),
            }
        }
    }
}

#[tokio::test]
async fn wrong_arguments_are_named_and_nothing_is_sent() {
    let (simulator, mut plugin, options) = setting().await;
    let a = scope(simulator.account());
    let check = |result: Result<(), Error>, expected: &str| {
        let error = result.expect_err(expected);
        assert_eq!((error.kind, error.outcome, error.attempts), (ErrorKind::InvalidArgument, Outcome::NotApplied, 0));
        let (_, said) = error.message.split_once(": ").expect("the function first");
        assert!(said.starts_with(expected), "{}", error.message);
    };
    let o = Some(&options);
    let account = |id: &str| ScopeArgument::Account(id.into());
    let params = |duration: Option<&str>, until: Option<&str>| UpdateParams {
        duration: duration.map(str::to_owned),
        previous_client_secret_expires_at: until.map(str::to_owned),
        ..unchanged()
    };
    for (id, rule) in
        [("", "id is empty"), (".", "id is \".\""), ("..", "id is \"..\""), (&"x".repeat(37), "id is \"xxx")]
    {
        check(plugin.get(&a, id, o).await.map(drop), rule);
        check(plugin.update(&a, id, &params(Some("1h"), None), o).await.map(drop), rule);
        check(plugin.delete(&a, id, o).await.map(drop), rule);
        check(plugin.refresh("a", id, o).await.map(drop), rule);
        check(plugin.rotate("a", id, &PreviousSecret::ExpiresNow, o).await.map(drop), rule);
    }
    for (id, rule) in [("", "account is empty"), ("..", "account is \"..\""), (&"x".repeat(33), "account is \"xxx")] {
        check(plugin.list_page(&account(id), &first_page(), o).await.map(drop), rule);
        check(plugin.list_all(&account(id), &everything(), o).await.map(drop), rule);
        check(plugin.create(&account(id), &named("CI"), o).await.map(drop), rule);
        check(plugin.refresh(id, "x", o).await.map(drop), rule);
    }
    let zone = ScopeArgument::Zone(String::new());
    check(plugin.get(&zone, "x", o).await.map(drop), "zone is empty");
    check(plugin.create(&a, &named(""), o).await.map(drop), "name is empty");
    check(plugin.create(&a, &named(&"n".repeat(1 << 20)), o).await.map(drop), "name is \"nnn");
    check(plugin.update(&a, "x", &unchanged(), o).await.map(drop), "params has no field: there is nothing to change");
    check(plugin.update(&a, "x", &params(Some("30d"), None), o).await.map(drop), "duration is \"30d\"");
    check(
        plugin.update(&a, "x", &params(None, Some("tomorrow")), o).await.map(drop),
        "previous-client-secret-expires-at is",
    );
    let soon = PreviousSecret::ExpiresAt("soon".into());
    check(plugin.rotate("a", "x", &soon, o).await.map(drop), "previous.expires-at is \"soon\"");
    check(plugin.list_page(&a, &ListPageParams { page: Some(0), ..first_page() }, o).await.map(drop), "page is 0");
    check(
        plugin.list_page(&a, &ListPageParams { per_page: Some(0), ..first_page() }, o).await.map(drop),
        "per-page is 0",
    );
    check(
        plugin.list_page(&a, &ListPageParams { name: Some(String::new()), ..first_page() }, o).await.map(drop),
        "name is empty",
    );
    assert_eq!(simulator.request_count(), 0);
}
