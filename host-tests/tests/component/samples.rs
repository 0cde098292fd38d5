//! Real answers of the API through the component, and the requests that Cloudflare's SDK sends beside the component's own.

use std::collections::BTreeSet;

use cloudflare_access_host_tests::requests::{by_default, first_page, named, unchanged};
use cloudflare_access_host_tests::types::{
    CreateParams, Error, ErrorKind, ListPageParams, PreviousSecret, RequestOptions, Scope, ServiceToken, UpdateParams,
};
use cloudflare_access_host_tests::{Host, Instance, RawServer, api_token, endpoint, options};
use cloudflare_access_simulator::Simulator;
use serde_json::{Value, json};

const ACCOUNT: &str = "023e105f4ecef8ad9ca31a8372d0c353";
const ID: &str = "6f0e0f0a-5a7e-4b7b-9a55-0d1c2b3a4f51";

/// Answers that were seen, in the words of the project: what they are, where they come from, and what they have.
fn samples() -> Vec<Value> {
    serde_json::from_str(include_str!("../../../simulator/schema/samples.json")).expect("samples")
}

/// A token as the component returns it, in the form of the answer.
fn shown(token: &ServiceToken, client_secret: Option<&str>) -> Value {
    let mut shown = json!({
        "id": token.id, "client_id": token.client_id, "client_secret": client_secret, "name": token.name,
        "duration": token.duration, "enabled": token.enabled, "expires_at": token.expires_at,
        "created_at": token.created_at, "updated_at": token.updated_at, "last_seen_at": token.last_seen_at,
        "client_secret_version": token.client_secret_version,
        "previous_client_secret_expires_at": token.previous_client_secret_expires_at,
    });
    let fields = shown.as_object_mut().expect("an object");
    fields.retain(|_, value| !value.is_null());
    for field in &token.additional_fields {
        fields.insert(field.name.clone(), serde_json::from_str(&field.json).expect("JSON"));
    }
    shown
}

/// What the component makes of an answer: the result in the form of the answer.
async fn read(operation: &str, plugin: &mut Instance, base_url: &str) -> Result<Value, Error> {
    let scope = Scope::Account(ACCOUNT.to_owned());
    let options =
        RequestOptions { endpoint: Some(endpoint(api_token(), base_url)), max_retries: Some(0), ..by_default() };
    let options = Some(&options);
    Ok(match operation {
        "list" => {
            let page = plugin.list_page(&scope, &first_page(), options).await?;
            page.tokens.iter().map(|token| shown(token, None)).collect()
        }
        "create" => {
            let issued = plugin.create(&scope, &named("nightly build"), options).await?;
            shown(&issued.token, Some(&issued.client_secret))
        }
        "rotate" => {
            let issued = plugin.rotate(ACCOUNT, ID, &PreviousSecret::ExpiresNow, options).await?;
            shown(&issued.token, Some(&issued.client_secret))
        }
        "update" => {
            let params = UpdateParams { enabled: Some(true), ..unchanged() };
            let updated = plugin.update(&scope, ID, &params, options).await?;
            shown(&updated.token, updated.client_secret.as_deref())
        }
        _ => shown(&plugin.get(&scope, ID, options).await?, None),
    })
}

#[tokio::test]
async fn every_real_answer_reaches_the_caller_whole() {
    let mut plugin = Host::shared().instance().await;
    for sample in samples() {
        let (what, operation) = (sample["what"].as_str().expect("text"), sample["operation"].as_str().expect("text"));
        let body = sample["answer"].to_string();
        let answer = format!(
            "HTTP/1.1 {} Sample\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            sample["status"],
            body.len()
        );
        let server = RawServer::start(move |_| answer.clone().into_bytes()).await;
        let result = read(operation, &mut plugin, &server.base_url()).await;
        if operation == "failure" {
            let error = result.expect_err(what);
            let code = sample["answer"]["errors"][0]["code"].as_u64();
            assert_eq!(error.api_errors.first().and_then(|error| error.code).map(u64::from), code, "{what}");
            let chained = sample["answer"]["errors"][0]["error_chain"][0]["code"].as_u64();
            let cause = error.api_errors.first().and_then(|error| error.chain.first()).and_then(|cause| cause.code);
            assert_eq!(cause.map(u64::from), chained, "{what}");
            assert_ne!(error.kind, ErrorKind::InvalidResponse, "{what}: {}", error.message);
        } else {
            assert_eq!(result.expect(what), sample["answer"]["result"], "{what}");
        }
    }
}

