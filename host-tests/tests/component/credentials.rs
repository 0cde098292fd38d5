//! Where the component takes its settings from, and every mixture that it refuses, in a real host's environment.

use cloudflare_access_host_tests::types::{ApiKey, Credentials, Error, ErrorKind, Outcome, RequestOptions, TokenPage};
use cloudflare_access_host_tests::{Host, Setup, requests::first_page, scope};
use cloudflare_access_simulator::{API_KEY, API_TOKEN, EMAIL, RecordedRequest, Simulator};

const TOKEN: &str = "CLOUDFLARE_API_TOKEN";
const KEY: &str = "CLOUDFLARE_API_KEY";
const ADDRESS: &str = "CLOUDFLARE_EMAIL";
const BASE_URL: &str = "CLOUDFLARE_BASE_URL";

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
    let options = RequestOptions { base_url: Some(simulator.base_url().into()), ..some_options() };
    let (listed, requests) =
        list_with(&[(TOKEN, API_TOKEN), (BASE_URL, "https://unused.example")], Some(options)).await;
    listed.expect("listed");
    assert!(requests.is_empty());
    assert_eq!(simulator.request_count(), 1);
}
