//! Credentials and client secrets are in no error, whatever fails and whatever a hostile server sends back.
//!
//! What came out is searched as a whole: the `Debug` of the error shows every field of it.

use std::sync::{Arc, Mutex};

use cloudflare_access_host_tests::requests::{by_default, header};
use cloudflare_access_host_tests::types::{ApiKey, Credentials, Error, RequestOptions};
use cloudflare_access_host_tests::{
    Action, Done, Host, ISSUE_KEY, Instance, NEW_NAME, RawServer, api_token, endpoint, options,
};
use cloudflare_access_simulator::{API_KEY, API_TOKEN, ClientSecret, EMAIL, Fault, FaultKind, Scope, Simulator};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// Both kinds of credential.
fn credentials(token: &str, key: &str) -> [Credentials; 2] {
    let key = ApiKey { email: EMAIL.to_owned(), key: key.to_owned() };
    [Credentials::ApiToken(token.to_owned()), Credentials::ApiKey(key)]
}

/// Options with this endpoint alone.
fn to(base_url: &str, credentials: Credentials) -> RequestOptions {
    RequestOptions { endpoint: Some(endpoint(credentials, base_url)), max_retries: Some(0), ..by_default() }
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
                    timeout_ms: Some(500),
                    max_retries: Some(0),
                    ..to(simulator.base_url(), credentials)
                };
                for action in Action::all() {
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
                    let options = to(&server.base_url(), credentials);
                    for action in [Action::ListPage, Action::Create] {
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
    let options = to(&server.base_url(), credentials);
    let mut plugin = Host::shared().instance().await;
    let error = Action::ListPage.call(&mut plugin, simulator.account(), "", &options).await.expect_err("500");
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
        headers: Some(vec![header("x-proxy-secret", proxy_secret)]),
        ..to(&server.base_url(), credentials("", API_KEY)[1].clone())
    };
    let mut plugin = Host::shared().instance().await;
    let error = Action::Create.call(&mut plugin, simulator.account(), "", &options).await.expect_err("400");
    assert_silent(&error, &[proxy_secret, client_secret, EMAIL], "an error of the API");
    assert_eq!(error.api_errors[0].message, "[redacted] [redacted] [redacted]");
}

