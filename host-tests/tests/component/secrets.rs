//! Credentials and client secrets are in no error, whatever fails and whatever a hostile server sends back.
//!
//! What came out is searched as a whole: the `Debug` of the error shows every field of it.

use cloudflare_access_host_tests::types::{ApiKey, Credentials, Error, RequestOptions};
use cloudflare_access_host_tests::{Action, Host, RawServer, options};
use cloudflare_access_simulator::{API_KEY, API_TOKEN, ClientSecret, EMAIL, Fault, FaultKind, Simulator};
use tokio::task::JoinSet;

/// Both kinds of credential.
fn credentials(token: &str, key: &str) -> [Credentials; 2] {
    let key = ApiKey { email: EMAIL.to_owned(), key: key.to_owned() };
    [Credentials::ApiToken(token.to_owned()), Credentials::ApiKey(key)]
}

fn assert_silent(error: &Error, secrets: &[&str], case: &str) {
    let shown = format!("{error:?}");
    for secret in secrets {
        assert!(!shown.contains(secret), "{case}: {shown}");
    }
    let is_one_line = |text: &str| text.lines().count() <= 1 && !text.contains(char::is_control);
    assert!(is_one_line(&error.message), "{case}: {:?}", error.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_fault_of_any_operation_shows_a_credential_or_a_secret() {
    let mut running = JoinSet::new();
    for kind in FaultKind::all() {
        running.spawn(async move {
            let simulator = Simulator::start().await.expect("a simulator");
            let id = simulator.add_token(simulator.account(), "token").token.id;
            let mut plugin = Host::shared().instance().await;
            let mut errors = 0;
            for credentials in credentials(API_TOKEN, API_KEY) {
                let options = RequestOptions {
                    credentials: Some(credentials),
                    timeout_ms: Some(500),
                    max_retries: Some(0),
                    ..options(&simulator)
                };
                for action in Action::ALL {
                    simulator.clear_faults();
                    simulator.inject(Fault::new(kind.clone()));
                    let Err(error) = action.call(&mut plugin, simulator.account(), &id, &options).await else {
                        continue;
                    };
                    let issued = simulator.issued_secrets();
                    let mut secrets: Vec<_> = issued.iter().map(ClientSecret::expose).collect();
                    secrets.extend([API_TOKEN, API_KEY]);
                    assert_silent(&error, &secrets, &format!("{action:?} with {kind:?}"));
                    errors += 1;
                }
            }
            errors
        });
    }
    let errors: u32 = running.join_all().await.into_iter().sum();
    assert!(errors > 500, "{errors} errors were looked at");
}

/// Where a hostile server puts what it has got: `SECRET` becomes the credential of the request, as JSON text in a body.
const ECHOES: [(&str, &str); 16] = [
    ("", r#"{"success":false,"errors":[{"code":1000,"message":"you sent SECRET, SECRET"}]}"#),
    ("", r#"{"success":false,"errors":[{"code":10000,"message":"Bearer SECRET"},{"message":"SECRETSECRET"}]}"#),
    ("", r#"{"success":false,"errors":[{"code":1,"message":"m","documentation_url":"https://evil.example/?SECRET"}]}"#),
    ("", r#"{"success":false,"errors":[{"code":1,"message":"m","source":{"pointer":"/SECRET"}}]}"#),
    ("", r#"{"success":false,"errors":[{"code":6003,"message":"m","error_chain":[{"code":1,"message":"SECRET"}]}]}"#),
    ("", r#"{"success":false,"errors":["SECRET"]}"#),
    ("", r#"{"success":false,"errors":[{"code":"SECRET","message":"m"}]}"#),
    ("", r#"{"error":"SECRET"}"#),
    ("", r#"{"error":{"message":"SECRET"}}"#),
    ("", r#"{"success":true,"result":{"id":"SECRET","client_secret":7}}"#),
    ("", r#"{"success":true,"result":{"id":"SECRET","name":1,"name":2}}"#),
    ("", r#"{"success":"SECRET","SECRET":"SECRET"}"#),
    ("cf-ray: SECRET\r\n", r#"{"success":false,"errors":[{"code":1,"message":"m"}]}"#),
    ("content-type: text/SECRET\r\n", "<html>SECRET"),
    ("retry-after: SECRET\r\nratelimit: \"SECRET\";r=0;t=SECRET\r\n", "SECRET"),
    ("x: y\r\n", "<html>Ray ID: <strong>SECRET</strong></html>"),
];

/// The credential in the head of a request.
fn credential_of(request: &[u8]) -> String {
    let head = String::from_utf8_lossy(request).into_owned();
    let value = |name: &str| head.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned));
    let token = value("authorization: Bearer ");
    token.or_else(|| value("x-auth-key: ")).expect("a credential")
}

#[tokio::test]
async fn a_server_that_sends_the_credential_back_does_not_get_it_into_an_error() {
    // A token of today's form; one with all that JSON escapes; keys of 37 and of 16 hexadecimal digits, as a ray id has.
    let tokens = ["cfut_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcd1234", r#"a"b\c/d<e>f"#];
    let keys = ["0123456789abcdef0123456789abcdef01234", "9f1c2ab34cd56ef7"];
    let simulator = Simulator::start().await.expect("a simulator");
    for (headers, body) in ECHOES {
        for status in [200, 403, 500] {
            let server = RawServer::start(move |request| {
                let credential = credential_of(request);
                let in_json = credential.replace('\\', r"\\").replace('"', r#"\""#);
                let (headers, body) = (headers.replace("SECRET", &credential), body.replace("SECRET", &in_json));
                format!("HTTP/1.1 {status} {credential}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
                    .into()
            })
            .await;
            let mut plugin = Host::shared().instance().await;
            for (token, key) in tokens.into_iter().zip(keys) {
                for credentials in credentials(token, key) {
                    let options = RequestOptions {
                        credentials: Some(credentials),
                        base_url: Some(server.base_url()),
                        ..options(&simulator)
                    };
                    for action in [Action::List, Action::Create] {
                        let result = action.call(&mut plugin, simulator.account(), "id", &options).await;
                        let error = result.expect_err("a hostile answer");
                        assert_silent(&error, &[token, key], &format!("{status} {headers} {body}"));
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn a_part_of_a_key_that_looks_like_a_ray_id_is_none() {
    let key = "0123456789abcdef0123456789abcdef01234";
    let server = RawServer::start(|_| {
        let body = "Ray ID: 0123456789abcdef";
        format!("HTTP/1.1 500 x\r\ncf-ray: 89abcdef01234567-AMS\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into()
    })
    .await;
    let simulator = Simulator::start().await.expect("a simulator");
    let credentials = Credentials::ApiKey(ApiKey { email: EMAIL.to_owned(), key: key.to_owned() });
    let options =
        RequestOptions { credentials: Some(credentials), base_url: Some(server.base_url()), ..options(&simulator) };
    let mut plugin = Host::shared().instance().await;
    let error = Action::List.call(&mut plugin, simulator.account(), "", &options).await.expect_err("500");
    assert_eq!(error.ray_id, None);
}

#[tokio::test]
async fn a_secret_of_another_header_or_of_a_token_is_taken_out_too() {
    let proxy_secret = "proxy-pass-0123456789";
    let client_secret = "cfast_0123456789abcdefghijABCDEFGHIJ0123456789deadbeef";
    let server = RawServer::start(move |_| {
        let body = format!(r#"{{"success":false,"errors":[{{"message":"{proxy_secret} {client_secret} {EMAIL}"}}]}}"#);
        format!("HTTP/1.1 400 x\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into()
    })
    .await;
    let simulator = Simulator::start().await.expect("a simulator");
    let options = RequestOptions {
        credentials: Some(credentials("", API_KEY)[1].clone()),
        base_url: Some(server.base_url()),
        headers: vec![("x-proxy-secret".to_owned(), proxy_secret.to_owned())],
        ..options(&simulator)
    };
    let mut plugin = Host::shared().instance().await;
    let error = Action::Create.call(&mut plugin, simulator.account(), "", &options).await.expect_err("400");
    assert_silent(&error, &[proxy_secret, client_secret, EMAIL], "an error of the API");
    assert_eq!(error.api_errors[0].message, "[redacted] [redacted] [redacted]");
}

#[tokio::test]
async fn a_refused_credential_or_base_url_is_named_and_not_shown() {
    let secret = "s3cret-s3cret";
    let simulator = Simulator::start().await.expect("a simulator");
    let mut plugin = Host::shared().instance().await;
    let token =
        |token: String| RequestOptions { credentials: Some(Credentials::ApiToken(token)), ..options(&simulator) };
    let base = |url: String| RequestOptions { base_url: Some(url), ..options(&simulator) };
    let header =
        |name: &str, value: String| RequestOptions { headers: vec![(name.to_owned(), value)], ..options(&simulator) };
    for options in [
        token(format!("{secret}\r\n")),
        token(format!(" {secret}")),
        token(format!("Bearer {secret}")),
        token(secret.repeat(100_000)),
        base(format!("https://user:{secret}@api.example")),
        base(format!("https://api.example/?token={secret}")),
        base(format!("https://api.example/#{secret}")),
        header("authorization", secret.to_owned()),
        header("x-proxy", format!("{secret}\0")),
        header("x-proxy", secret.repeat(100_000)),
    ] {
        let error = Action::List.call(&mut plugin, simulator.account(), "", &options).await.expect_err("refused");
        assert_silent(&error, &[secret], "a refusal");
        assert_eq!(error.attempts, 0);
    }
    assert_eq!(simulator.request_count(), 0);
}
