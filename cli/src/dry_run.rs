//! What a command would send: the requests that change something, without secrets, for `--dry-run`.
//!
//! A command that is run this way reads what it must to know its requests, prints them, and sends none of them.

use cloudflare_access_host::{CreateParams, Scope, UpdateParams};
use serde_json::{Map, Value, json};

use crate::arguments::Output;
use crate::failure::Failure;
use crate::output;

/// A request that changes something.
#[derive(Debug, PartialEq)]
pub struct Request {
    method: &'static str,
    path: String,
    body: Option<Value>,
}

impl Request {
    /// Makes a token.
    pub fn create(scope: &Scope, params: &CreateParams) -> Self {
        let body = body([
            ("name", Some(params.name.clone().into())),
            ("duration", params.duration.as_ref().map(|duration| duration.as_str().into())),
            ("enabled", params.enabled.map(Value::from)),
            ("client_secret_version", params.client_secret_version.map(Value::from)),
            ("previous_client_secret_expires_at", params.previous_client_secret_expires_at.clone().map(Value::from)),
        ]);
        Self { method: "POST", path: collection(scope), body: Some(body) }
    }

    /// Changes a token.
    pub fn update(scope: &Scope, id: &str, params: &UpdateParams) -> Self {
        let body = body([
            ("name", params.name.clone().map(Value::from)),
            ("duration", params.duration.as_ref().map(|duration| duration.as_str().into())),
            ("enabled", params.enabled.map(Value::from)),
            ("client_secret_version", params.client_secret_version.map(Value::from)),
            ("previous_client_secret_expires_at", params.previous_client_secret_expires_at.clone().map(Value::from)),
        ]);
        Self { method: "PUT", path: token(scope, id), body: Some(body) }
    }

    /// Ends a token.
    pub fn delete(scope: &Scope, id: &str) -> Self {
        Self { method: "DELETE", path: token(scope, id), body: None }
    }

    /// Lets a token live a year longer.
    pub fn refresh(scope: &Scope, id: &str) -> Self {
        Self { method: "POST", path: token(scope, id) + "/refresh", body: None }
    }

    /// Gives a token a new secret; the old one passes until a time, or ends.
    pub fn rotate(scope: &Scope, id: &str, until: Option<&str>) -> Self {
        let body = Some(body([("previous_client_secret_expires_at", until.map(Value::from))]));
        Self { method: "POST", path: token(scope, id) + "/rotate", body }
    }
}

/// Prints the requests, in their order.
pub fn print(requests: &[Request], output: Output) -> Result<(), Failure> {
    output::write(&match output {
        Output::Json => {
            let requests = requests
                .iter()
                .map(|request| json!({ "method": request.method, "path": request.path, "body": request.body }));
            format!("{:#}\n", Value::from(requests.collect::<Vec<_>>()))
        }
        Output::Table | Output::Env => text(requests),
    })
}

fn text(requests: &[Request]) -> String {
    if requests.is_empty() {
        return "Nothing would be sent.\n".to_owned();
    }
    let lines = requests.iter().map(|request| {
        let body = request.body.as_ref().map(|body| format!(" {body}")).unwrap_or_default();
        format!("{} {}{body}\n", request.method, request.path)
    });
    format!("Would be sent, and was not:\n{}", lines.collect::<String>())
}

fn collection(scope: &Scope) -> String {
    match scope {
        Scope::Account(id) => format!("/accounts/{id}/access/service_tokens"),
        Scope::Zone(id) => format!("/zones/{id}/access/service_tokens"),
    }
}

fn token(scope: &Scope, id: &str) -> String {
    format!("{}/{id}", collection(scope))
}

fn body<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let fields = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(fields.collect::<Map<_, _>>())
}
