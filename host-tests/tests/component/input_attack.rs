//! Hostile arguments: no request leaves, or what was given arrives as exactly that and nothing else.

use cloudflare_access_host_tests::lifecycle::Selector;
use cloudflare_access_host_tests::requests::{everything, first_page, header, named, unchanged};
use cloudflare_access_host_tests::types::{
    ApiKey, CreateParams, Credentials, Endpoint, ErrorKind, ListAllParams, ListPageParams, Outcome, PreviousSecret,
    RequestOptions, Scope, UpdateParams,
};
use cloudflare_access_host_tests::{Action, Host, Instance, api_token, endpoint, options, scope};
use cloudflare_access_simulator::Simulator;

const NASTY: &str = "\r\nX-Injected: 1\r\n\r\nGET / HTTP/1.1\r\n";

async fn setting() -> (Simulator, Instance, RequestOptions) {
    let simulator = Simulator::start().await.expect("a simulator");
    let options = options(&simulator);
    (simulator, Host::shared().instance().await, options)
}

#[tokio::test]
async fn no_id_leaves_its_place_in_the_path() {
    let (simulator, mut plugin, options) = setting().await;
    for (id, encoded) in [
        ("../../user/tokens", "..%2F..%2Fuser%2Ftokens"),
        ("..\\..", "..%5C.."),
        ("x/rotate", "x%2Frotate"),
        ("x?per_page=1&a=b", "x%3Fper_page%3D1%26a%3Db"),
        ("x#y", "x%23y"),
        ("x;y=z", "x%3By%3Dz"),
        ("%2e%2e%2f", "%252e%252e%252f"),
        ("x y+z", "x%20y%2Bz"),
        ("x\r\nX-Injected: 1", "x%0D%0AX-Injected%3A%201"),
        ("\0", "%00"),
        ("\u{1f511}\u{202e}", "%F0%9F%94%91%E2%80%AE"),
        ("https://evil.example", "https%3A%2F%2Fevil.example"),
        ("...", "..."),
    ] {
        // As the id of a token, in each operation that takes one.
        for action in Action::all().filter(|action| action.takes_an_id()) {
            let home = simulator.account().clone();
            action.call(&mut plugin, &home, id, &options).await.expect_err("there is no such token");
            let request = simulator.requests().pop().expect("a request");
            let collection = format!("/client/v4/accounts/{}/access/service_tokens", home.id());
            let rest = request.path.strip_prefix(&format!("{collection}/{encoded}")).expect(&request.path);
            assert!(["", "/refresh", "/rotate"].contains(&rest), "{action:?}: {}", request.path);
            assert_eq!((request.query.as_deref(), request.header("x-injected")), (None, None));
        }
        // As the id of an account and of a zone.
        if id.chars().count() > 32 {
            continue;
        }
        for (home, kind) in [(Scope::Account(id.to_owned()), "accounts"), (Scope::Zone(id.to_owned()), "zones")] {
            plugin.list_page(&home, &first_page(), Some(&options)).await.expect_err("there is no such scope");
            let request = simulator.requests().pop().expect("a request");
            assert_eq!(request.target(), format!("/client/v4/{kind}/{encoded}/access/service_tokens"));
        }
        plugin.rotate(id, "x", &PreviousSecret::ExpiresNow, Some(&options)).await.expect_err("no such account");
        let request = simulator.requests().pop().expect("a request");
        assert_eq!(request.target(), format!("/client/v4/accounts/{encoded}/access/service_tokens/x/rotate"));
    }
}

