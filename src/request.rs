//! Checked arguments become requests: method, path, query, headers and body of each operation.
//!
//! Only what the caller gave is sent. Every request says its length, body or not: without it a host announces a body of
//! unknown length, even on a DELETE, which some servers refuse.

use std::borrow::Cow;

use serde::Serialize;

use crate::arguments::{Collection, TokenId, encoded};
use crate::bindings::exports::cloudflare::access::types::{CreateParams, ListParams, PreviousSecret, UpdateParams};
use crate::host::{Method, Request};
use crate::settings::{Credentials, Settings};
use crate::text::{decimal, joined};

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
pub fn list<'a>(settings: &'a Settings, collection: &Collection, params: &ListParams) -> Request<'a> {
    let mut path = joined(&[&settings.base.path, collection.path()]);
    let page = params.page.map(decimal);
    let per_page = params.per_page.map(decimal);
    let query = [("name=", &params.name), ("search=", &params.search), ("page=", &page), ("per_page=", &per_page)];
    let mut mark = "?";
    for (name, value) in query {
        if let Some(value) = value {
            for part in [mark, name, &encoded(value)] {
                path.push_str(part);
            }
            mark = "&";
        }
    }
    request(settings, Method::Get, path, None)
}

pub fn get<'a>(settings: &'a Settings, collection: &Collection, id: &TokenId) -> Request<'a> {
    request(settings, Method::Get, member(settings, collection, id, ""), None)
}

pub fn create<'a>(settings: &'a Settings, collection: &Collection, params: &CreateParams) -> Request<'a> {
    let body = Body {
        name: Some(&params.name),
        duration: params.duration.as_deref(),
        enabled: params.enabled,
        client_secret_version: params.client_secret_version,
        previous_client_secret_expires_at: params.previous_client_secret_expires_at.as_deref(),
    };
    request(settings, Method::Post, joined(&[&settings.base.path, collection.path()]), Some(&body))
}

pub fn update<'a>(settings: &'a Settings, collection: &Collection, id: &TokenId, params: &UpdateParams) -> Request<'a> {
    let body = Body {
        name: params.name.as_deref(),
        duration: params.duration.as_deref(),
        enabled: params.enabled,
        client_secret_version: params.client_secret_version,
        previous_client_secret_expires_at: params.previous_client_secret_expires_at.as_deref(),
    };
    request(settings, Method::Put, member(settings, collection, id, ""), Some(&body))
}

pub fn delete<'a>(settings: &'a Settings, collection: &Collection, id: &TokenId) -> Request<'a> {
    request(settings, Method::Delete, member(settings, collection, id, ""), None)
}

pub fn refresh<'a>(settings: &'a Settings, collection: &Collection, id: &TokenId) -> Request<'a> {
    request(settings, Method::Post, member(settings, collection, id, "/refresh"), None)
}

pub fn rotate<'a>(
    settings: &'a Settings,
    collection: &Collection,
    id: &TokenId,
    previous: &PreviousSecret,
) -> Request<'a> {
    let previous_client_secret_expires_at = match previous {
        PreviousSecret::ExpiresNow => None,
        PreviousSecret::ExpiresAt(time) => Some(time.as_str()),
    };
    let body = Body { previous_client_secret_expires_at, ..Body::default() };
    request(settings, Method::Post, member(settings, collection, id, "/rotate"), Some(&body))
}

/// The path of a token, and what is done to it.
fn member(settings: &Settings, collection: &Collection, id: &TokenId, action: &str) -> String {
    joined(&[&settings.base.path, collection.path(), "/", id.segment(), action])
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
