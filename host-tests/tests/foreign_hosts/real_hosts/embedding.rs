//! The component in a Rust application, by wasmtime's own bindings.

use cloudflare_access_host_tests::lifecycle::{Clock, Ensured, RefreshParams, Selector};
use cloudflare_access_host_tests::types::{
    Credentials, Deletion, Endpoint, Error, IssuedToken, ListAllParams, ListPageParams, PreviousSecret, RequestOptions,
    Scope, ServiceToken,
};
use cloudflare_access_host_tests::{Host, Setup, requests};
use cloudflare_access_simulator::{API_TOKEN, Simulator};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::real_hosts::drivers::{Driver, at_once};

/// The shared host of the tests, an instance a call.
pub struct Embedding {
    environment: Vec<(&'static str, String)>,
}

impl Embedding {
    /// With the settings of the simulator in the environment.
    pub fn new(simulator: &Simulator) -> Self {
        // Compiles the component, which is not the time of the first call.
        let _ = Host::shared();
        Self {
            environment: vec![
                ("CLOUDFLARE_API_TOKEN", API_TOKEN.to_owned()),
                ("CLOUDFLARE_BASE_URL", simulator.base_url().to_owned()),
            ],
        }
    }
}

impl Driver for Embedding {
    fn title(&self) -> String {
        let lock = include_str!("../../../../Cargo.lock");
        let (_, version) = lock.split_once("name = \"wasmtime\"\nversion = \"").expect("wasmtime in Cargo.lock");
        format!("Rust, wasmtime {}", version.split('"').next().expect("its version"))
    }