#[tokio::test]
async fn what_reaches_a_header_has_no_line_breaks() {
    let (simulator, mut plugin, good) = setting().await;
    let with = |credentials: Credentials| RequestOptions {
        endpoint: Some(endpoint(credentials, simulator.base_url())),
        ..good.clone()
    };
    let key =
        |email: &str, key: &str| with(Credentials::ApiKey(ApiKey { email: email.to_owned(), key: key.to_owned() }));
    let pair = |name: &str, value: &str| RequestOptions { headers: Some(vec![header(name, value)]), ..good.clone() };
    for text in [NASTY, "a\rb", "a\nb", "a\0b", "a\u{7f}b", "a\u{85}b", "\u{1f511}", "a\tb"] {
        let mixed = format!("x{text}");
        for options in [
            with(Credentials::ApiToken(mixed.clone())),
            key(&mixed, "k"),
            key("a@b.example", &mixed),
            pair("x-a", &mixed),
            pair(&mixed, "v"),
            pair("user-agent", &mixed),
        ] {
            let error = plugin.create(&scope(simulator.account()), &named("CI"), Some(&options)).await.expect_err(text);
            assert_eq!((error.kind, error.attempts), (ErrorKind::InvalidConfiguration, 0), "{}", error.message);
            assert_eq!((error.outcome, error.message.lines().count()), (Outcome::NotApplied, 1));
        }
    }
    assert_eq!(simulator.request_count(), 0);
}

#[tokio::test]
async fn a_base_url_leads_only_where_it_says_and_only_over_tls_or_to_this_machine() {
    let (simulator, mut plugin, good) = setting().await;
    let port = simulator.address().port();
    for url in [
        &format!("http://user:pass@127.0.0.1:{port}/client/v4"),
        &format!("http://127.0.0.1:{port}/client/v4?x=y"),
        &format!("http://127.0.0.1:{port}/client/v4#x"),
        &format!("http://127.0.0.1:{port}/client/v4{NASTY}"),
        &format!("http://127.0.0.1:{port}{NASTY}/client/v4"),
        "http://api.cloudflare.com/client/v4",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://127.0.0.1@evil.example",
        "http://evil.example#@127.0.0.1",
        "http://0x7f.1",
        "http://2130706433",
        "http://0.0.0.0",
        "http://[::]",
        "http://[::ffff:10.0.0.1]",
        "file:///etc/passwd",
        "//evil.example",
        "javascript:alert(1)",
        "https://",
        "",
        &format!("https://evil.example/{}", "x".repeat(100_000)),
    ] {
        let options = RequestOptions { endpoint: Some(endpoint(api_token(), url)), ..good.clone() };
        let error = plugin.create(&scope(simulator.account()), &named("CI"), Some(&options)).await.expect_err(url);
        let shown: String = url.chars().take(60).collect();
        assert_eq!((error.kind, error.attempts), (ErrorKind::InvalidConfiguration, 0), "{shown}: {}", error.message);
        assert!(error.message.lines().count() == 1 && error.message.len() < 500, "{shown}");
    }
    assert_eq!((simulator.request_count(), simulator.connections()), (0, 0));
}

