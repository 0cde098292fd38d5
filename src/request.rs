//! Checked arguments become requests: method, path, query, headers and body of each operation.
//!
//! Only what the caller gave is sent. Every request says its length, body or not: without it a host announces a body of
//! unknown length, even on a DELETE, which some servers refuse.

use std::borrow::Cow;

use serde::Serialize;

use crate::arguments::{Collection, TokenId, encoded};
use crate::bindings::exports::cloudflare::access::types::{CreateParams, PreviousSecret, UpdateParams};
use crate::host::{Method, Request};
use crate::operation::Operation;
use crate::settings::{Credentials, Settings};
use crate::text::{decimal, joined};

/// The bodies of `create`, `update` and `rotate`, which share their fields. A field that is none is not sent.
#[derive(Clone, Copy, Default, Serialize)]
pub struct Body<'a> {
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

impl<'a> From<&'a CreateParams> for Body<'a> {
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

impl<'a> From<&'a UpdateParams> for Body<'a> {
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

impl<'a> From<&'a PreviousSecret> for Body<'a> {
    fn from(previous: &'a PreviousSecret) -> Self {
        let time = match previous {
            PreviousSecret::ExpiresNow => None,
            PreviousSecret::ExpiresAt(time) => Some(time.as_str()),
        };
        Self { previous_client_secret_expires_at: time, ..Self::default() }
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

/// One page of the tokens of a scope.
pub fn list<'a>(settings: &'a Settings, collection: &Collection, query: Query<'_>) -> Request<'a> {
    let mut path = joined(&[&settings.base.path, collection.path()]);
    let (page, per_page) = (query.page.map(decimal), query.per_page.map(decimal));
    let mut mark = "?";
    for (name, value) in [
        ("name=", query.name),
        ("search=", query.search),
        ("page=", page.as_deref()),
        ("per_page=", per_page.as_deref()),
    ] {
        if let Some(value) = value {
            for part in [mark, name, &encoded(value)] {
                path.push_str(part);
            }
            mark = "&";
        }
    }
    request(settings, Method::Get, path, None)
}

/// An operation on one token: the one of this id, or a new one.
pub fn on_token<'a>(
    settings: &'a Settings,
    collection: &Collection,
    operation: Operation,
    id: Option<&TokenId>,
    body: Option<&Body<'_>>,
) -> Request<'a> {
    let (method, action) = match operation {
        Operation::List | Operation::Get => (Method::Get, ""),
        Operation::Create => (Method::Post, ""),
        Operation::Update { .. } => (Method::Put, ""),
        Operation::Delete => (Method::Delete, ""),
        Operation::Refresh => (Method::Post, "/refresh"),
        Operation::Rotate => (Method::Post, "/rotate"),
    };
    let (slash, segment) = id.map_or(("", ""), |id| ("/", id.segment()));
    let path = joined(&[&settings.base.path, collection.path(), slash, segment, action]);
    request(settings, method, path, body)
}

fn request<'a>(
    settings: &'a Settings,
    method: Method,
    path_with_query: String,
    body: Option<&Body<'_>>,
) -> Request<'a> {
    const JSON: Cow<'_, str> = Cow::Borrowed("application/json");
    // Strings, numbers and booleans always have a JSON form.
    let body = body.map(|body| serde_json::to_vec(body).unwrap_or_default());
    let length = decimal(body.as_ref().map_or(0, Vec::len));
    let mut headers = Vec::with_capacity(8);
    headers.push(("accept", JSON));
    headers.push(("user-agent", Cow::Borrowed(&*settings.user_agent)));
    headers.push(("content-length", Cow::Owned(length)));
    if body.is_some() {
        headers.push(("content-type", JSON));
    }
    match &settings.credentials {
        Credentials::ApiToken(token) => {
            headers.push(("authorization", Cow::Owned(joined(&["Bearer ", token.reveal()]))));
        }
        Credentials::ApiKey { email, key } => {
            headers.push(("x-auth-email", Cow::Borrowed(email)));
            headers.push(("x-auth-key", Cow::Borrowed(key.reveal())));
        }
        Credentials::Host => {}
    }
    headers.extend(settings.headers.iter().map(|(name, value)| (name.as_str(), Cow::Borrowed(value.as_str()))));
    Request {
        method,
        scheme: settings.base.scheme,
        authority: &settings.base.authority,
        path_with_query,
        headers,
        body,
    }
}