    fn run(&mut self, step: &Value) -> Vec<Value> {
        let runtime = Handle::current();
        at_once(step, || {
            let setup = Setup { environment: self.environment.clone(), ..Setup::default() };
            runtime.block_on(call(setup, step)).unwrap_or_else(|error| failure(&error))
        })
    }
}

async fn call(setup: Setup, step: &Value) -> Result<Value, Error> {
    let text = |field: &str| step[field].as_str().map(str::to_owned);
    let number = |field: &str| step[field].as_u64().map(|number| u32::try_from(number).expect("a u32"));
    let (account, id) = (text("account").unwrap_or_default(), text("id").unwrap_or_default());
    let scope = text("zone").map_or_else(|| Scope::Account(account.clone()), Scope::Zone);
    let endpoint = |token| Endpoint { credentials: Credentials::ApiToken(token), base_url: text("base-url") };
    let options = RequestOptions {
        endpoint: text("api-token").map(endpoint),
        timeout_ms: number("timeout-ms"),
        max_retries: number("max-retries"),
        headers: text("header").map(|name| vec![requests::header(name, "from the test")]),
        ..requests::by_default()
    };
    let options = Some(&options);
    let named = || {
        let mut params = requests::named(&text("name").expect("a name"));
        params.duration = text("duration");
        params
    };
    let mut access = Host::shared().instance_with(setup).await;
    match step["operation"].as_str().expect("an operation") {
        "list-page" => {
            let params = ListPageParams { per_page: number("per-page"), ..requests::first_page() };
            let page = access.list_page(&scope, &params, options).await?;
            Ok(with("total", page.total_count, with("next", page.next_page, names(&page.tokens))))
        }
        "list-all" => {
            let params = ListAllParams { per_page: number("per-page"), ..requests::everything() };
            Ok(names(&access.list_all(&scope, &params, options).await?))
        }
        "get" => Ok(token(&access.get(&scope, &id, options).await?, None)),
        "create" => Ok(issued(&access.create(&scope, &named(), options).await?)),
        "update" => {
            let mut params = requests::unchanged();
            params.name = text("name");
            params.client_secret_version = number("client-secret-version");
            let updated = access.update(&scope, &id, &params, options).await?;
            Ok(token(&updated.token, updated.client_secret.as_deref()))
        }
        "delete" => Ok(match access.delete(&scope, &id, options).await? {
            Deletion::Deleted(deleted) => with("case", "deleted", token(&deleted, None)),
            Deletion::AlreadyGone => with("case", "already-gone", json!({"ok": {}})),
        }),
        "refresh" => Ok(token(&access.refresh(&account, &id, options).await?, None)),
        "rotate" => {
            let previous = text("expires-at").map_or(PreviousSecret::ExpiresNow, PreviousSecret::ExpiresAt);
            Ok(issued(&access.rotate(&account, &id, &previous, options).await?))
        }
        "expiring" => {
            let report = access.expiring(&scope, number("within-seconds").expect("seconds"), options).await?;
            let clock = if report.clock == Clock::Host { "host" } else { "server" };
            let [due, disabled] = [report.expiring, report.disabled].map(|tokens| {
                let tokens: Vec<_> = tokens.into_iter().map(|item| item.token).collect();
                names(&tokens)
            });
            let more = with("disabled", disabled["ok"]["names"].clone(), due);
            Ok(with("clock", clock, with("forever", names(&report.forever)["ok"]["names"].clone(), more)))
        }
        "refresh-expiring" => {
            let within_seconds = number("within-seconds").expect("seconds");
            let params = RefreshParams { within_seconds, name: text("name"), include_expired: false };
            let tokens = access.refresh_expiring(&account, &params, options).await?.tokens;
            let failed = tokens.iter().filter_map(|item| item.refreshed.as_ref().err());
            let failed: Vec<_> = failed.map(|error| failure(error)["err"]["kind"].clone()).collect();
            let due: Vec<_> = tokens.iter().map(|item| item.name.clone()).collect();
            Ok(json!({"ok": {"names": due, "failed": failed}}))
        }
        "rotate-with-overlap" => {
            let seconds = number("overlap-seconds").expect("seconds");
            Ok(issued(&access.rotate_with_overlap(&scope, &id, seconds, false, options).await?.issued))
        }
        "end-overlap" => Ok(token(&access.end_overlap(&scope, &id, options).await?, None)),
        "extend-overlap" => {
            let seconds = number("overlap-seconds").expect("seconds");
            Ok(token(&access.extend_overlap(&scope, &id, seconds, options).await?, None))
        }
        "find" => {
            let name = || Selector::Name(text("name").expect("a name"));
            let selector = text("client-id").map_or_else(name, Selector::ClientId);
            Ok(names(&access.find(&scope, &selector, options).await?))
        }
        "ensure" => Ok(match access.ensure(&scope, &named(), options).await? {
            Ensured::Created(created) => with("case", "created", issued(&created)),
            Ensured::Updated(updated) => with("case", "updated", token(&updated, None)),
            Ensured::Unchanged(unchanged) => with("case", "unchanged", token(&unchanged, None)),
        }),
        "issue" => Ok(issued(&access.issue(&account, &named(), &text("key").expect("a key"), options).await?)),
        "finish-issue" => Ok(token(&access.finish_issue(&account, &text("key").expect("a key"), options).await?, None)),
        "resolve-create" => {
            let (name, since) = (text("name").expect("a name"), text("since").expect("a time"));
            Ok(names(&access.resolve_create(&scope, &name, &since, options).await?))
        }
        "disable" => Ok(token(&access.disable(&scope, &id, options).await?, None)),
        "enable" => Ok(token(&access.enable(&scope, &id, options).await?, None)),
        other => panic!("no such operation: {other}"),
    }
}

fn names(tokens: &[ServiceToken]) -> Value {
    json!({"ok": {"names": tokens.iter().map(|token| token.name.clone()).collect::<Vec<_>>()}})
}

fn token(token: &ServiceToken, secret: Option<&str>) -> Value {
    json!({"ok": {
        "id": token.id, "name": token.name, "client-id": token.client_id, "enabled": token.enabled, "client-secret": secret,
    }})
}

fn issued(issued: &IssuedToken) -> Value {
    token(&issued.token, Some(&issued.client_secret))
}

fn with(field: &str, value: impl Into<Value>, mut outcome: Value) -> Value {
    outcome["ok"][field] = value.into();
    outcome
}

fn failure(error: &Error) -> Value {
    // The names of the contract, of which the generated enums are the CamelCase.
    let word = |name: String| {
        let mut kebab = String::new();
        for letter in name.chars() {
            if letter.is_ascii_uppercase() && !kebab.is_empty() {
                kebab.push('-');
            }
            kebab.push(letter.to_ascii_lowercase());
        }
        kebab
    };
    json!({"err": {
        "kind": word(format!("{:?}", error.kind).replace("ErrorKind::", "")),
        "outcome": word(format!("{:?}", error.outcome).replace("Outcome::", "")),
        "status": error.status,
        "attempts": error.attempts,
        "message": error.message,
    }})
}