#[tokio::test]
async fn a_header_that_holds_another_is_taken_out_whole() {
    let server = RawServer::start(|_| {
        let body = r#"{"success":false,"errors":[{"message":"<pre-hunter2hunter2-post> hunter2hunter2"}]}"#;
        format!("HTTP/1.1 400 x\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into()
    })
    .await;
    let simulator = Simulator::start().await.expect("a simulator");
    let headers = vec![header("x-proxy", "hunter2hunter2"), header("x-other", "pre-hunter2hunter2-post")];
    let options = RequestOptions { headers: Some(headers), ..to(&server.base_url(), api_token()) };
    let mut plugin = Host::shared().instance().await;
    let error = Action::Get.call(&mut plugin, simulator.account(), ID, &options).await.expect_err("400");
    assert_eq!(error.api_errors[0].message, "<[redacted]> [redacted]");
}

#[tokio::test]
async fn a_refused_credential_or_base_url_is_named_and_not_shown() {
    let secret = "s3cret-s3cret";
    let simulator = Simulator::start().await.expect("a simulator");
    let mut plugin = Host::shared().instance().await;
    let token = |token: String| to(simulator.base_url(), Credentials::ApiToken(token));
    let base = |url: String| to(&url, api_token());
    let header =
        |name: &str, value: String| RequestOptions { headers: Some(vec![header(name, value)]), ..options(&simulator) };
    for options in [
        token(format!("{secret}\r\n")),
        token(format!(" {secret}")),
        token(format!("Bearer {secret}")),
        token(secret.repeat(100_000)),
        base(format!("https://user:{secret}@api.example")),
        base(format!("https://api.example/?token={secret}")),
        base(format!("https://api.example/#{secret}")),
        header("authorization", secret.to_owned()),
        header(&format!("x-proxy-secret: {secret}"), String::new()),
        header(&format!("cfut_{secret}"), "name and value exchanged\n".to_owned()),
        header("x-proxy", format!("{secret}\0")),
        header("x-proxy", secret.repeat(100_000)),
    ] {
        let error = Action::ListPage.call(&mut plugin, simulator.account(), "", &options).await.expect_err("refused");
        assert_silent(&error, &[secret], "a refusal");
        assert_eq!(error.attempts, 0);
    }
    assert_eq!(simulator.request_count(), 0);
}

const ID: &str = "f174e90a-fafe-4643-bbbc-4a0ed4fc8415";

/// The errors of a call: its own, and those of the tokens in a report.
async fn errors_of(action: Action, plugin: &mut Instance, home: &Scope, options: &RequestOptions) -> Vec<Error> {
    match action.call(plugin, home, ID, options).await {
        Ok(Done::Refreshed(report)) => report.tokens.into_iter().filter_map(|token| token.refreshed.err()).collect(),
        Ok(_) => Vec::new(),
        Err(error) => vec![error],
    }
}

/// What a hostile server does in one call: answers some requests well, with tokens full of what it knows, and refuses the next.
#[derive(Clone, Debug)]
struct Plot {
    /// How many requests are answered well.
    good: usize,
    /// How many tokens have the name that is looked for.
    twins: usize,
    /// The id of every token.
    id: String,
    /// The name of a token to which the request gives none. None: every name is a forged line.
    name: Option<String>,
    /// Until when the secret before the current one passes.
    overlap_end: String,
    /// What stands in every text of a refusal.
    text: String,
    refusal: Refusal,
    /// Whether the function tries again until its time is over.
    goes_on: bool,
    credential: &'static str,
}

#[derive(Clone, Copy, Debug)]
enum Refusal {
    Envelope,
    Page,
    TokenOfNoUse,
}

/// The server's own secret, in no form that is known as one: as an id could be, and as a ray id could be.
const NEW_SECRET: &str = "9f1c2ab34cd56ef7";
/// A time that has passed, with a fraction of any length.
fn long_ago() -> String {
    format!("2000-01-01T00:00:00.{}Z", "0".repeat(10_000))
}

impl Plot {
    /// The answer to a request of the call, counted from 0.
    fn answer(&self, number: usize, request: &[u8]) -> Vec<u8> {
        if number < self.good { self.token_or_tokens(request) } else { self.refusal() }
    }

    fn token_or_tokens(&self, request: &[u8]) -> Vec<u8> {
        let noise = &forged_line(self.credential);
        let text = String::from_utf8_lossy(request);
        let (head, body) = text.split_once("\r\n\r\n").expect("a whole request");
        let target = head.split(' ').nth(1).expect("a target");
        let given = serde_json::from_str::<Value>(body).ok().and_then(|body| Some(body["name"].as_str()?.to_owned()));
        let name = given.or(self.name.clone()).filter(|_| self.name.is_some()).unwrap_or_else(|| noise.clone());
        let token = json!({
            "id": self.id, "name": name, "client_id": noise, "client_secret": NEW_SECRET, "duration": noise,
            "expires_at": long_ago(), "created_at": noise, "previous_client_secret_expires_at": self.overlap_end,
            "client_secret_version": 7, "other": noise,
        });
        let is_list =
            head.starts_with("GET") && target.split('?').next().is_some_and(|path| path.ends_with("/service_tokens"));
        let twins = (0..self.twins).map(|twin| {
            let mut token = token.clone();
            // The same id twice is one token.
            token["id"] = if twin == 0 { json!(self.id) } else { json!(format!("{}{twin}", self.id)) };
            token
        });
        let result = if is_list { twins.collect() } else { token };
        self.http(200, "application/json", &json!({"success": true, "result": result}).to_string())
    }

    fn refusal(&self) -> Vec<u8> {
        let Self { text, credential, .. } = self;
        match self.refusal {
            Refusal::Envelope => {
                let count = if text.len() > 1000 { 1 } else { 5 };
                let cause = json!({"code": credential, "message": text});
                let error = json!({
                    "code": NEW_SECRET, "message": text, "documentation_url": text, "source": {"pointer": text},
                    "error_chain": vec![cause; count],
                });
                let result = json!({"id": NEW_SECRET, "client_secret": NEW_SECRET});
                let body = json!({"success": false, "errors": vec![error; count], "result": result});
                self.http(403, "application/json", &body.to_string())
            }
            Refusal::Page => {
                let kind = format!("text/{credential}-{NEW_SECRET}");
                self.http(
                    403,
                    &kind,
                    &format!(
                        "Ray ID: {credential} Ray ID: <b>{NEW_SECRET}</b> \"client_secret\":\"{NEW_SECRET}\" {text}"
                    ),
                )
            }
            Refusal::TokenOfNoUse => {
                let body = format!(
                    r#"{{"success":true,"result":{{"id":"{NEW_SECRET}","client_secret":"{NEW_SECRET}","client_secret":"x"}}}}"#
                );
                self.http(200, "application/json", &body)
            }
        }
    }

    fn http(&self, status: u16, content_type: &str, body: &str) -> Vec<u8> {
        // A call that ends with its time may end before a body has come: then nobody knows the secret of that body.
        let ray = if self.goes_on { "x" } else { "cf-ray" };
        format!(
            "HTTP/1.1 {status} {NEW_SECRET}\r\ncontent-type: {content_type}\r\n{ray}: {NEW_SECRET}\r\n\
             ratelimit: {NEW_SECRET}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into()
    }
}

fn forged_line(credential: &str) -> String {
    format!("x\nINFO a forged line: {credential} {NEW_SECRET}\u{7}\u{1b}[31m\u{202e}\u{2028}")
}

/// The plots against one credential.
fn plots(credential: &'static str) -> Vec<Plot> {
    let known = format!("{credential} {NEW_SECRET}");
    let texts = [
        forged_line(credential),
        format!("{}{known}", "x".repeat(1 << 20)),
        // Of which the errors are read: those of a longer answer are not.
        format!("{known}{}{known}", "x".repeat(60_000)),
    ];
    let working_name = format!("{NEW_NAME} [issue:{ISSUE_KEY}]");
    let names = [Some(NEW_NAME.to_owned()), Some(working_name), None];
    let mut plots = Vec::new();
    for id in [ID, credential, NEW_SECRET, texts[0].as_str(), texts[2].as_str(), "..", "a/b"] {
        for (good, names) in [(0, &names[..1]), (1, &names[..2]), (2, &names[..2]), (3, &names[..2]), (9, &names[..])] {
            for name in names {
                for (twins, refusal) in
                    [(1, Refusal::Envelope), (2, Refusal::Page), (7, Refusal::Envelope), (1, Refusal::TokenOfNoUse)]
                {
                    // The ids of tokens play no part in a refusal.
                    if id != ID && (good == 0 || matches!(refusal, Refusal::TokenOfNoUse)) {
                        continue;
                    }
                    let text = match (id.len(), refusal) {
                        (..1000, _) | (_, Refusal::TokenOfNoUse) => &texts[0],
                        (_, Refusal::Page) => &texts[1],
                        (_, Refusal::Envelope) => &texts[2],
                    };
                    let overlap_end = if twins == 2 { forged_line(credential) } else { long_ago() };
                    let (id, name, text) = (id.to_owned(), name.clone(), text.clone());
                    let goes_on = false;
                    plots.push(Plot { good, twins, id, name, overlap_end, text, refusal, goes_on, credential });
                }
            }
        }
    }
    plots
}

/// What is wrong with the texts of an error: each is short, on one line, and without a secret.
fn harm_in(error: &Error, secrets: &[&str]) -> Option<&'static str> {
    let api = error.api_errors.iter().flat_map(|error| {
        let chain = error.chain.iter().map(|cause| &cause.message);
        [Some(&error.message), error.documentation_url.as_ref(), error.pointer.as_ref()]
            .into_iter()
            .flatten()
            .chain(chain)
    });
    let texts = api.chain(&error.ray_id).chain(&error.token_id).chain(&error.previous_secret_expires_at);
    let is_wild = |text: &String| text.chars().count() > 501 || text.contains(char::is_control);
    let shown = format!("{error:?}");
    if secrets.iter().any(|secret| shown.contains(secret)) {
        return Some("a secret");
    }
    if error.message.len() > 2000 {
        return Some("a long message");
    }
    (error.message.contains(char::is_control) || texts.into_iter().any(is_wild)).then_some("a wild text")
}

/// The messages of all errors of a function that meets every plot, and the cases in which one did harm.
async fn errors_against_every_plot(
    action: Action,
    credential: &'static str,
    given: Credentials,
) -> (Vec<String>, Vec<String>) {
    let simulator = Simulator::start().await.expect("a simulator");
    // What the server does now, the number of its next request, and the first line of every request so far.
    let state = Arc::new(Mutex::new((plots(credential).remove(0), 0, Vec::new())));
    let shared = Arc::clone(&state);
    let server = RawServer::start(move |request| {
        let mut state = shared.lock().expect("no answer panics");
        let (plot, number, lines) = &mut *state;
        *number += 1;
        lines.push(String::from_utf8_lossy(request).lines().next().unwrap_or_default().to_owned());
        plot.answer(*number - 1, request)
    })
    .await;
    let options = to(&server.base_url(), given);
    let secrets = [credential, NEW_SECRET];
    let mut plugin = Host::shared().instance().await;
    let (mut messages, mut harm) = (Vec::new(), Vec::new());
    for plot in plots(credential) {
        let id = plot.id.chars().take(60).collect();
        let overlap_end = plot.overlap_end.chars().take(60).collect();
        let plot = Plot { goes_on: action == Action::Issue && matches!(plot.refusal, Refusal::TokenOfNoUse), ..plot };
        let timeout = Some(if plot.goes_on { 300 } else { 60_000 });
        let options = RequestOptions { timeout_ms: timeout, attempt_timeout_ms: timeout, ..options.clone() };
        let case = format!("{action:?}, {:?}", Plot { id, overlap_end, text: String::new(), ..plot.clone() });
        {
            let mut state = state.lock().expect("no answer panics");
            (state.0, state.1) = (plot, 0);
        }
        for error in errors_of(action, &mut plugin, simulator.account(), &options).await {
            if let Some(what) = harm_in(&error, &secrets) {
                harm.push(format!("{what} in {:.700}\n    {case}", format!("{error:?}")));
            }
            messages.push(error.message);
        }
    }
    // At least the four refusals of the first request.
    assert!(messages.len() >= 4, "{action:?} met {} errors", messages.len());
    let lines = &state.lock().expect("no answer panics").2;
    if let Some(line) = lines.iter().find(|line| line.contains(credential)) {
        harm.push(format!("{action:?} sent the credential in a path: {line:.200}"));
    }
    (messages, harm)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_function_lets_a_server_put_a_secret_a_line_break_or_a_long_text_into_an_error() {
    // Credentials that could be an id and a ray id.
    let (token, key) = ("short-Token_1234", "0123456789abcdef");
    let mut running = JoinSet::new();
    for (credential, given) in [token, key].into_iter().zip(credentials(token, key)) {
        for action in Action::all() {
            running.spawn(errors_against_every_plot(action, credential, given.clone()));
        }
    }
    let (messages, harm): (Vec<_>, Vec<_>) = running.join_all().await.into_iter().unzip();
    let (messages, harm) = (messages.concat(), harm.concat());
    let first: Vec<_> = harm.iter().take(12).map(String::as_str).collect();
    assert!(harm.is_empty(), "{} of {} errors did harm:\n{}", harm.len(), messages.len(), first.join("\n"));
    // Those that a lifecycle function makes itself, with text of the server in them.
    for part in [
        "7 tokens have this name",
        "7 tokens are being issued under this key",
        "an overlap is running until",
        "the old secret ended at 2000-01-01T00:00:00Z",
        "it is about another token",
        "is under the working name",
        "[redacted]",
    ] {
        assert!(messages.iter().any(|message| message.contains(part)), "no error with {part:?}");
    }
}
