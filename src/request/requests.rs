//! What is sent to the API: method, path, query, headers and body.
//!
//! Only what the caller gave is sent. Every request says its length, body or not: without it a host announces a body of
//! unknown length, even on a DELETE, which some servers refuse.

use serde::Serialize;

use crate::request::ids::{encoded, scope_argument};
use crate::request::{BaseUrl, Credentials, Settings, Target};

const JSON: &str = "application/json";
const USER_AGENT: &str = concat!("cloudflare-access/", env!("CARGO_PKG_VERSION"));

/// The methods that the API uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Put,
    Delete,
}

/// What sending a request does to the account, which decides what may follow a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing changes.
    Read,
    /// Something changes, and sending it twice does no more than sending it once.
    Change,
    /// A token or a secret is made each time it is sent, or only the first time, but only the answer to that time
    /// carries it.
    MakeSecret,
}

impl Effect {
    /// Returns whether it must not be sent again once it may have been processed.
    pub fn is_sent_once(self) -> bool {
        self == Self::MakeSecret
    }

    #[cfg(test)]
    pub const ALL: [Self; 3] = [Self::Read, Self::Change, Self::MakeSecret];
}

/// A request, ready to be sent as often as its effect allows. No `Debug`: the headers hold the credential.
pub struct Request<'a> {
    pub effect: Effect,
    pub method: Method,
    pub base: &'a BaseUrl,
    pub path_with_query: String,
    /// As `wasi:http` takes them: names in lower case, values in bytes.
    pub headers: Vec<(String, Vec<u8>)>,
    /// None sends no body at all, which is not the same as an empty JSON object.
    pub body: Option<Vec<u8>>,
    /// The token that it is about. None for a list and for a token that is to be made.
    pub target: Option<Target<'a>>,
}

/// The bodies of `create`, `update` and `rotate`, which share their fields. A field that is none is not sent.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct BodyFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret_version: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_client_secret_expires_at: Option<&'a str>,
}

/// Which tokens of a scope, and which page of them.
#[derive(Clone, Copy, Default)]
pub struct Query<'a> {
    pub name: Option<&'a str>,
    pub search: Option<&'a str>,
    pub page: Option<u32>,
    pub per_page: Option<u32>,
}

impl Query<'_> {
    /// Returns the query as it stands behind a path: empty, or from its question mark on.
    pub fn text(&self) -> String {
        let number = |number: Option<u32>| number.map(|number| number.to_string().into());
        let parameters = [
            ("name", self.name.map(encoded)),
            ("search", self.search.map(encoded)),
            ("page", number(self.page)),
            ("per_page", number(self.per_page)),
        ];
        let mut text = String::new();
        for (name, value) in parameters {
            if let Some(value) = value {
                text.extend([if text.is_empty() { "?" } else { "&" }, name, "=", &value]);
            }
        }
        text
    }
}

impl<'a> Request<'a> {
    /// Makes a request about a token of the scope, or about all of them. `after`: what follows in the path.
    pub fn new(
        settings: &'a Settings,
        (effect, method, after): (Effect, Method, &str),
        target: Option<Target<'a>>,
        fields: Option<&BodyFields<'_>>,
    ) -> Self {
        let (slash, segment) = target.map_or_else(Default::default, |target| ("/", encoded(target.id())));
        let (scope, id) = scope_argument(&settings.scope);
        let base = &settings.base;
        let path_with_query =
            [&base.path, "/", scope, "s/", &encoded(id), "/access/service_tokens", slash, &segment, after].concat();
        // Strings, numbers and booleans always have a JSON form.
        let body = fields.map(|fields| serde_json::to_vec(fields).unwrap_or_default());
        let headers = headers(settings, body.as_deref());
        Self { effect, method, base, path_with_query, headers, body, target }
    }
}

fn headers(settings: &Settings, body: Option<&[u8]>) -> Vec<(String, Vec<u8>)> {
    let mut headers = Vec::with_capacity(8);
    let mut add = |name: &str, value: String| headers.push((name.to_owned(), value.into_bytes()));
    add("accept", JSON.to_owned());
    if settings.headers.iter().all(|(name, _)| name != "user-agent") {
        add("user-agent", USER_AGENT.to_owned());
    }
    add("content-length", body.map_or_else(|| "0".to_owned(), |body| body.len().to_string()));
    if body.is_some() {
        add("content-type", JSON.to_owned());
    }
    match &settings.credentials {
        Credentials::ApiToken(token) => add("authorization", ["Bearer ", token].concat()),
        Credentials::ApiKey { email, key } => {
            add("x-auth-email", email.clone());
            add("x-auth-key", key.clone());
        }
        Credentials::Host => {}
    }
    for (name, value) in &settings.headers {
        add(name, value.clone());
    }
    headers
}
