//! Credentials and client secrets are in no error, whatever fails and whatever a hostile server sends back.
//!
//! What came out is searched as a whole: the `Debug` of the error shows every field of it.

use std::sync::{Arc, Mutex};

use cloudflare_access_host_tests::lifecycle::{IssueError, IssueProgress};
use cloudflare_access_host_tests::requests::named;
use cloudflare_access_host_tests::types::{ApiKey, CreateParams, Credentials, Error, RequestOptions};
use cloudflare_access_host_tests::{Action, Host, Instance, RawServer, options, scope};
use cloudflare_access_simulator::{API_KEY, API_TOKEN, ClientSecret, EMAIL, Fault, FaultKind, Scope, Simulator};
use serde_json::{Value, json};
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

/// A function of the contract, in a form that a hostile server can make fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Service(Action),
    Expiring,
    RefreshExpiring,
    RotateWithOverlap,
    EndOverlap,
    ExtendOverlap,
    Find,
    Ensure,
    Issue,
    IssueAgain,
    ResolveCreate,
    Disable,
    Enable,
}

/// The name that is looked for and given.
const NAME: &str = "CI";
const ID: &str = "f174e90a-fafe-4643-bbbc-4a0ed4fc8415";

impl Function {
    fn all() -> Vec<Self> {
        let lifecycle = [
            Self::Expiring,
            Self::RefreshExpiring,
            Self::RotateWithOverlap,
            Self::EndOverlap,
            Self::ExtendOverlap,
            Self::Find,
            Self::Ensure,
            Self::Issue,
            Self::IssueAgain,
            Self::ResolveCreate,
            Self::Disable,
            Self::Enable,
        ];
        Action::ALL.into_iter().map(Self::Service).chain(lifecycle).collect()
    }

