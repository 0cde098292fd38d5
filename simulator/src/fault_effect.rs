//! What a fault makes of the right answer: first another answer, then, for faults in the bytes, a script for the connection.

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{
    CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, TRANSFER_ENCODING,
};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::api_error::ApiError;
use crate::behaviour::RateLimit;
use crate::clock;
use crate::envelope::{self, Answer};
use crate::fault_kind::{FaultKind, Wait};
use crate::list_query::ResultInfo;
use crate::parameters::Parameters;
use crate::rate_limit::{self, RATELIMIT};
use crate::token::Secrets;
use crate::wire_script::{Ending, Script, Step};
use crate::{Commits, SecretForm, Token, TokenShape, fault_kind};

/// Which headers an answer gets on its way out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Headers {
    /// All that the API sends.
    Api,
    /// `cf-ray` and `date`: the API was not reached.
    Edge,
    /// `date` alone.
    Exact,
}

/// How an answer goes out.
pub(crate) enum Delivery {
    Answer(Answer),
    Script(Script),
}

impl FaultKind {
    pub(crate) fn headers(&self) -> Headers {
        match self {
            Self::Response { .. } => Headers::Exact,
            Self::HtmlPage { .. }
            | Self::EmptyBody { .. }
            | Self::NullBody { .. }
            | Self::Redirect { .. }
            | Self::RateLimited { .. } => Headers::Edge,
            _ => Headers::Api,
        }
    }

    /// Checks what an answer cannot be made of.
    pub(crate) fn check_http(&self) -> Result<(), String> {
        match self {
            Self::Error { status, .. }
            | Self::FlatError { status }
            | Self::NullErrors { status }
            | Self::StringCodes { status }
            | Self::MissingKeys { status }
            | Self::HtmlPage { status }
            | Self::EmptyBody { status }
            | Self::NullBody { status } => check_status(*status),
            Self::Redirect { status, location } => {
                check_status(*status)?;
                HeaderValue::try_from(location)
                    .map(drop)
                    .map_err(|_| format!("location {location:?} is not a header value"))
            }
            Self::Response { status, headers, .. } => {
                check_status(*status)?;
                headers.iter().try_for_each(|(name, value)| match header(name, value)? {
                    (CONTENT_LENGTH | TRANSFER_ENCODING, _) => Err(format!("{name} is set by HTTP; use raw-bytes")),
                    _ => Ok(()),
                })
            }
            Self::RateLimited { wait: Wait::Text(text) } => header("retry-after", text).map(drop),
            _ => Ok(()),
        }
    }
}

fn check_status(status: u16) -> Result<(), String> {
    if (200..=999).contains(&status) { Ok(()) } else { Err(format!("status {status} is not between 200 and 999")) }
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
        (Ok(name), Ok(value)) => Ok((name, value)),
        _ => Err(format!("{name:?}: {value:?} is not a header")),
    }
}

