//! The seven requests of the API: method, path, query, headers and body.
//!
//! Only what the caller gave is sent. Every request says its length, body or not: without it a host announces a body of
//! unknown length, even on a DELETE, which some servers refuse.

use serde::Serialize;

use crate::contract::types::{CreateParams, UpdateParams};
use crate::request::ids::encoded;
use crate::request::{BaseUrl, Collection, Credentials, Effect, Settings, Target};

const USER_AGENT: &str = concat!("cloudflare-access/", env!("CARGO_PKG_VERSION"));

/// The methods that the API uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Put,
    Delete,
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
#[derive(Clone, Copy, Default, Serialize)]
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

impl<'a> From<&'a CreateParams> for BodyFields<'a> {
    fn from(params: &'a CreateParams) -> Self {
        Self {
            name: Some(&params.name),
            duration: params.duration.as_deref(),
            enabled: params.enabled,
            client_secret_version: params.client_secret_version,
            previous_client_secret_expires_at: params.previous_client_secret_expires_at.as_deref(),
        }
    }
}

impl<'a> From<&'a UpdateParams> for BodyFields<'a> {
    fn from(params: &'a UpdateParams) -> Self {
        Self {
            name: params.name.as_deref(),
            duration: params.duration.as_deref(),
            enabled: params.enabled,
            client_secret_version: params.client_secret_version,
            previous_client_secret_expires_at: params.previous_client_secret_expires_at.as_deref(),
        }
    }
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
    fn text(&self) -> String {
        let [page, per_page] = [self.page, self.per_page].map(|number| number.map(|number| number.to_string()));
        let parameters = [
            ("name", self.name),
            ("search", self.search),
            ("page", page.as_deref()),
            ("per_page", per_page.as_deref()),
        ];
        let mut text = String::new();
        for (name, value) in parameters.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            text.push(if text.is_empty() { '?' } else { '&' });
            text.extend([name, "=", &encoded(value)]);
        }
        text
    }
}

/// Makes the request for one page of the tokens of a scope.
pub fn list<'a>(collection: &Collection<'a>, query: Query<'_>) -> Request<'a> {
    request(collection, (Effect::Read, Method::Get, &query.text()), None, None)
}

/// Makes the request for one token.
pub fn get<'a>(collection: &Collection<'a>, target: Target<'a>) -> Request<'a> {
    request(collection, (Effect::Read, Method::Get, ""), Some(target), None)
}

/// Makes the request that makes a token.
pub fn create<'a>(collection: &Collection<'a>, fields: &BodyFields<'_>) -> Request<'a> {
    request(collection, (Effect::MakeSecret, Method::Post, ""), None, Some(fields))
}

/// Makes the request that changes a token. With a secret version it may make a new secret.
pub fn update<'a>(collection: &Collection<'a>, target: Target<'a>, fields: &BodyFields<'_>) -> Request<'a> {
    let effect = if fields.client_secret_version.is_some() { Effect::MakeSecret } else { Effect::Change };
    request(collection, (effect, Method::Put, ""), Some(target), Some(fields))
}

/// Makes the request that deletes a token.
pub fn delete<'a>(collection: &Collection<'a>, target: Target<'a>) -> Request<'a> {
    request(collection, (Effect::Change, Method::Delete, ""), Some(target), None)
}

/// Makes the request that extends the lifetime of a token.
pub fn refresh<'a>(collection: &Collection<'a>, target: Target<'a>) -> Request<'a> {
    request(collection, (Effect::Change, Method::Post, "/refresh"), Some(target), None)
}

/// Makes the request that gives a token a new secret. `end`: until when the old one passes; none ends it.
pub fn rotate<'a>(collection: &Collection<'a>, target: Target<'a>, end: Option<&str>) -> Request<'a> {
    let fields = BodyFields { previous_client_secret_expires_at: end, ..BodyFields::default() };
    request(collection, (Effect::MakeSecret, Method::Post, "/rotate"), Some(target), Some(&fields))
}

/// `after`: what follows the path of the collection and the token.
fn request<'a>(
    collection: &Collection<'a>,
    (effect, method, after): (Effect, Method, &str),
    target: Option<Target<'a>>,
    fields: Option<&BodyFields<'_>>,
) -> Request<'a> {
    let settings = collection.settings;
    let (slash, segment) = target.map_or_else(Default::default, |target| ("/", target.segment()));
    let path_with_query = [&settings.base.path, &collection.path, slash, &segment, after].concat();
    // Strings, numbers and booleans always have a JSON form.
    let body = fields.map(|fields| serde_json::to_vec(fields).unwrap_or_default());
    let headers = headers(settings, body.as_deref());
    Request { effect, method, base: &settings.base, path_with_query, headers, body, target }
}

fn headers(settings: &Settings, body: Option<&[u8]>) -> Vec<(String, Vec<u8>)> {
    let mut headers = Vec::with_capacity(8);
    let mut add = |name: &str, value: &str| headers.push((name.to_owned(), value.as_bytes().to_vec()));
    add("accept", "application/json");
    add("user-agent", settings.headers.user_agent.as_deref().unwrap_or(USER_AGENT));
    add("content-length", &body.map_or(0, <[u8]>::len).to_string());
    if body.is_some() {
        add("content-type", "application/json");
    }
    match &settings.credentials {
        Credentials::ApiToken(token) => add("authorization", &["Bearer ", token.reveal()].concat()),
        Credentials::ApiKey { email, key } => {
            add("x-auth-email", email);
            add("x-auth-key", key.reveal());
        }
        Credentials::Host => {}
    }
    for (name, value) in &settings.headers.others {
        add(name, value);
    }
    headers
}
