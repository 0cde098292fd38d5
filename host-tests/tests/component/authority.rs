//! What whoever deploys the component allows: where its credential goes, in which scope it may be used and by which functions.
//!
//! The host of these tests lets no request out, notes what would have left, and answers each with a refusal.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use cloudflare_access_host_tests::requests::by_default;
use cloudflare_access_host_tests::types::{ApiKey, Credentials, Endpoint, Error, ErrorKind, Outcome, RequestOptions};
use cloudflare_access_host_tests::{Action, Host, Instance, Setup};
use cloudflare_access_simulator::{ACCOUNT_ID, Scope, ScopeKind, ZONE_ID};
use http_body_util::{BodyExt, Full};
use wasmtime_wasi_http::{Error as HttpError, WasiBody, WasiHttpHooks};

const TOKEN: (&str, &str) = ("CLOUDFLARE_API_TOKEN", "the-credential-of-the-environment");
const OWN: &str = "the-credential-of-the-caller";
const BASE_URL: &str = "CLOUDFLARE_BASE_URL";
const API_BASE_URL: &str = "CLOUDFLARE_API_BASE_URL";
const REGION: &str = "CLOUDFLARE_COMPLIANCE_REGION";
const SCOPE: &str = "CLOUDFLARE_ACCESS_SCOPE";
const OPERATIONS: &str = "CLOUDFLARE_ACCESS_OPERATIONS";
const API: &str = "https://api.cloudflare.com/client/v4/";
const FEDRAMP: &str = "https://api.fed.cloudflare.com/client/v4/";
const ELSEWHERE: &str = "https://elsewhere.example/v4";
const ID: &str = "f174e90a-fafe-4643-bbbc-4a0ed4fc8415";

/// A request as it would have left: its URL, and all its headers as text.
#[derive(Clone, Debug)]
struct Sent {
    url: String,
    headers: String,
}

/// Notes a request, and answers that this is forbidden.
struct Noting(Arc<Mutex<Vec<Sent>>>);

type Io = Box<dyn Future<Output = Result<(), HttpError>> + Send>;
type Answered = Result<(http::Response<WasiBody>, Io), HttpError>;

impl WasiHttpHooks for Noting {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        _: Option<wasmtime_wasi_http::RequestOptions>,
        _: Io,
    ) -> Box<dyn Future<Output = Answered> + Send> {
        let sent = Sent { url: request.uri().to_string(), headers: format!("{:?}", request.headers()) };
        self.0.lock().expect("nothing panics").push(sent);
        Box::new(async {
            let body = Bytes::from_static(br#"{"success":false,"errors":[{"code":1,"message":"no"}],"result":null}"#);
            let body = Full::new(body).map_err(|never| match never {}).boxed_unsync();
            let answer = http::Response::builder().status(403).body(body).expect("an answer");
            Ok((answer, Box::new(async { Ok(()) }) as Io))
        })
    }
}