/// The answer that this fault gives in place of the right one. `page` is the page of a list that was asked for.
///
/// A kind whose answer says that the change happened leaves the refusal of a request alone.
pub(crate) fn alter(kind: &FaultKind, right: Answer, page: u64, now: OffsetDateTime) -> Answer {
    if kind.commits() == Commits::Always && !right.status().is_success() {
        return right;
    }
    match kind {
        FaultKind::Error { status: code_of_http, code, message } => {
            envelope::failure(&ApiError::new(status(*code_of_http), *code, message))
        }
        FaultKind::InternalError => envelope::failure(&ApiError::new(StatusCode::FORBIDDEN, 10001, "internal error")),
        FaultKind::ErrorChain => envelope::failure(&ApiError::malformed_header(6111, "Authorization")),
        FaultKind::RateLimited { wait } => rate_limited(wait, now),
        FaultKind::UnsuccessfulOk => envelope::failure(&ApiError::new(StatusCode::OK, 10003, "not done")),
        FaultKind::FlatError { status } => error_body(*status, &json!({"code": 1000, "message": "flat error"})),
        FaultKind::NullErrors { status } => {
            error_body(*status, &json!({"success": false, "errors": null, "messages": null, "result": null}))
        }
        FaultKind::StringCodes { status } => error_body(
            *status,
            &json!({"success": false, "errors": [{"code": "7000", "message": "code as text"}], "messages": [], "result": null}),
        ),
        FaultKind::MissingKeys { status } => {
            error_body(*status, &json!({"success": false, "errors": [{"message": "no code"}]}))
        }
        FaultKind::Response { status, headers, body } => response(*status, headers, body),
        FaultKind::HtmlPage { status } => html_page(*status),
        FaultKind::EmptyBody { status: code } => with_status(Answer::default(), status(*code)),
        FaultKind::NullBody { status: code } => envelope::json_bytes(status(*code), "null"),
        FaultKind::Redirect { status: code, location } => {
            let mut answer = with_status(Answer::default(), status(*code));
            answer
                .headers_mut()
                .insert(LOCATION, HeaderValue::try_from(location).unwrap_or(HeaderValue::from_static("/")));
            answer
        }
        FaultKind::NullResult => edited(right, |answer| answer["result"] = Value::Null),
        FaultKind::Replaced { pointer, value } => edited(right, |answer| replace(answer, pointer, value.clone())),
        FaultKind::Missing { pointer } => edited(right, |answer| remove(answer, pointer)),
        FaultKind::DuplicateKeys => right.map(|body| duplicate_keys(&body).into()),
        FaultKind::InvalidUtf8 => right.map(|body| invalid_name(&body)),
        FaultKind::NestedJson { depth } => right.map(|_| nested(*depth).into()),
        FaultKind::LongList { tokens } => token_list(right.status(), *tokens, 1, 1, now),
        FaultKind::EndlessList { tokens } => token_list(right.status(), *tokens, page, 1 << 31, now),
        FaultKind::LargeBody { bytes } => right.map(|body| padded(&body, *bytes).into()),
        FaultKind::LargeHead { bytes } => large_head(right, *bytes),
        FaultKind::NullMessageType => edited(right, |answer| {
            answer["messages"] = json!([{"code": 1000, "message": "a note of the simulator", "type": null}]);
        }),
        FaultKind::ErrorsOnSuccess => edited(right, |answer| {
            answer["errors"] =
                json!([{"code": 1000, "message": "a note of the simulator", "source": {"pointer": "/name"}}]);
        }),
        FaultKind::TruncatedJson => right.map(|body| body.slice(..body.len() / 2)),
        FaultKind::GarbageJson => right.map(|_| (0..=255).rev().collect::<Vec<u8>>().into()),
        FaultKind::ContentTooLarge => {
            let text = "the request body is too large";
            envelope::failure(&ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, 1000, text))
        }
        FaultKind::Close
        | FaultKind::Reset
        | FaultKind::CloseInHead
        | FaultKind::TruncatedBody
        | FaultKind::CutChunks
        | FaultKind::NotHttp
        | FaultKind::RawBytes { .. }
        | FaultKind::NeverAnswer
        | FaultKind::StallAfterHead
        | FaultKind::StallInBody
        | FaultKind::DripHead { .. }
        | FaultKind::DripBody { .. }
        | FaultKind::CloseAfterAnswer
        | FaultKind::Delay { .. } => right,
    }
}

