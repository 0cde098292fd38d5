//! An application behind Access, at `/application` and below: what a machine meets when it sends its pair.
//!
//! The pair comes in the headers `CF-Access-Client-Id` and `CF-Access-Client-Secret`, or both in `Authorization` as JSON with the
//! keys `cf-access-client-id` and `cf-access-client-secret` (`read_service_tokens_from_header`). Its requests are not recorded.

use std::time::Duration;

use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION, SET_COOKIE};
use hyper::{HeaderMap, Response, StatusCode};
use serde::Deserialize;

use crate::Protection;
use crate::engine::Engine;
use crate::envelope::Answer;

const PREFIX: &str = "/application";
/// The log-in page of a team, with the host of the application as its last segment.
const LOGIN: &str = "https://team.cloudflareaccess.example/cdn-cgi/access/login/application.example";

#[derive(Deserialize)]
struct Pair {
    #[serde(rename = "cf-access-client-id")]
    client_id: String,
    #[serde(rename = "cf-access-client-secret")]
    client_secret: String,
}

/// Whether a path is the application's.
pub(crate) fn is_path(path: &str) -> bool {
    path.strip_prefix(PREFIX).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Answers a request to the application.
pub(crate) fn answer(engine: &Engine, headers: &HeaderMap) -> Answer {
    let application = engine.behaviour.lock().application;
    let learns_after = Duration::from_secs(application.learns_after_seconds);
    let pair = pair(headers);
    let passes = pair.as_ref().is_some_and(|pair| {
        let mut store = engine.store.lock();
        store.authenticate(&pair.client_id, &pair.client_secret, learns_after, engine.clock.now()).is_ok()
    });
    match (application.protection, passes) {
        (Protection::Open, _) => page(StatusCode::OK, "the application, which is not protected\n"),
        (Protection::Strict, true) => page(StatusCode::OK, "the application\n"),
        (Protection::Login, true) => {
            let mut answer = page(StatusCode::OK, "the application\n");
            let cookie = HeaderValue::from_static("CF_Authorization=a.session.token; Path=/; Secure; HttpOnly");
            answer.headers_mut().insert(SET_COOKIE, cookie);
            answer
        }
        (Protection::Strict, false) if pair.is_none() => page(StatusCode::UNAUTHORIZED, "Unauthorized\n"),
        (Protection::Strict, false) => page(StatusCode::FORBIDDEN, "Forbidden\n"),
        (Protection::Login, false) => {
            let mut answer = page(StatusCode::FOUND, "");
            answer.headers_mut().insert(LOCATION, HeaderValue::from_static(LOGIN));
            answer
        }
    }
}

fn pair(headers: &HeaderMap) -> Option<Pair> {
    let header = |name: &str| headers.get(name)?.to_str().ok().map(str::to_owned);
    let two = || {
        let (client_id, client_secret) = (header("cf-access-client-id")?, header("cf-access-client-secret")?);
        Some(Pair { client_id, client_secret })
    };
    two().or_else(|| serde_json::from_slice(headers.get(AUTHORIZATION)?.as_bytes()).ok())
}

fn page(status: StatusCode, text: &'static str) -> Answer {
    let mut answer = Response::new(text.into());
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}