/// An instance with an environment, and what it sends.
struct Deployed {
    plugin: Instance,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl Deployed {
    async fn with(variables: &[(&'static str, &str)]) -> Self {
        let sent = Arc::new(Mutex::new(Vec::new()));
        let environment = variables.iter().map(|&(name, value)| (name, value.to_owned())).collect();
        let hooks: Box<dyn WasiHttpHooks> = Box::new(Noting(Arc::clone(&sent)));
        let setup = Setup { environment, hooks: Some(hooks), ..Setup::default() };
        Self { plugin: Host::shared().instance_with(setup).await, sent }
    }

    /// Calls a function, and returns its error (everything is refused) and what it sent.
    async fn call(&mut self, action: Action, home: &Scope, options: &RequestOptions) -> (Error, Vec<Sent>) {
        let error = action.call(&mut self.plugin, home, ID, options).await.expect_err("everything is refused");
        (error, std::mem::take(&mut *self.sent.lock().expect("nothing panics")))
    }
}

/// Options that name this endpoint, or none, and do not repeat.
fn options(endpoint: Option<(Credentials, Option<&str>)>) -> RequestOptions {
    let endpoint =
        endpoint.map(|(credentials, base_url)| Endpoint { credentials, base_url: base_url.map(str::to_owned) });
    RequestOptions { endpoint, max_retries: Some(0), ..by_default() }
}

/// Every way to use a credential that is not the caller's.
fn deployers() -> [RequestOptions; 3] {
    [
        options(None),
        options(Some((Credentials::Host, None))),
        options(Some((Credentials::Host, Some("https://api.cloudflare.com/client/v4")))),
    ]
}

/// Every way to bring a credential of one's own.
fn callers() -> [RequestOptions; 3] {
    let key = Credentials::ApiKey(ApiKey { email: "someone@example.com".into(), key: OWN.into() });
    [
        options(Some((Credentials::ApiToken(OWN.into()), None))),
        options(Some((Credentials::ApiToken(OWN.into()), Some(ELSEWHERE)))),
        options(Some((key, Some(ELSEWHERE)))),
    ]
}

fn assert_denied((error, sent): (Error, Vec<Sent>), action: Action, variable: &str) {
    let shown = format!("{action:?}: {}", error.message);
    assert_eq!(
        (error.kind, error.outcome, error.attempts),
        (ErrorKind::DeniedByHost, Outcome::NotApplied, 0),
        "{shown}"
    );
    assert!(error.message.starts_with(action.name()) && error.message.contains(variable), "{shown}");
    assert!(sent.is_empty(), "{shown}");
}

fn assert_sent((error, sent): (Error, Vec<Sent>), action: Action) {
    let shown = format!("{action:?}: {}", error.message);
    assert_eq!((error.kind, error.attempts > 0), (ErrorKind::Forbidden, true), "{shown}");
    assert!(!sent.is_empty(), "{shown}");
}

#[tokio::test]
async fn the_environments_credential_goes_to_the_environments_base_url_and_nowhere_else() {
    for (variables, base) in [
        (&[TOKEN][..], API),
        (&[TOKEN, (BASE_URL, "https://proxy.example/cf/")], "https://proxy.example/cf/"),
        (&[TOKEN, (API_BASE_URL, "https://proxy.example/cf")], "https://proxy.example/cf/"),
        (&[TOKEN, (REGION, "fedramp_high")], FEDRAMP),
    ] {
        let mut deployed = Deployed::with(variables).await;
        let account = ScopeKind::Account.with_id(ACCOUNT_ID);
        for action in Action::all() {
            let (_, sent) = deployed.call(action, &account, &options(None)).await;
            assert!(!sent.is_empty(), "{action:?}");
            for Sent { url, headers } in sent {
                assert!(url.starts_with(base) && headers.contains(TOKEN.1), "{action:?}: {url}");
            }
            for options in callers() {
                let (_, sent) = deployed.call(action, &account, &options).await;
                let named = options.endpoint.and_then(|endpoint| endpoint.base_url);
                assert!(!sent.is_empty(), "{action:?}");
                for Sent { url, headers } in sent {
                    let goes_to = named.as_deref().unwrap_or(base);
                    assert!(url.starts_with(goes_to), "{action:?}: {url} in place of {goes_to}");
                    assert!(headers.contains(OWN) && !headers.contains(TOKEN.1), "{action:?}: {url} {headers}");
                }
            }
            let (_, sent) = deployed.call(action, &account, &options(Some((Credentials::Host, Some(ELSEWHERE))))).await;
            assert!(!sent.is_empty(), "{action:?}");
            for Sent { url, headers } in sent {
                assert!(url.starts_with(ELSEWHERE) && !headers.contains(TOKEN.1), "{action:?}: {url} {headers}");
                assert!(!headers.contains("authorization") && !headers.contains("x-auth"), "{headers}");
            }
        }
    }
}

#[tokio::test]
async fn a_request_is_for_service_tokens_and_nothing_else_is_asked() {
    let mut deployed = Deployed::with(&[TOKEN]).await;
    for home in [ScopeKind::Account.with_id(ACCOUNT_ID), ScopeKind::Zone.with_id(ZONE_ID)] {
        let kind = if home.kind() == ScopeKind::Account { "accounts" } else { "zones" };
        let collection = format!("{API}{kind}/{}/access/service_tokens", home.id());
        for action in Action::all().filter(|action| action.exists_in(home.kind())) {
            let (_, sent) = deployed.call(action, &home, &options(None)).await;
            assert!(!sent.is_empty() && sent.iter().all(|sent| sent.url.starts_with(&collection)), "{sent:?}");
        }
    }
}

#[tokio::test]
async fn addresses_that_contradict_each_other_are_refused_by_the_names_of_their_variables() {
    for (variables, names) in [
        (&[(BASE_URL, "https://a.example"), (API_BASE_URL, "https://b.example")][..], &[BASE_URL, API_BASE_URL][..]),
        (&[(REGION, "fedramp_high"), (BASE_URL, "https://api.cloudflare.com/client/v4")], &[BASE_URL, REGION]),
        (&[(REGION, "fedramp_high"), (API_BASE_URL, "https://a.example")], &[API_BASE_URL, REGION]),
        (&[(REGION, "fedramp-high")], &[REGION]),
        (&[(API_BASE_URL, "http://a.example")], &[API_BASE_URL]),
    ] {
        let mut deployed = Deployed::with(&[&[TOKEN], variables].concat()).await;
        let account = ScopeKind::Account.with_id(ACCOUNT_ID);
        for options in [options(None), options(Some((Credentials::ApiToken(OWN.into()), None)))] {
            let (error, sent) = deployed.call(Action::Create, &account, &options).await;
            assert_eq!((error.kind, error.attempts, sent.len()), (ErrorKind::InvalidConfiguration, 0, 0));
            assert!(names.iter().all(|name| error.message.contains(name)), "{}", error.message);
        }
        // A caller who brings both is not concerned.
        let own = options(Some((Credentials::ApiToken(OWN.into()), Some(ELSEWHERE))));
        assert_sent(deployed.call(Action::Create, &account, &own).await, Action::Create);
    }
    for variables in [
        &[(REGION, "public"), (BASE_URL, "https://a.example/")][..],
        &[(BASE_URL, "https://a.example"), (API_BASE_URL, "https://a.example/")],
    ] {
        let mut deployed = Deployed::with(&[&[TOKEN], variables].concat()).await;
        let account = ScopeKind::Account.with_id(ACCOUNT_ID);
        let (_, sent) = deployed.call(Action::Create, &account, &options(None)).await;
        assert!(sent[0].url.starts_with("https://a.example/accounts/"), "{sent:?}");
    }
}

#[tokio::test]
async fn a_scope_confines_every_function_that_uses_the_deployers_credential() {
    let (account, zone) = (ScopeKind::Account.with_id(ACCOUNT_ID), ScopeKind::Zone.with_id(ZONE_ID));
    let others =
        [ScopeKind::Account.with_id(ZONE_ID), ScopeKind::Zone.with_id(ACCOUNT_ID), ScopeKind::Account.with_id("x")];
    for (value, own) in [(format!("account:{ACCOUNT_ID}"), &account), (format!("zone:{ZONE_ID}"), &zone)] {
        let mut deployed = Deployed::with(&[TOKEN, (SCOPE, &value)]).await;
        for action in Action::all() {
            for options in deployers() {
                for home in others.iter().chain([&account, &zone]).filter(|home| action.exists_in(home.kind())) {
                    let result = deployed.call(action, home, &options).await;
                    if home == own {
                        assert_sent(result, action);
                    } else {
                        assert_denied(result, action, SCOPE);
                    }
                }
            }
            for options in callers() {
                assert_sent(deployed.call(action, &others[0], &options).await, action);
            }
        }
    }
}

#[tokio::test]
async fn operations_confine_every_function_that_uses_the_deployers_credential() {
    let account = ScopeKind::Account.with_id(ACCOUNT_ID);
    for allowed in Action::all() {
        let mut deployed = Deployed::with(&[TOKEN, (OPERATIONS, allowed.name())]).await;
        for action in Action::all() {
            for options in deployers() {
                let result = deployed.call(action, &account, &options).await;
                if action.name() == allowed.name() {
                    assert_sent(result, action);
                } else {
                    assert_denied(result, action, OPERATIONS);
                }
            }
            for options in callers() {
                assert_sent(deployed.call(action, &account, &options).await, action);
            }
        }
    }
}

#[tokio::test]
async fn read_allows_what_changes_nothing_and_several_words_allow_each_of_them() {
    let account = ScopeKind::Account.with_id(ACCOUNT_ID);
    for (value, also) in
        [("read", &[][..]), ("read, refresh-expiring ,rotate", &[Action::RefreshExpiring, Action::Rotate])]
    {
        let mut deployed = Deployed::with(&[TOKEN, (OPERATIONS, value)]).await;
        for action in Action::all() {
            let result = deployed.call(action, &account, &options(None)).await;
            if !action.changes() || also.contains(&action) {
                assert_sent(result, action);
            } else {
                assert_denied(result, action, OPERATIONS);
            }
        }
    }
}

#[tokio::test]
async fn a_word_of_the_deployer_that_is_not_understood_stops_every_call_that_it_would_confine() {
    let account = ScopeKind::Account.with_id(ACCOUNT_ID);
    for (variable, value) in [
        (SCOPE, ACCOUNT_ID),
        (SCOPE, "accounts:x"),
        (SCOPE, "account:"),
        (SCOPE, "account: x"),
        (SCOPE, "account:.."),
        (SCOPE, "account:*"),
        (SCOPE, "account:a,account:b"),
        (SCOPE, "account:cfut_0123456789abcdefghijABCDEFGHIJ0123456789deadbeef"),
        (OPERATIONS, "reads"),
        (OPERATIONS, "Read"),
        (OPERATIONS, "read,,get"),
        (OPERATIONS, "read get"),
        (OPERATIONS, "list"),
        (OPERATIONS, "*"),
        (OPERATIONS, ","),
    ] {
        let mut deployed = Deployed::with(&[TOKEN, (variable, value)]).await;
        for action in Action::all() {
            for options in deployers() {
                let (error, sent) = deployed.call(action, &account, &options).await;
                assert_eq!(
                    (error.kind, error.outcome, error.attempts),
                    (ErrorKind::InvalidConfiguration, Outcome::NotApplied, 0),
                    "{value}: {}",
                    error.message
                );
                assert!(error.message.contains(variable) && !error.message.contains("cfut_"), "{}", error.message);
                assert!(sent.is_empty());
            }
        }
        for options in callers() {
            assert_sent(deployed.call(Action::Delete, &account, &options).await, Action::Delete);
        }
    }
}