/// The query of a target as a set, since its order means nothing.
fn parts(target: &str) -> (String, BTreeSet<String>) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query = query.split('&').filter(|part| !part.is_empty());
    (path.to_owned(), query.map(str::to_owned).collect())
}

/// The requests that npm `cloudflare` 7.3.0 was seen to send for the same calls. Not among them: an `update` without any field, which
/// the component refuses, since it changes nothing.
#[tokio::test]
async fn requests_are_those_of_cloudflares_sdk() {
    let simulator = Simulator::builder().account(ACCOUNT).start().await.expect("a simulator");
    let mut plugin = Host::shared().instance().await;
    let (scope, options) = (Scope::Account(ACCOUNT.to_owned()), options(&simulator));
    let some = Some(&options);
    let tokens = format!("/client/v4/accounts/{ACCOUNT}/access/service_tokens");
    let one = |after: &str| format!("{tokens}/{ID}{after}");
    let end = "2030-01-01T00:00:00Z";

    let full = CreateParams {
        duration: Some("60m".to_owned()),
        enabled: Some(true),
        client_secret_version: Some(1),
        previous_client_secret_expires_at: Some("2014-01-01T05:20:00.12345Z".to_owned()),
        ..named("CI/CD token")
    };
    let page = ListPageParams {
        name: Some("name".to_owned()),
        search: Some("search".to_owned()),
        page: Some(1),
        per_page: Some(1000),
    };
    let renamed = UpdateParams { name: Some("CI/CD token".to_owned()), ..unchanged() };
    let longer = UpdateParams { duration: Some("17520h".to_owned()), ..renamed.clone() };
    let disabled = UpdateParams { enabled: Some(false), ..renamed };

    // What they are answered is no matter here.
    let _ = plugin.create(&scope, &named("CI/CD token"), some).await;
    let _ = plugin.create(&scope, &full, some).await;
    let _ = plugin.list_page(&scope, &page, some).await;
    let _ = plugin.get(&scope, ID, some).await;
    let _ = plugin.update(&scope, ID, &longer, some).await;
    let _ = plugin.update(&scope, ID, &disabled, some).await;
    let _ = plugin.refresh(ACCOUNT, ID, some).await;
    let _ = plugin.rotate(ACCOUNT, ID, &PreviousSecret::ExpiresNow, some).await;
    let _ = plugin.rotate(ACCOUNT, ID, &PreviousSecret::ExpiresAt(end.to_owned()), some).await;
    let _ = plugin.delete(&scope, ID, some).await;

    let expected = [
        ("POST", tokens.clone(), json!({"name": "CI/CD token"})),
        (
            "POST",
            tokens.clone(),
            json!({
                "name": "CI/CD token", "client_secret_version": 1, "duration": "60m", "enabled": true,
                "previous_client_secret_expires_at": "2014-01-01T05:20:00.12345Z",
            }),
        ),
        ("GET", format!("{tokens}?name=name&page=1&per_page=1000&search=search"), Value::Null),
        ("GET", one(""), Value::Null),
        ("PUT", one(""), json!({"name": "CI/CD token", "duration": "17520h"})),
        ("PUT", one(""), json!({"name": "CI/CD token", "enabled": false})),
        ("POST", one("/refresh"), Value::Null),
        ("POST", one("/rotate"), json!({})),
        ("POST", one("/rotate"), json!({"previous_client_secret_expires_at": end})),
        ("DELETE", one(""), Value::Null),
    ];
    let sent = simulator.requests();
    assert_eq!(sent.len(), expected.len());
    for (sent, (method, target, body)) in sent.iter().zip(expected) {
        assert_eq!((sent.method.as_str(), parts(&sent.target())), (method, parts(&target)));
        assert_eq!(sent.json(), body, "{method} {target}");
    }
}
