//! What the guest executes for each call, in instructions of WebAssembly. They do not depend on the machine, so a change that
//! makes a call dearer or cheaper by more than a twentieth shows here and is written down: `UPDATE=1` rewrites
//! `fuel/instructions.json`.

use std::collections::BTreeMap;
use std::path::Path;

use cloudflare_access_host_tests::hooks::{Replies, Reply};
use cloudflare_access_host_tests::lifecycle::{RefreshParams, Selector};
use cloudflare_access_host_tests::requests::{by_default, everything, first_page, named, unchanged};
use cloudflare_access_host_tests::types::{
    CreateParams, Credentials, PreviousSecret, RequestOptions, Scope, UpdateParams,
};
use cloudflare_access_host_tests::{Host, Instance, endpoint};
use cloudflare_access_simulator::ACCOUNT_ID;
use serde_json::{Value, json};

const WRITTEN_DOWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/component/fuel/instructions.json");
/// The id of token 0.
const ID: &str = "00000000-9fd6-4d8e-a4c9-3d1c5b1b8a21";
/// A call is made this often, and the least counts: a pause more in an answer is no matter of the guest's.
const TIMES: usize = 3;

/// Numbers that differ from the first digit, as ids do.
fn spread(number: u32) -> u32 {
    number.wrapping_mul(2_654_435_761)
}

fn token(number: u32) -> Value {
    json!({
        "id": format!("{:08x}-9fd6-4d8e-a4c9-3d1c5b1b8a21", spread(number)),
        "client_id": format!("{number:032x}.access"),
        "name": format!("CI {number}"),
        "duration": "8760h",
        "enabled": true,
        "expires_at": "2099-11-24T12:00:00Z",
        "created_at": "2026-11-24T12:00:00Z",
        "updated_at": "2026-11-24T12:00:00Z",
        "last_seen_at": null,
        "client_secret_version": 1,
    })
}

fn with_secret() -> Reply {
    let mut token = token(0);
    token["client_secret"] = "5".repeat(64).into();
    answer(200, &json!({"success": true, "errors": [], "messages": [], "result": token}))
}

fn one() -> Reply {
    answer(200, &json!({"success": true, "errors": [], "messages": [], "result": token(0)}))
}

fn page(tokens: u32) -> Reply {
    let listed: Vec<_> = (0..tokens).map(token).collect();
    let info = json!({"page": 1, "per_page": 1000, "count": tokens, "total_count": tokens, "total_pages": 1});
    answer(200, &json!({"success": true, "errors": [], "messages": [], "result": listed, "result_info": info}))
}

fn refusal() -> Reply {
    answer(
        403,
        &json!({"success": false, "errors": [{"code": 10000, "message": "Authentication error"}], "result": null}),
    )
}

fn answer(status: u16, body: &Value) -> Reply {
    Reply::json(status, body.to_string())
}

fn options() -> RequestOptions {
    let token = Credentials::ApiToken("a-token-of-forty-characters-as-they-are-".to_owned());
    let api = endpoint(token, "https://api.cloudflare.com/client/v4");
    RequestOptions { endpoint: Some(api), max_retries: Some(0), ..by_default() }
}

/// Counts calls, and remembers under their names.
struct Counter {
    plugin: Instance,
    replies: Replies,
    counted: BTreeMap<String, u64>,
}

impl Counter {
    /// The fewest instructions of a call whose requests, counted from 0, are answered like this.
    async fn count<T>(&mut self, name: &str, reply: fn(usize) -> Reply, mut call: impl AsyncFnMut(&mut Instance) -> T) {
        let mut least = u64::MAX;
        for _ in 0..TIMES {
            let mut requests = 0;
            self.replies.set(move |_| {
                requests += 1;
                reply(requests - 1)
            });
            let before = self.plugin.instructions();
            call(&mut self.plugin).await;
            least = least.min(self.plugin.instructions() - before);
        }
        self.counted.insert(name.to_owned(), least);
    }
}

const ONE: fn(usize) -> Reply = |_| one();
const WITH_SECRET: fn(usize) -> Reply = |_| with_secret();
const PAGE: fn(usize) -> Reply = |_| page(20);

async fn counted() -> BTreeMap<String, u64> {
    let (plugin, replies) = Host::counting_instructions().instance_in_memory().await;
    let mut counter =
        Counter { counted: BTreeMap::from([("an instance".to_owned(), plugin.instructions())]), plugin, replies };
    let (options, account) = (options(), Scope::Account(ACCOUNT_ID.to_owned()));
    let (some, account) = (Some(&options), &account);
    count_service_tokens(&mut counter, account, some).await;
    count_lifecycle(&mut counter, account, some).await;
    counter.counted
}

async fn count_service_tokens(counter: &mut Counter, account: &Scope, some: Option<&RequestOptions>) {
    let renamed = UpdateParams { name: Some("CI 0".into()), ..unchanged() };
    let wanted = CreateParams { duration: Some("8760h".into()), ..named("CI 0") };
    counter.count("get", ONE, async |plugin| plugin.get(account, ID, some).await.expect("got")).await;
    let refused: fn(usize) -> Reply = |_| refusal();
    counter.count("get, refused", refused, async |plugin| plugin.get(account, ID, some).await.expect_err("no")).await;
    counter
        .count("list-page of 20", PAGE, async |plugin| {
            plugin.list_page(account, &first_page(), some).await.expect("listed")
        })
        .await;
    let thousand: fn(usize) -> Reply = |_| page(1000);
    counter
        .count("list-all of 1000 on a page", thousand, async |plugin| {
            plugin.list_all(account, &everything(), some).await.expect("listed")
        })
        .await;
    counter
        .count("create", WITH_SECRET, async |plugin| plugin.create(account, &wanted, some).await.expect("created"))
        .await;
    counter
        .count("update", ONE, async |plugin| plugin.update(account, ID, &renamed, some).await.expect("updated"))
        .await;
    counter.count("delete", ONE, async |plugin| plugin.delete(account, ID, some).await.expect("deleted")).await;
    counter.count("refresh", ONE, async |plugin| plugin.refresh(ACCOUNT_ID, ID, some).await.expect("refreshed")).await;
    let previous = PreviousSecret::ExpiresNow;
    counter
        .count("rotate", WITH_SECRET, async |plugin| {
            plugin.rotate(ACCOUNT_ID, ID, &previous, some).await.expect("rotated")
        })
        .await;
}