    /// Calls it. What comes back are its errors, and what an unfinished `issue` says about how to go on.
    async fn errors(
        self,
        plugin: &mut Instance,
        home: &Scope,
        options: &RequestOptions,
    ) -> (Vec<Error>, Option<IssueProgress>) {
        let (account, id, options) = (scope(home), home.id(), Some(options));
        let failed = |error: Option<Error>| (error.into_iter().collect(), None);
        let unfinished = |error: Option<IssueError>| match error {
            Some(IssueError { error, progress }) => (vec![error], progress),
            None => (Vec::new(), None),
        };
        let switched_off = CreateParams { enabled: Some(false), ..named(NAME) };
        let progress = IssueProgress {
            working_name: format!("{NAME} (being issued, 00112233445566778899aabbccddeeff)"),
            token_id: Some(ID.to_owned()),
        };
        match self {
            Self::Service(action) => failed(action.call(plugin, home, ID, options.expect("some")).await.err()),
            Self::Expiring => failed(plugin.expiring(&account, 3600, options).await.err()),
            Self::RefreshExpiring => match plugin.refresh_expiring(id, 3600, options).await {
                Ok(report) => (report.tokens.into_iter().filter_map(|token| token.refreshed.err()).collect(), None),
                Err(error) => failed(Some(error)),
            },
            Self::RotateWithOverlap => failed(plugin.rotate_with_overlap(id, ID, 3600, options).await.err()),
            Self::EndOverlap => failed(plugin.end_overlap(&account, ID, options).await.err()),
            Self::ExtendOverlap => failed(plugin.extend_overlap(&account, ID, 3600, options).await.err()),
            Self::Find => failed(plugin.find(&account, NAME, options).await.err()),
            Self::Ensure => failed(plugin.ensure(&account, &switched_off, options).await.err()),
            Self::Issue => unfinished(plugin.issue(id, &named(NAME), None, options).await.err()),
            Self::IssueAgain => unfinished(plugin.issue(id, &named(NAME), Some(&progress), options).await.err()),
            Self::ResolveCreate => {
                failed(plugin.resolve_create(&account, NAME, "2000-01-01T00:00:00Z", options).await.err())
            }
            Self::Disable => failed(plugin.disable(&account, ID, options).await.err()),
            Self::Enable => failed(plugin.enable(&account, ID, options).await.err()),
        }
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
    /// Whether the tokens have the name that is looked for or given.
    has_the_name: bool,
    /// What stands in every text of a refusal.
    text: String,
    refusal: Refusal,
    /// Whether the function tries again, whatever the server says, until its time is over.
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
        let asked = target.split_once("?name=").map(|(_, name)| name.split('&').next().unwrap_or_default());
        let given = serde_json::from_str::<Value>(body).ok().and_then(|body| Some(body["name"].as_str()?.to_owned()));
        let name =
            asked.map(|name| name.replace("%20", " ").replace("%28", "(").replace("%29", ")").replace("%2C", ","));
        let name = name.or(given).filter(|_| self.has_the_name).unwrap_or_else(|| noise.clone());
        let token = json!({
            "id": self.id, "name": name, "client_id": noise, "client_secret": NEW_SECRET, "duration": noise,
            "expires_at": long_ago(), "created_at": noise, "previous_client_secret_expires_at": long_ago(),
            "other": noise,
        });
        let is_list =
            head.starts_with("GET") && target.split('?').next().is_some_and(|path| path.ends_with("/service_tokens"));
        let twins = (0..self.twins).map(|twin| {
            let mut token = token.clone();
            if self.twins == 1 {
                // Only the refusal that follows shows that the id is a secret.
                token["client_secret"] = Value::Null;
            }
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
                    r#"{{"success":true,"result":{{"id":"{NEW_SECRET}","name":1,"name":2,"client_secret":"{NEW_SECRET}"}}}}"#
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
    let mut plots = Vec::new();
    for id in [ID, credential, NEW_SECRET, texts[0].as_str(), texts[1].as_str(), "..", "a/b"] {
        for (good, has_the_name) in [(0, true), (1, true), (2, true), (3, true), (9, true), (9, false)] {
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
                plots.push(Plot {
                    good,
                    twins,
                    id: id.to_owned(),
                    has_the_name,
                    text: text.clone(),
                    refusal,
                    goes_on: false,
                    credential,
                });
            }
        }
    }
    plots
}

/// Every text of an error is short, on one line, and without a secret.
fn assert_harmless(error: &Error, secrets: &[&str], case: &str) {
    assert_silent(error, secrets, case);
    let api = error.api_errors.iter().flat_map(|error| {
        let chain = error.chain.iter().map(|cause| &cause.message);
        [Some(&error.message), error.documentation_url.as_ref(), error.pointer.as_ref()]
            .into_iter()
            .flatten()
            .chain(chain)
    });
    for text in api.chain(&error.ray_id).chain(&error.token_id) {
        assert!(text.chars().count() <= 501 && !text.contains(char::is_control), "{case}: {text:?}");
    }
    assert!(error.message.len() <= 2000, "{case}: {} bytes: {:.300}", error.message.len(), error.message);
}

/// The messages of all errors of a function that meets every plot.
async fn messages_against_every_plot(function: Function, credential: &'static str, given: Credentials) -> Vec<String> {
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
    let options = RequestOptions { credentials: Some(given), base_url: Some(server.base_url()), ..options(&simulator) };
    let secrets = [credential, NEW_SECRET];
    let mut plugin = Host::shared().instance().await;
    let mut messages = Vec::new();
    for plot in plots(credential) {
        let id = plot.id.chars().take(60).collect();
        let is_issue = matches!(function, Function::Issue | Function::IssueAgain);
        let plot = Plot { goes_on: is_issue && !matches!(plot.refusal, Refusal::Envelope), ..plot };
        let timeout = if plot.goes_on { 300 } else { 60_000 };
        let options =
            RequestOptions { timeout_ms: Some(timeout), attempt_timeout_ms: Some(timeout), ..options.clone() };
        let case = format!("{function:?}, {:?}", Plot { id, text: String::new(), ..plot.clone() });
        {
            let mut state = state.lock().expect("no answer panics");
            (state.0, state.1) = (plot, 0);
        }
        let (errors, progress) = function.errors(&mut plugin, simulator.account(), &options).await;
        for error in errors {
            assert_harmless(&error, &secrets, &case);
            messages.push(error.message);
        }
        let progress = format!("{progress:?}");
        assert!(progress.len() < 500 && secrets.iter().all(|secret| !progress.contains(secret)), "{case}: {progress}");
    }
    // At least the four refusals of the first request.
    assert!(messages.len() >= 4, "{function:?} met {} errors", messages.len());
    let lines = &state.lock().expect("no answer panics").2;
    assert!(lines.iter().all(|line| !line.contains(credential)), "{function:?} sent the credential in a path");
    messages
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_function_lets_a_server_put_a_secret_a_line_break_or_a_long_text_into_an_error() {
    // Credentials that could be an id and a ray id.
    let (token, key) = ("short-Token_1234", "0123456789abcdef");
    let mut running = JoinSet::new();
    for (credential, given) in [token, key].into_iter().zip(credentials(token, key)) {
        for function in Function::all() {
            running.spawn(messages_against_every_plot(function, credential, given.clone()));
        }
    }
    let messages = running.join_all().await.concat();
    // Those that a lifecycle function makes itself, with text of the server in them.
    for part in [
        "7 tokens have this name",
        "is now named",
        "the old secret ended at 2000-01-01T00:00:00Z",
        "the server names a token by",
        "; a token exists and is not finished",
        " exists and is not finished",
        "[redacted]",
    ] {
        assert!(messages.iter().any(|message| message.contains(part)), "no error with {part:?}");
    }
}
