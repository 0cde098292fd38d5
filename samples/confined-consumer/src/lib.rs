//! A consumer that has no credential: it does its job with the component cloudflare_access, and then tries to get at more.
//!
//! `GET /?account=…&other-account=…&token=…&stranger=host:port` answers with what each attempt came to, as JSON: the value that it
//! got, or the kind and the message of the refusal. The tests run it in each host and compare.

use serde_json::{Value, json};
use support::bindings::cloudflare::access::service_tokens::{delete, list_all};
use support::bindings::cloudflare::access::types::{
    Credentials, Endpoint, Error, ListAllParams, RequestOptions, Scope,
};
use support::bindings::exports::wasi::http::incoming_handler::{Guest, IncomingRequest, ResponseOutparam};
use support::bindings::wasi::cli::environment::get_environment;
use support::http::{self, Answer};

struct ConfinedConsumer;

impl Guest for ConfinedConsumer {
    fn handle(request: IncomingRequest, response: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let parameter = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).unwrap_or_default()
        };
        let account = Scope::Account(parameter("account"));
        let stranger = format!("http://{}", parameter("stranger"));
        let elsewhere = |credentials| Endpoint { credentials, base_url: Some(stranger.clone()) };
        let report = json!({
            "the job": list(&account, None),
            "another account": list(&Scope::Account(parameter("other-account")), None),
            "delete": told(delete(&account, &parameter("token"), None).map(|_| json!("deleted"))),
            "the host's credential to another base URL": list(&account, Some(elsewhere(Credentials::Host))),
            "another base URL":
                list(&account, Some(elsewhere(Credentials::ApiToken("a-token-of-the-consumer".to_owned())))),
            "another host": match http::get(&stranger, &[]) {
                Ok(status) => json!({"ok": status}),
                Err(error) => json!({"kind": error.to_string()}),
            },
            "the environment": get_environment().into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        });
        Answer::json(200, report).send(response);
    }
}

/// Lists the tokens of a scope by their names.
fn list(scope: &Scope, endpoint: Option<Endpoint>) -> Value {
    let params = ListAllParams { name: None, search: None, per_page: None };
    let headers = None;
    let options =
        RequestOptions { endpoint, timeout_ms: None, attempt_timeout_ms: None, max_retries: Some(0), headers };
    told(
        list_all(scope, &params, Some(&options))
            .map(|tokens| tokens.into_iter().filter_map(|token| token.name).collect()),
    )
}

fn told(result: Result<Value, Error>) -> Value {
    match result {
        Ok(value) => json!({"ok": value}),
        Err(error) => json!({"kind": format!("{:?}", error.kind), "message": error.message}),
    }
}

support::bindings::export!(ConfinedConsumer with_types_in support::bindings);
