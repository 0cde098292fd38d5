//! The routes under `/simulator/`, outside the API: for tests that run in another process or another language.
//!
//! They need no credential and are not recorded. Bodies and answers are JSON; an answer has the envelope of the API.

use std::time::Duration;

use hyper::StatusCode;
use hyper::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::api_error::ApiError;
use crate::engine::Engine;
use crate::envelope::{self, Answer};
use crate::parameters::Parameters;
use crate::recording::{RecordedRequest, is_secret_header};
use crate::{Fault, Scope, clock};

pub(crate) const PREFIX: &str = "/simulator/";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    client_id: String,
    client_secret: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance_seconds: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Latency {
    latency_ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InUse {
    token_id: String,
    in_use: bool,
}

/// The tokens to make.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seed {
    /// Default: the first account.
    scope: Option<Scope>,
    name: String,
    /// Default: one. More than one have their number after the name.
    count: Option<u32>,
    #[serde(default)]
    params: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wait {
    count: u64,
    timeout_seconds: u64,
}

/// Carries out a request of the control routes.
pub(crate) async fn answer(engine: &Engine, parts: &Parts, body: &[u8]) -> Answer {
    let result = match (parts.method.as_str(), parts.uri.path()) {
        ("POST", "/simulator/authenticate") => authenticate(engine, body),
        ("GET", "/simulator/faults") => Ok(json!(*engine.faults.lock())),
        ("POST", "/simulator/faults") => inject(engine, body),
        ("DELETE", "/simulator/faults") => {
            engine.faults.lock().clear();
            Ok(Value::Null)
        }
        ("POST", "/simulator/latency") => read(body).map(|Latency { latency_ms }| {
            *engine.latency.lock() = Duration::from_millis(latency_ms);
            Value::Null
        }),
        ("GET", "/simulator/clock") => Ok(time(engine)),
        ("POST", "/simulator/clock") => read(body).map(|Advance { advance_seconds }| {
            engine.clock.advance(Duration::from_secs(advance_seconds));
            time(engine)
        }),
        ("POST", "/simulator/in-use") => read(body).map(|InUse { token_id, in_use }| {
            engine.store.lock().mark(&token_id, in_use);
            Value::Null
        }),
        ("GET", "/simulator/behaviour") => Ok(json!(*engine.behaviour.lock())),
        ("PATCH", "/simulator/behaviour") => change_behaviour(engine, body),
        ("POST", "/simulator/tokens") => seed(engine, body),
        ("POST", "/simulator/reset") => {
            engine.reset();
            Ok(Value::Null)
        }
        ("POST", "/simulator/requests/wait") => wait(engine, body).await,
        ("GET", "/simulator/requests") => Ok(engine.recorder.requests().iter().map(shown).collect()),
        ("GET", "/simulator/commits") => Ok(json!(engine.recorder.commits())),
        ("DELETE", "/simulator/requests") => {
            engine.recorder.clear();
            Ok(Value::Null)
        }
        (method, path) => {
            let text = format!("no control route {method} {path}; the README of the simulator lists them");
            return refusal(StatusCode::NOT_FOUND, text);
        }
    };
    match result {
        Ok(result) => envelope::success(StatusCode::OK, result, None),
        Err(message) => refusal(StatusCode::BAD_REQUEST, message),
    }
}

fn refusal(status: StatusCode, message: String) -> Answer {
    envelope::failure(&ApiError::new(status, 1000, message))
}

fn change_behaviour(engine: &Engine, body: &[u8]) -> Result<Value, String> {
    let mut behaviour = engine.behaviour.lock();
    *behaviour = behaviour.with(read(body)?).map_err(|error| format!("no behaviour has this: {error}"))?;
    Ok(json!(*behaviour))
}

/// Makes tokens as `create` would with these params, whatever the quota. Returns them with their secrets.
fn seed(engine: &Engine, body: &[u8]) -> Result<Value, String> {
    let Seed { scope, name, count, params } = read(body)?;
    let scope = scope.unwrap_or_else(|| engine.account.clone());
    let params = if params.is_null() { "{}".to_owned() } else { params.to_string() };
    let params = Parameters::read(params.as_bytes()).map_err(|error| error.text())?;
    let behaviour = engine.behaviour.lock().clone();
    let (mut store, now) = (engine.store.lock(), engine.clock.now());
    let names = match count {
        None => vec![name],
        Some(count) => (1..=count).map(|number| format!("{name} {number}")).collect(),
    };
    let tokens = names.into_iter().map(|name| {
        let token = store.add(&scope, name, &params, behaviour.secret_form, now);
        json!(token.shown(Some(token.secret()), behaviour.token_shape))
    });
    Ok(tokens.collect())
}

/// Waits until this many requests were received since the last clearing.
async fn wait(engine: &Engine, body: &[u8]) -> Result<Value, String> {
    let Wait { count, timeout_seconds } = read(body)?;
    let received = tokio::time::timeout(Duration::from_secs(timeout_seconds), engine.recorder.wait_for(count)).await;
    let there_are = engine.recorder.count();
    match received {
        Ok(()) => Ok(json!({"received": there_are})),
        Err(_) => Err(format!("{there_are} of {count} requests were received in {timeout_seconds} seconds")),
    }
}

fn authenticate(engine: &Engine, body: &[u8]) -> Result<Value, String> {
    let Pair { client_id, client_secret } = read(body)?;
    let outcome = {
        let learns_after = Duration::from_secs(engine.behaviour.lock().application.learns_after_seconds);
        engine.store.lock().authenticate(&client_id, &client_secret, learns_after, engine.clock.now())
    };
    Ok(match outcome {
        Ok(()) => json!({"passes": true}),
        Err(refusal) => json!({"passes": false, "refusal": refusal}),
    })
}

fn inject(engine: &Engine, body: &[u8]) -> Result<Value, String> {
    let is_array = body.trim_ascii_start().starts_with(b"[");
    let faults: Vec<Fault> = if is_array { read(body)? } else { vec![read(body)?] };
    for fault in &faults {
        fault.check().map_err(|error| error.to_string())?;
    }
    engine.faults.lock().extend(faults);
    Ok(Value::Null)
}

fn time(engine: &Engine) -> Value {
    json!({"now": clock::text(engine.clock.now())})
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| format!("the body is not what this control route takes: {error}"))
}

fn shown(request: &RecordedRequest) -> Value {
    let headers = request.headers.iter().map(|(name, value)| {
        let value = if is_secret_header(name) { "[redacted]".into() } else { String::from_utf8_lossy(value) };
        json!([name, value])
    });
    json!({
        "connection": request.connection,
        "version": request.version,
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "headers": headers.collect::<Value>(),
        "body": String::from_utf8_lossy(&request.body),
        "operation": request.operation,
        "scope": request.scope,
        "fault": request.fault,
        "committed": request.committed,
    })
}