/// How the answer goes out: whole, or as a script that writes some of its bytes.
pub(crate) fn deliver(kind: &FaultKind, answer: Answer) -> Delivery {
    let script = |steps: Vec<Step>, ending, on_http2| Delivery::Script(Script { steps, ending, on_http2 });
    let write = |bytes: Vec<u8>| Step::Write(bytes.into());
    let half = |body: &Bytes| Step::Write(body.slice(..body.len() / 2));
    let head = head_bytes(&answer, Framing::Length);
    let body = answer.body().clone();
    match kind {
        FaultKind::Close => script(vec![], Ending::Close, None),
        FaultKind::Reset => script(vec![], Ending::Reset, None),
        FaultKind::CloseInHead => script(vec![write(head[..head.len() / 2].to_vec())], Ending::Close, None),
        FaultKind::TruncatedBody => script(vec![write(head), half(&body)], Ending::Close, None),
        FaultKind::CutChunks => {
            let mut bytes = head_bytes(&answer, Framing::Chunked);
            bytes.extend_from_slice(format!("{:x}\r\n", body.len()).as_bytes());
            script(vec![write(bytes), half(&body)], Ending::Close, None)
        }
        FaultKind::NotHttp => {
            script(vec![write(b"\x16\x03\x01 this is not HTTP\r\n\r\n".to_vec())], Ending::Close, None)
        }
        FaultKind::RawBytes { bytes } => script(vec![write(bytes.0.clone())], Ending::Close, None),
        FaultKind::NeverAnswer => script(vec![], Ending::Hold, None),
        FaultKind::StallAfterHead => script(vec![write(head)], Ending::Hold, None),
        FaultKind::StallInBody => script(vec![write(head), half(&body)], Ending::Hold, None),
        FaultKind::DripHead { interval } => {
            script(vec![Step::Drip(head.into(), *interval), Step::Write(body)], Ending::Close, Some(answer))
        }
        FaultKind::DripBody { interval } => {
            script(vec![write(head), Step::Drip(body, *interval)], Ending::Close, Some(answer))
        }
        FaultKind::ContentTooLarge => {
            script(vec![write(head), Step::Write(body)], Ending::CloseForWriting, Some(answer))
        }
        FaultKind::CloseAfterAnswer => script(vec![write(head), Step::Write(body)], Ending::Close, Some(answer)),
        _ => Delivery::Answer(answer),
    }
}

#[derive(Clone, Copy)]
enum Framing {
    Length,
    Chunked,
}