async fn count_lifecycle(counter: &mut Counter, account: &Scope, some: Option<&RequestOptions>) {
    let wanted = CreateParams { duration: Some("8760h".into()), ..named("CI 0") };
    counter
        .count("expiring among 20", PAGE, async |plugin| plugin.expiring(account, 86_400, some).await.expect("listed"))
        .await;
    let selector = Selector::Name("CI 7".to_owned());
    counter
        .count("find among 20", PAGE, async |plugin| plugin.find(account, &selector, some).await.expect("found"))
        .await;
    counter
        .count("ensure, unchanged among 20", PAGE, async |plugin| {
            plugin.ensure(account, &wanted, some).await.expect("there")
        })
        .await;
    counter
        .count("rotate-with-overlap", WITH_SECRET, async |plugin| {
            plugin.rotate_with_overlap(account, ID, 3600, false, some).await.expect("rotated")
        })
        .await;
    let list_then_token: fn(usize) -> Reply = |request| if request == 0 { page(20) } else { with_secret() };
    counter
        .count("issue beside 20", list_then_token, async |plugin| {
            plugin.issue(ACCOUNT_ID, &wanted, "key", some).await.expect("issued")
        })
        .await;
    counter.count("disable", ONE, async |plugin| plugin.disable(account, ID, some).await.expect("disabled")).await;
}

/// A list of tokens that shows a secret for each, then a refusal of 8 MiB in texts that are like those secrets.
fn secrets_then_refusal(secrets: u32, request: usize) -> Reply {
    if request == 0 {
        let secret = |number: u32| format!("{}{number:08}", "s".repeat(48));
        let tokens = (0..secrets).map(|number| {
            let expires_at = if number == 0 { "2026-11-24T12:00:00Z" } else { "2099-11-24T12:00:00Z" };
            json!({"id": number.to_string(), "client_secret": secret(number), "expires_at": expires_at})
        });
        return answer(200, &json!({"success": true, "result": tokens.collect::<Vec<_>>()}));
    }
    let cause = json!({"code": 1, "message": "s".repeat(8_000)});
    let error = json!({"code": 1, "message": "s".repeat(8_000), "error_chain": vec![cause; 50]});
    answer(403, &json!({"success": false, "errors": vec![error; 20]}))
}

#[tokio::test]
async fn a_refusal_of_8_mib_after_many_secrets_is_not_searched_for_long() {
    let (plugin, replies) = Host::counting_instructions().instance_in_memory().await;
    let mut counter = Counter { plugin, replies, counted: BTreeMap::new() };
    let (params, options) = (RefreshParams { within_seconds: 60, name: None, include_expired: true }, options());
    let few: fn(usize) -> Reply = |request| secrets_then_refusal(99, request);
    let many: fn(usize) -> Reply = |request| secrets_then_refusal(1000, request);
    for (secrets, reply) in [("as many as are kept out", few), ("a thousand", many)] {
        counter
            .count(secrets, reply, async |plugin| {
                let report = plugin.refresh_expiring(ACCOUNT_ID, &params, Some(&options)).await.expect("listed");
                let error = report.tokens[0].refreshed.as_ref().expect_err("refused");
                assert_eq!((error.status, error.attempts), (Some(403), 2));
            })
            .await;
    }
    assert!(counter.counted.values().all(|counted| *counted < 1_500_000_000), "{:?}", counter.counted);
}

/// The most instructions that a call may take, whatever is written down.
const BOUNDS: [(&str, u64); 2] = [("get", 50_000), ("list-all of 1000 on a page", 20_000_000)];

#[tokio::test]
async fn every_call_takes_the_instructions_that_are_written_down_within_a_twentieth() {
    let counted = counted().await;
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(Path::new(WRITTEN_DOWN).parent().expect("a folder")).expect("the folder");
        let text = serde_json::to_string_pretty(&counted).expect("JSON");
        return std::fs::write(WRITTEN_DOWN, text + "\n").expect("the file can be written");
    }
    for (name, most) in BOUNDS {
        assert!(counted[name] <= most, "{name}: {} instructions, at most {most}", counted[name]);
    }
    let written = std::fs::read_to_string(WRITTEN_DOWN).expect("instructions.json is there: UPDATE=1 makes it");
    let written: BTreeMap<String, u64> = serde_json::from_str(&written).expect("names and numbers");
    let apart = |name: &String, now: u64| written.get(name).is_none_or(|then| now.abs_diff(*then) * 20 > *then);
    let off: Vec<_> = counted.iter().filter(|(name, now)| apart(name, **now)).collect();
    assert!(off.is_empty(), "more than 5 % from what is written down (UPDATE=1 rewrites it): {off:?}");
    assert!(counted.keys().eq(written.keys()), "written down are {:?}", written.keys());
}