#[tokio::test]
async fn what_is_too_large_for_a_request_is_refused_before_it_can_end_the_instance() {
    let (simulator, mut plugin, good) = setting().await;
    let large = "x".repeat(1 << 20);
    let token = |token: String| RequestOptions {
        endpoint: Some(endpoint(Credentials::ApiToken(token), simulator.base_url())),
        ..good.clone()
    };
    let one = |name: &str, value: &str| RequestOptions { headers: Some(vec![header(name, value)]), ..good.clone() };
    let many = (0..10_000).map(|number| header(format!("x-{number}"), "v")).collect();
    for options in [
        token(large.clone()),
        one("x-a", &large),
        one(&format!("x{large}"), "v\0"),
        one("user-agent", &large),
        RequestOptions { headers: Some(many), ..good.clone() },
    ] {
        let error = plugin.create(&scope(simulator.account()), &named("CI"), Some(&options)).await.expect_err("large");
        assert_eq!((error.kind, error.attempts), (ErrorKind::InvalidConfiguration, 0), "{:.200}", error.message);
        assert!(error.message.len() < 500, "{} bytes", error.message.len());
    }
    let o = Some(&good);
    let home = scope(simulator.account());
    let update = UpdateParams { name: Some(large.clone()), ..unchanged() };
    let errors = [
        plugin.create(&home, &named(&large), o).await.map(drop),
        plugin.update(&home, "x", &update, o).await.map(drop),
        plugin.get(&home, &large, o).await.map(drop),
        plugin.list_page(&Scope::Zone(large.clone()), &first_page(), o).await.map(drop),
        plugin.list_page(&home, &ListPageParams { search: Some(large.clone()), ..first_page() }, o).await.map(drop),
        plugin.list_all(&home, &ListAllParams { name: Some(large.clone()), ..everything() }, o).await.map(drop),
        plugin.create(&home, &CreateParams { duration: Some(large.clone()), ..named("CI") }, o).await.map(drop),
        plugin.rotate("a", "x", &PreviousSecret::ExpiresAt(large.clone()), o).await.map(drop),
        plugin.find(&home, &Selector::Name(large.clone()), o).await.map(drop),
        plugin.find(&home, &Selector::ClientId(large.clone()), o).await.map(drop),
        plugin.ensure(&home, &named(&large), o).await.map(drop),
        plugin.issue("a", &named(&large), "key", o).await.map(drop),
        plugin.issue("a", &named("CI"), &large, o).await.map(drop),
        plugin.finish_issue("a", &large, o).await.map(drop),
        plugin.resolve_create(&home, "CI", &large, o).await.map(drop),
    ];
    for error in errors {
        let error = error.expect_err("1 MiB");
        assert_eq!((error.kind, error.attempts), (ErrorKind::InvalidArgument, 0));
        assert!(error.message.len() < 500, "{} bytes", error.message.len());
    }
    assert_eq!(simulator.request_count(), 0);
    // The most that is let through arrives.
    let headers = (0..64).map(|number| header(format!("x-{number:03}"), "v".repeat(250))).collect();
    let most = RequestOptions { headers: Some(headers), ..token("t".repeat(4096)) };
    let error = plugin.list_page(&home, &first_page(), Some(&most)).await;
    assert_eq!(error.expect_err("an unknown token").status, Some(403));
}

#[tokio::test]
async fn an_empty_base_url_or_credential_does_not_mean_that_of_the_environment() {
    let (simulator, mut plugin, good) = setting().await;
    for given in [
        endpoint(api_token(), " "),
        endpoint(Credentials::ApiToken(String::new()), simulator.base_url()),
        Endpoint { credentials: Credentials::ApiToken(" ".into()), base_url: None },
    ] {
        let options = RequestOptions { endpoint: Some(given), ..good.clone() };
        let error = plugin.list_page(&scope(simulator.account()), &first_page(), Some(&options)).await;
        let error = error.expect_err("refused");
        assert_eq!((error.kind, error.attempts), (ErrorKind::InvalidConfiguration, 0), "{}", error.message);
    }
    assert_eq!(simulator.request_count(), 0);
}

#[tokio::test]
async fn names_and_searches_of_any_characters_arrive_as_they_are() {
    let (simulator, mut plugin, options) = setting().await;
    let home = scope(simulator.account());
    for name in [
        "\0",
        "a\0b",
        "\u{1f511}\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
        "\u{202e}right to left",
        NASTY,
        "\"},{\"name\":\"x\"",
        "\\u0000 \\ \" / \u{8}\u{c}\u{2028}\u{fffd}\u{10ffff}",
        "a&name=b#c?d=e+f%20",
        &"\u{1f511}".repeat(350),
    ] {
        let token = plugin.create(&home, &named(name), Some(&options)).await.expect("created").token;
        assert_eq!(token.name.as_deref(), Some(name));
        assert_eq!(simulator.requests().pop().expect("a request").json(), serde_json::json!({ "name": name }));
        let by_name = ListPageParams { name: Some(name.to_owned()), search: Some(name.to_owned()), ..first_page() };
        let page = plugin.list_page(&home, &by_name, Some(&options)).await.expect("listed");
        assert!(page.tokens.iter().any(|found| found.id == token.id), "{name:?}");
        let query = simulator.requests().pop().and_then(|request| request.query).expect("a query");
        assert!(query.is_ascii() && !query.contains(char::is_control) && query.matches('&').count() == 1, "{query}");
    }
}
