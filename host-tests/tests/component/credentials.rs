//! Where the component takes its settings from, and every mixture that it refuses, in a real host's environment.

use cloudflare_access_host_tests::requests::{by_default, first_page};
use cloudflare_access_host_tests::types::{
    ApiKey, Credentials, Endpoint, Error, ErrorKind, Outcome, RequestOptions, TokenPage,
};
use cloudflare_access_host_tests::{Host, Setup, endpoint, scope};
use cloudflare_access_simulator::{ACCOUNT_ID, API_KEY, API_TOKEN, EMAIL, RecordedRequest, Simulator};

const TOKEN: &str = "CLOUDFLARE_API_TOKEN";
const KEY: &str = "CLOUDFLARE_API_KEY";
const ADDRESS: &str = "CLOUDFLARE_EMAIL";
const BASE_URL: &str = "CLOUDFLARE_BASE_URL";
const REGION: &str = "CLOUDFLARE_COMPLIANCE_REGION";
const SCOPE: &str = "CLOUDFLARE_ACCESS_SCOPE";
const OPERATIONS: &str = "CLOUDFLARE_ACCESS_OPERATIONS";

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
    let listed = plugin.list_page(&scope(simulator.account()), &first_page(), options.as_ref()).await;
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

/// Options with this credential and no base URL.
fn credential(credentials: Credentials) -> RequestOptions {
    RequestOptions { endpoint: Some(Endpoint { credentials, base_url: None }), ..by_default() }
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
async fn what_files_and_shells_leave_around_a_value_is_taken_off() {
    let scope = format!("account:{ACCOUNT_ID}");
    for (before, after) in [("", "\n"), ("", "\r"), ("", "\r\n"), ("\u{feff}", ""), (" \t", " \u{a0}")] {
        let simulator = Simulator::start().await.expect("a simulator");
        let around = |value: &str| format!("{before}{value}{after}");
        let (base_url, scope, operations) = (around(simulator.base_url()), around(&scope), around("read"));
        let rest = [(BASE_URL, base_url.as_str()), (SCOPE, &scope), (OPERATIONS, &operations), (REGION, after)];
        let (token, key, address) = (around(API_TOKEN), around(API_KEY), around(EMAIL));
        for credential in [&[(TOKEN, token.as_str()), (KEY, after)][..], &[(KEY, &key), (ADDRESS, &address)]] {
            let (listed, _) = list_with(&[credential, &rest].concat(), None).await;
            listed.expect("listed");
        }
        let requests = simulator.requests();
        assert_eq!(requests[0].header("authorization"), Some(&*format!("Bearer {API_TOKEN}")));
        assert_eq!(
            (requests[1].header("x-auth-email"), requests[1].header("x-auth-key")),
            (Some(EMAIL), Some(API_KEY))
        );
    }
}

#[tokio::test]
async fn what_is_pasted_around_a_credential_is_refused_by_the_name_of_its_variable() {
    for (value, expected) in [
        ("\"t0ken-t0ken\"", "CLOUDFLARE_API_TOKEN has quotation marks around it"),
        ("'t0ken-t0ken'\n", "CLOUDFLARE_API_TOKEN has quotation marks around it"),
        ("Bearer t0ken-t0ken", "CLOUDFLARE_API_TOKEN begins with \"Bearer\""),
        ("bearer t0ken-t0ken\r\n", "CLOUDFLARE_API_TOKEN begins with \"Bearer\""),
        ("Authorization: t0ken-t0ken", "CLOUDFLARE_API_TOKEN has a space in it"),
    ] {
        let (listed, requests) = list_with(&[(TOKEN, value)], None).await;
        let error = listed.expect_err(value);
        assert_eq!((error.kind, error.attempts, requests.len()), (ErrorKind::InvalidConfiguration, 0, 0));
        assert!(error.message.contains(expected) && !error.message.contains("t0ken"), "{}", error.message);
    }
    refused(&[(KEY, "'k3y'"), (ADDRESS, "someone@example.com")], "CLOUDFLARE_API_KEY has quotation marks").await;
    refused(&[(KEY, "k3y"), (ADDRESS, "<a b@example.com>")], "CLOUDFLARE_EMAIL has a space in it").await;
}

#[tokio::test]
async fn an_endpoint_of_the_options_comes_before_the_environment() {
    let options = credential(Credentials::ApiKey(ApiKey { email: EMAIL.into(), key: API_KEY.into() }));
    let (listed, requests) = list_with(&[(TOKEN, "another"), (KEY, "and"), (ADDRESS, "more")], Some(options)).await;
    listed.expect("listed");
    assert_eq!(requests[0].header("x-auth-key"), Some(API_KEY));
    assert_eq!(requests[0].header("authorization"), None);
}

#[tokio::test]
async fn with_credentials_host_the_component_sends_none() {
    let (listed, requests) = list_with(&[(TOKEN, API_TOKEN)], Some(credential(Credentials::Host))).await;
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
    let own = endpoint(Credentials::ApiToken(API_TOKEN.into()), simulator.base_url());
    let options = RequestOptions { endpoint: Some(own), ..by_default() };
    let (listed, requests) =
        list_with(&[(TOKEN, "another"), (BASE_URL, "https://unused.example")], Some(options)).await;
    listed.expect("listed");
    assert!(requests.is_empty());
    assert_eq!(simulator.request_count(), 1);
}
