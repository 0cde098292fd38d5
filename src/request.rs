//! Checked arguments become requests: method, path, query, headers and body of each operation.
//!
//! Only what the caller gave is sent. Every request says its length, body or not: without it a host announces a body of
//! unknown length, even on a DELETE, which some servers refuse.

use serde::Serialize;

use crate::arguments::{Collection, TokenId, encoded};
use crate::bindings::exports::cloudflare::access::types::{CreateParams, ListParams, PreviousSecret, UpdateParams};
use crate::host::{Method, Request};
use crate::settings::{Credentials, Settings};
use crate::text::decimal;

/// The bodies of `create`, `update` and `rotate`, which share their fields.
#[derive(Default, Serialize)]
pub struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret_version: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_client_secret_expires_at: Option<&'a str>,
}

/// An update that changes nothing, to begin others from.
pub fn unchanged() -> UpdateParams {
    UpdateParams {
        name: None,
        duration: None,
        enabled: None,
        client_secret_version: None,
        previous_client_secret_expires_at: None,
    }
}

/// One page of the tokens of a scope.
pub fn list(settings: &Settings, collection: &Collection, params: &ListParams) -> Request {
    let mut query = Vec::new();
    query.extend(params.name.as_deref().map(|name| ["name=", &encoded(name)].concat()));
    query.extend(params.search.as_deref().map(|search| ["search=", &encoded(search)].concat()));
    query.extend(params.page.map(|page| ["page=", &decimal(page)].concat()));
    query.extend(params.per_page.map(|per_page| ["per_page=", &decimal(per_page)].concat()));
    let mark = if query.is_empty() { "" } else { "?" };
    let path = [&settings.base.path, collection.path(), mark, &query.join("&")].concat();
    request(settings, Method::Get, path, None)
}

pub fn get(settings: &Settings, collection: &Collection, id: &TokenId) -> Request {
    request(settings, Method::Get, member(settings, collection, id, ""), None)
}

pub fn create(settings: &Settings, collection: &Collection, params: &CreateParams) -> Request {
    let body = Body {
        name: Some(&params.name),
        duration: params.duration.as_deref(),
        enabled: params.enabled,
        client_secret_version: params.client_secret_version,
        previous_client_secret_expires_at: params.previous_client_secret_expires_at.as_deref(),
    };
    request(settings, Method::Post, [&settings.base.path, collection.path()].concat(), Some(&body))
}

pub fn update(settings: &Settings, collection: &Collection, id: &TokenId, params: &UpdateParams) -> Request {
    let body = Body {
        name: params.name.as_deref(),
        duration: params.duration.as_deref(),
        enabled: params.enabled,
        client_secret_version: params.client_secret_version,
        previous_client_secret_expires_at: params.previous_client_secret_expires_at.as_deref(),
    };
    request(settings, Method::Put, member(settings, collection, id, ""), Some(&body))
}

pub fn delete(settings: &Settings, collection: &Collection, id: &TokenId) -> Request {
    request(settings, Method::Delete, member(settings, collection, id, ""), None)
}

pub fn refresh(settings: &Settings, collection: &Collection, id: &TokenId) -> Request {
    request(settings, Method::Post, member(settings, collection, id, "/refresh"), None)
}

pub fn rotate(settings: &Settings, collection: &Collection, id: &TokenId, previous: &PreviousSecret) -> Request {
    let previous_client_secret_expires_at = match previous {
        PreviousSecret::ExpiresNow => None,
        PreviousSecret::ExpiresAt(time) => Some(time.as_str()),
    };
    let body = Body { previous_client_secret_expires_at, ..Body::default() };
    request(settings, Method::Post, member(settings, collection, id, "/rotate"), Some(&body))
}

/// The path of a token, and what is done to it.
fn member(settings: &Settings, collection: &Collection, id: &TokenId, action: &str) -> String {
    [&settings.base.path, collection.path(), "/", id.segment(), action].concat()
}

fn request(settings: &Settings, method: Method, path_with_query: String, body: Option<&Body<'_>>) -> Request {
    // Strings, numbers and booleans always have a JSON form.
    let body = body.map(|body| serde_json::to_vec(body).unwrap_or_default());
    let length = decimal(body.as_ref().map_or(0, Vec::len));
    let mut headers = Headers(Vec::with_capacity(8));
    headers.add("accept", "application/json");
    headers.add("user-agent", &settings.user_agent);
    headers.add("content-length", &length);
    if body.is_some() {
        headers.add("content-type", "application/json");
    }
    match &settings.credentials {
        Credentials::ApiToken(token) => headers.add("authorization", &["Bearer ", token.reveal()].concat()),
        Credentials::ApiKey { email, key } => {
            headers.add("x-auth-email", email);
            headers.add("x-auth-key", key.reveal());
        }
        Credentials::Host => {}
    }
    for (name, value) in &settings.headers {
        headers.add(name, value);
    }
    Request {
        method,
        scheme: settings.base.scheme,
        authority: settings.base.authority.clone(),
        path_with_query,
        headers: headers.0,
        body,
    }
}

struct Headers(Vec<(String, Vec<u8>)>);

impl Headers {
    #[inline(never)]
    fn add(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.into()));
    }
}