/// The head of an answer as HTTP/1.1 writes it.
fn head_bytes(answer: &Answer, framing: Framing) -> Vec<u8> {
    let status = answer.status();
    let mut bytes =
        format!("HTTP/1.1 {} {}\r\n", status.as_str(), status.canonical_reason().unwrap_or_default()).into_bytes();
    for (name, value) in answer.headers() {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(
        match framing {
            Framing::Length => format!("{CONTENT_LENGTH}: {}\r\n\r\n", answer.body().len()),
            Framing::Chunked => format!("{TRANSFER_ENCODING}: chunked\r\n\r\n"),
        }
        .as_bytes(),
    );
    bytes
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn with_status(mut answer: Answer, status: StatusCode) -> Answer {
    *answer.status_mut() = status;
    answer
}

fn error_body(code: u16, body: &Value) -> Answer {
    envelope::json(status(code), body)
}

fn rate_limited(wait: &Wait, now: OffsetDateTime) -> Answer {
    let mut answer =
        envelope::failure(&ApiError::rate_limited(RateLimit::REAL.requests, RateLimit::REAL.window_seconds));
    let headers: &mut HeaderMap = answer.headers_mut();
    match wait {
        Wait::Unsaid => None,
        Wait::Seconds(seconds) => headers.insert(RETRY_AFTER, (*seconds).into()),
        Wait::DateAfterSeconds(seconds) => {
            headers.insert(RETRY_AFTER, clock::http_date(now.saturating_add(time::Duration::seconds(*seconds))))
        }
        Wait::Text(text) => HeaderValue::try_from(text).ok().and_then(|value| headers.insert(RETRY_AFTER, value)),
        Wait::RatelimitHeader(seconds) => HeaderValue::try_from(rate_limit::used_up(0, *seconds))
            .ok()
            .and_then(|value| headers.insert(RATELIMIT.clone(), value)),
    };
    answer
}

fn response(code: u16, headers: &[(String, String)], body: &fault_kind::Body) -> Answer {
    let mut answer = with_status(Answer::new(body.0.clone().into()), status(code));
    for (name, value) in headers.iter().filter_map(|(name, value)| header(name, value).ok()) {
        answer.headers_mut().append(name, value);
    }
    answer
}

fn html_page(code: u16) -> Answer {
    let reason = match code {
        403 => "Blocked",
        502 => "Bad gateway",
        520 => "Unknown error",
        523 => "Origin is unreachable",
        530 => "Origin DNS error",
        _ => "Error",
    };
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en-US\">\n<head><title>api.cloudflare.com | {code}: {reason}</title></head>\n\
         <body><h1>{reason}</h1><p>A page of the simulator's edge.</p></body>\n</html>\n"
    );
    let mut answer = with_status(Answer::new(page.into()), status(code));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=UTF-8"));
    answer
}

fn edited(answer: Answer, edit: impl FnOnce(&mut Value)) -> Answer {
    answer.map(|body| {
        let mut value: Value = serde_json::from_slice(&body).unwrap_or_default();
        edit(&mut value);
        value.to_string().into()
    })
}

/// Sets the value at the pointer. A field is added if its object is there; otherwise nothing happens.
fn replace(answer: &mut Value, pointer: &str, value: Value) {
    if let Some(place) = answer.pointer_mut(pointer) {
        *place = value;
    } else if let Some((parent, field)) = pointer.rsplit_once('/')
        && let Some(Value::Object(parent)) = answer.pointer_mut(parent)
    {
        parent.insert(field.to_owned(), value);
    }
}

fn remove(answer: &mut Value, pointer: &str) {
    let Some((parent, field)) = pointer.rsplit_once('/') else {
        return;
    };
    match answer.pointer_mut(parent) {
        Some(Value::Object(parent)) => {
            parent.remove(field);
        }
        Some(Value::Array(parent)) => {
            if let Some(index) = field.parse().ok().filter(|index| *index < parent.len()) {
                parent.remove(index);
            }
        }
        _ => {}
    }
}

/// The text of an answer with every key of its tokens twice, the first time with a wrong value.
fn duplicate_keys(body: &[u8]) -> String {
    let mut answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let result = answer["result"].take();
    let doubled = match &result {
        Value::Array(tokens) => format!("[{}]", tokens.iter().map(doubled).collect::<Vec<_>>().join(",")),
        other => doubled(other),
    };
    answer.to_string().replacen("\"result\":null", &format!("\"result\":{doubled}"), 1)
}

fn doubled(value: &Value) -> String {
    let Value::Object(fields) = value else {
        return value.to_string();
    };
    let pairs = fields.iter().map(|(key, value)| format!("{0}:\"first value\",{0}:{value}", json!(key)));
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
}

fn invalid_name(body: &Bytes) -> Bytes {
    let key = b"\"name\":\"";
    let Some(start) = body.windows(key.len()).position(|window| window == key) else {
        return body.clone();
    };
    let mut bytes = body.to_vec();
    let name = start + key.len();
    bytes.splice(name..name, *b"\xff\xfe\xc0\x80");
    bytes.into()
}

fn nested(depth: usize) -> String {
    let (open, close) = ("[".repeat(depth), "]".repeat(depth));
    format!("{{\"success\":true,\"errors\":[],\"messages\":[],\"result\":{open}{close}}}")
}

fn token_list(status: StatusCode, tokens: usize, page: u64, total_pages: u64, now: OffsetDateTime) -> Answer {
    let mut secrets = Secrets { random: &mut fastrand::Rng::new(), form: SecretForm::Checksummed };
    let made: Vec<Token> = (0..tokens)
        .map(|index| Token::new(format!("made up {index}"), &Parameters::default(), &mut secrets, now))
        .collect();
    let count = tokens as u64;
    let info = ResultInfo { page, per_page: count, count, total_count: count.saturating_mul(total_pages), total_pages };
    let shown: Vec<_> = made.iter().map(|token| token.shown(None, TokenShape::Current)).collect();
    envelope::success(status, shown, Some(info))
}

fn padded(body: &[u8], length: usize) -> Vec<u8> {
    let Some((brace, start)) = body.split_last() else {
        return Vec::new();
    };
    let mut bytes = Vec::with_capacity(length.max(body.len()));
    bytes.extend_from_slice(start);
    bytes.resize(length.saturating_sub(1).max(start.len()), b' ');
    bytes.push(*brace);
    bytes
}

fn large_head(mut answer: Answer, bytes: usize) -> Answer {
    const PER_HEADER: usize = 1024;
    let value = HeaderValue::from_static(const { std::str::from_utf8(&[b'x'; PER_HEADER]) }.unwrap_or_default());
    for index in 0..bytes.div_ceil(PER_HEADER) {
        if let Ok(name) = HeaderName::try_from(format!("x-padding-{index}")) {
            answer.headers_mut().insert(name, value.clone());
        }
    }
    answer
}
