//! Where the component takes its settings from, and every mixture that it refuses, in a real host's environment.

use std::sync::{Arc, Mutex};

use cloudflare_access_host_tests::hooks::Destinations;
use cloudflare_access_host_tests::types::{ApiKey, Credentials, Error, ErrorKind, Outcome, RequestOptions, TokenPage};
use cloudflare_access_host_tests::{Action, Host, RawServer, Setup, requests::first_page, scope};
use cloudflare_access_simulator::{API_KEY, API_TOKEN, EMAIL, RecordedRequest, Simulator};

const TOKEN: &str = "CLOUDFLARE_API_TOKEN";
const KEY: &str = "CLOUDFLARE_API_KEY";
const ADDRESS: &str = "CLOUDFLARE_EMAIL";
const BASE_URL: &str = "CLOUDFLARE_BASE_URL";
const API_BASE_URL: &str = "CLOUDFLARE_API_BASE_URL";
const REGION: &str = "CLOUDFLARE_COMPLIANCE_REGION";

/// Lists with these variables, and what arrived.
async fn list_with(
    variables: &[(&'static str, &str)],
    options: Option<RequestOptions>,
) -> (Result<TokenPage, Error>, Vec<RecordedRequest>) {
    let simulator = Simulator::start().await.expect("a simulator");
    let mut environment: Vec<_> = variables.iter().map(|&(name, value)| (name, value.to_owned())).collect();
    if !variables.iter().any(|(name, _)| *name == BASE_URL) {
        environment.push((BASE_URL, simulator.base_url().to_owned()));
    }
    let mut plugin = Host::shared().instance_with(Setup { environment, ..Setup::default() }).await;
    let listed = plugin.list(&scope(simulator.account()), &first_page(), options.as_ref()).await;
    (listed, simulator.requests())
}

/// Expects a refusal before anything is sent, with this in its message and no value of a variable.
async fn refused(variables: &[(&'static str, &str)], expected: &str) {
    let (listed, requests) = list_with(variables, None).await;
    let error = listed.expect_err(expected);
    assert_eq!((error.kind, error.outcome, error.attempts), (ErrorKind::InvalidConfiguration, Outcome::NotApplied, 0));
    assert!(error.message.contains(expected), "{}", error.message);
    for (_, value) in variables.iter().filter(|(name, value)| *name != BASE_URL && !value.is_empty()) {
        assert!(!error.message.contains(value), "{}", error.message);
    }
    assert!(requests.is_empty());
}

fn some_options() -> RequestOptions {
    RequestOptions {
        credentials: None,
        base_url: None,
        timeout_ms: None,
        attempt_timeout_ms: None,
        max_retries: None,
        headers: Vec::new(),
    }
}

#[tokio::test]
async fn a_token_of_the_environment_is_sent_as_bearer_even_beside_a_lone_address() {
    for variables in [&[(TOKEN, API_TOKEN)][..], &[(TOKEN, API_TOKEN), (ADDRESS, EMAIL)]] {
        let (listed, requests) = list_with(variables, None).await;
        listed.expect("listed");
        assert_eq!(requests[0].header("authorization"), Some(&*format!("Bearer {API_TOKEN}")));
        assert_eq!((requests[0].header("x-auth-email"), requests[0].header("x-auth-key")), (None, None));
    }
}

#[tokio::test]
async fn a_key_of_the_environment_is_sent_with_its_address() {
    let (listed, requests) = list_with(&[(KEY, API_KEY), (ADDRESS, EMAIL)], None).await;
    listed.expect("listed");
    assert_eq!((requests[0].header("x-auth-email"), requests[0].header("x-auth-key")), (Some(EMAIL), Some(API_KEY)));
    assert_eq!(requests[0].header("authorization"), None);
}

#[tokio::test]
async fn options_come_before_the_environment() {
    let credentials = Some(Credentials::ApiKey(ApiKey { email: EMAIL.into(), key: API_KEY.into() }));
    let options = RequestOptions { credentials, ..some_options() };
    let (listed, requests) = list_with(&[(TOKEN, "another"), (KEY, "and"), (ADDRESS, "more")], Some(options)).await;
    listed.expect("listed");
    assert_eq!(requests[0].header("x-auth-key"), Some(API_KEY));
}

#[tokio::test]
async fn with_credentials_host_the_component_sends_none() {
    let options = RequestOptions { credentials: Some(Credentials::Host), ..some_options() };
    let (listed, requests) = list_with(&[(TOKEN, API_TOKEN)], Some(options)).await;
    assert_eq!(listed.expect_err("the simulator wants one").kind, ErrorKind::Unauthenticated);
    let names: Vec<_> = requests[0].headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    assert!(names.iter().all(|name| name != "authorization" && !name.starts_with("x-auth")), "{names:?}");
}

#[tokio::test]
async fn no_credential_is_refused() {
    refused(&[], "no credential: set CLOUDFLARE_API_TOKEN, or CLOUDFLARE_API_KEY with CLOUDFLARE_EMAIL").await;
}

#[tokio::test]
async fn an_empty_token_is_no_credential() {
    refused(&[(TOKEN, "")], "no credential").await;
}

#[tokio::test]
async fn a_key_without_an_address_is_refused() {
    refused(&[(KEY, "k3y")], "CLOUDFLARE_API_KEY is set without CLOUDFLARE_EMAIL").await;
}

#[tokio::test]
async fn an_address_without_a_key_is_refused() {
    refused(&[(ADDRESS, "someone@example.com")], "CLOUDFLARE_EMAIL is set without CLOUDFLARE_API_KEY").await;
}

#[tokio::test]
async fn a_token_beside_a_key_is_refused() {
    refused(&[(TOKEN, "t0ken"), (KEY, "k3y")], "CLOUDFLARE_API_TOKEN and CLOUDFLARE_API_KEY are both set").await;
}

#[tokio::test]
async fn a_token_beside_a_whole_pair_is_refused() {
    let variables = [(TOKEN, "t0ken"), (KEY, "k3y"), (ADDRESS, "someone@example.com")];
    refused(&variables, "CLOUDFLARE_API_TOKEN and CLOUDFLARE_API_KEY are both set").await;
}

#[tokio::test]
async fn a_service_key_is_refused_with_the_date_it_ended() {
    refused(&[("CLOUDFLARE_API_USER_SERVICE_KEY", "v1.0-x")], "service keys stopped working on 2026-09-30").await;
}

#[tokio::test]
async fn a_token_with_a_line_break_is_refused() {
    refused(&[(TOKEN, "t0ken\r\nx: y")], "CLOUDFLARE_API_TOKEN has a character that no header can carry").await;
}

#[tokio::test]
async fn a_base_url_of_the_environment_is_checked() {
    for (url, rule) in [
        ("http://api.cloudflare.com/client/v4", "plain http"),
        ("https://user:pass@api.cloudflare.com", "user information"),
        ("https://api.cloudflare.com/?a=b", "query or a fragment"),
        ("api.cloudflare.com", "must begin with https://"),
    ] {
        refused(&[(TOKEN, "t0ken"), (BASE_URL, url)], rule).await;
    }
}

#[tokio::test]
async fn a_base_url_of_the_options_wins_over_that_of_the_environment() {
    let simulator = Simulator::start().await.expect("a simulator");
    let options = RequestOptions {
        credentials: Some(Credentials::ApiToken(API_TOKEN.to_owned())),
        base_url: Some(simulator.base_url().into()),
        ..some_options()
    };
    let variables = [(TOKEN, "of-the-environment"), (BASE_URL, "https://unused.example"), (REGION, "fedramp_high")];
    let (listed, requests) = list_with(&variables, Some(options)).await;
    listed.expect("listed");
    assert!(requests.is_empty());
    assert_eq!(simulator.requests()[0].header("authorization"), Some(&*format!("Bearer {API_TOKEN}")));
}

#[tokio::test]
async fn the_credential_of_the_environment_does_not_go_to_a_base_url_of_the_caller() {
    let simulator = Simulator::start().await.expect("a simulator");
    let received = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&received);
    let callers = RawServer::start(move |request| {
        record.lock().expect("no request panics").push(String::from_utf8_lossy(request).into_owned());
        b"HTTP/1.1 404 x\r\ncontent-length: 0\r\n\r\n".to_vec()
    })
    .await;
    let key = [(KEY, API_KEY), (ADDRESS, EMAIL)];
    for credential in [&[(TOKEN, API_TOKEN)][..], &key, &[]] {
        let mut environment: Vec<_> = credential.iter().map(|&(name, value)| (name, value.to_owned())).collect();
        environment.push((BASE_URL, simulator.base_url().to_owned()));
        let options = RequestOptions { base_url: Some(callers.base_url()), ..some_options() };
        let mut plugin = Host::shared().instance_with(Setup { environment, ..Setup::default() }).await;
        for action in Action::ALL {
            let result = action.call(&mut plugin, simulator.account(), "id", &options).await;
            assert_eq!(*received.lock().expect("no request panics"), [""; 0], "{action:?}");
            let error = result.expect_err("refused");
            let expected = (ErrorKind::InvalidConfiguration, Outcome::NotApplied, 0);
            assert_eq!((error.kind, error.outcome, error.attempts), expected, "{action:?}");
            for part in ["base-url", "pass `credentials`", "CLOUDFLARE_BASE_URL in the environment"] {
                assert!(error.message.contains(part), "{}", error.message);
            }
        }
    }
    assert_eq!(simulator.request_count(), 0);
    // The control: with a credential of its own the same call reaches the caller's server, and takes nothing of the environment.
    let options = RequestOptions {
        credentials: Some(Credentials::ApiToken("of-the-caller".to_owned())),
        base_url: Some(callers.base_url()),
        ..some_options()
    };
    list_with(&[(TOKEN, API_TOKEN)], Some(options)).await.0.expect_err("404");
    let received = received.lock().expect("no request panics");
    assert!(received.len() == 1 && received[0].contains("Bearer of-the-caller") && !received[0].contains(API_TOKEN));
}

/// Where the request of a list goes with these variables: scheme, host and path, up to the account.
async fn destination(variables: &[(&'static str, &str)]) -> Result<String, Error> {
    let destinations = Destinations::default();
    let mut environment: Vec<_> = variables.iter().map(|&(name, value)| (name, value.to_owned())).collect();
    environment.push((TOKEN, API_TOKEN.to_owned()));
    let hooks = Some(Box::new(destinations.clone()) as _);
    let mut plugin = Host::shared().instance_with(Setup { environment, hooks, ..Setup::default() }).await;
    let account = cloudflare_access_host_tests::types::Scope::Account("a".to_owned());
    let error = plugin.list(&account, &first_page(), None).await.expect_err("nothing is let out");
    match destinations.noted().as_slice() {
        [] => Err(error),
        [destination] => Ok(destination.split("/accounts/").next().expect("a start").to_owned()),
        more => panic!("{more:?}"),
    }
}

#[tokio::test]
async fn a_credential_of_a_compliance_region_goes_to_the_api_of_that_region_alone() {
    const FED: &str = "https://api.fed.cloudflare.com/client/v4";
    const PUBLIC: &str = "https://api.cloudflare.com/client/v4";
    const PROXY: &str = "http://127.0.0.1:8787/client/v4";
    for (variables, expected) in [
        (&[][..], PUBLIC),
        (&[(REGION, "public")], PUBLIC),
        (&[(REGION, "")], PUBLIC),
        (&[(REGION, "fedramp_high")], FED),
        (&[(REGION, "fedramp_high"), (BASE_URL, FED)], FED),
        (&[(REGION, "fedramp_high"), (API_BASE_URL, FED), (BASE_URL, FED)], FED),
        (&[(API_BASE_URL, PROXY)], PROXY),
        (&[(API_BASE_URL, PROXY), (BASE_URL, PROXY)], PROXY),
    ] {
        assert_eq!(destination(variables).await.expect("sent"), expected, "{variables:?}");
    }
    for (variables, parts) in [
        (&[(REGION, "fedramp_high"), (BASE_URL, PUBLIC)][..], [REGION, BASE_URL]),
        (&[(REGION, "fedramp_high"), (API_BASE_URL, PUBLIC)], [REGION, API_BASE_URL]),
        (&[(REGION, "fedramp_high"), (BASE_URL, PROXY)], [REGION, BASE_URL]),
        (&[(REGION, "public"), (BASE_URL, FED)], [REGION, BASE_URL]),
        (&[(API_BASE_URL, FED), (BASE_URL, PUBLIC)], [API_BASE_URL, BASE_URL]),
        (&[(REGION, "fedramp_moderate")], [REGION, "\"fedramp_moderate\""]),
        (&[(REGION, "fedramp_high\r")], [REGION, "\"fedramp_high\\u{d}\""]),
        (&[(API_BASE_URL, "http://api.fed.cloudflare.com")], [API_BASE_URL, "plain http"]),
    ] {
        let error = destination(variables).await.expect_err("refused");
        assert_eq!((error.kind, error.attempts), (ErrorKind::InvalidConfiguration, 0), "{variables:?}");
        assert!(parts.iter().all(|part| error.message.contains(part)), "{}", error.message);
    }
}
