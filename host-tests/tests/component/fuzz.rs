//! The whole component against answers made at random: any status, any headers, any body in any pieces, any error of the host.
//! No case traps, and every case ends in a result that says no more than the answer did.
//!
//! Most cases are answered from memory, which costs no socket; some are bytes on a real one. The decoder alone has its own
//! cases among the unit tests of the component.

use std::cell::RefCell;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use cloudflare_access_host_tests::hooks::{Replies, Reply};
use cloudflare_access_host_tests::requests::by_default;
use cloudflare_access_host_tests::types::{Credentials, Error, Outcome, RequestOptions};
use cloudflare_access_host_tests::{Action, Cases, Done, Host, Instance, RawServer, endpoint};
use cloudflare_access_simulator::{ACCOUNT_ID, Scope};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use wasmtime_wasi_http::Error as HttpError;

const REAL: [&str; 4] = [
    include_str!("../../answers/create.json"),
    include_str!("../../answers/list.json"),
    include_str!("../../answers/refused.json"),
    include_str!("../../answers/flat.json"),
];
const CREDENTIAL: &str = "a-credential-that-nobody-may-see";
/// The id and the secret of the token in `create.json`. No error may show the secret.
const TOKEN_ID: &str = "f174e90a-fafe-4643-bbbc-4a0ed4fc8415";
const SECRET: &str = "cfast_0123456789abcdefghijABCDEFGHIJ0123456789deadbeef";

/// What a case is answered, in a form that can be shown.
#[derive(Clone, Debug)]
struct Given {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    /// Where the body is cut into pieces, with a pause at each.
    cuts: Vec<Index>,
    breaks: bool,
}

/// A real answer with some damage, or anything.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let words =
        ["null", "true", "\"", "{", "}", "[", "]", ",", "\\", "\0", "\"success\":true,", "\"result\":", CREDENTIAL];
    let piece = prop_oneof![select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec()), vec(any::<u8>(), 0..6)];
    let damage = vec((any::<Index>(), any::<Index>(), piece), 0..4);
    let damaged = (select(REAL.to_vec()), damage).prop_map(|(real, damages)| {
        let mut bytes = real.trim().as_bytes().to_vec();
        for (at, length, piece) in damages {
            let at = at.index(bytes.len() + 1);
            let end = at + length.index(bytes.len() - at + 1).min(length.index(20) + 1).min(bytes.len() - at);
            bytes.splice(at..end, piece);
        }
        bytes
    });
    prop_oneof![6 => damaged, 1 => vec(any::<u8>(), 0..200), 1 => Just(Vec::new())]
}

fn headers() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let names =
        ["cf-ray", "retry-after", "date", "ratelimit", "content-type", "content-length", "location", "set-cookie"];
    let values =
        ["0", "7200", "-1", "99999999999999999999", "Tue, 24 Nov 2026 10:00:00 GMT", "\"a\";r=0;t=1", CREDENTIAL];
    let value = prop_oneof![
        select(values.to_vec()).prop_map(|value| value.as_bytes().to_vec()),
        vec(select((32..127).chain(128..=255).collect::<Vec<u8>>()), 0..40),
    ];
    vec((select(names.to_vec()).prop_map(str::to_owned), value), 0..5)
}

fn given() -> impl Strategy<Value = Given> {
    let status = prop_oneof![4 => select(vec![200, 201, 400, 403, 404, 429, 500]), 1 => 200_u16..1000];
    let cuts = vec(any::<Index>(), 0..3);
    (status, headers(), body(), cuts, prop::bool::weighted(0.1))
        .prop_map(|(status, headers, body, cuts, breaks)| Given { status, headers, body, cuts, breaks })
}

fn action() -> impl Strategy<Value = Action> {
    select(Action::all().collect::<Vec<_>>())
}

impl Given {
    fn reply(&self) -> Reply {
        let mut headers = http::HeaderMap::new();
        for (name, value) in &self.headers {
            let name: http::HeaderName = name.parse().expect("a name");
            headers.append(name, http::HeaderValue::from_bytes(value).expect("a value"));
        }
        let mut cuts: Vec<usize> = self.cuts.iter().map(|cut| cut.index(self.body.len() + 1)).collect();
        cuts.extend([0, self.body.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|pair| Bytes::copy_from_slice(&self.body[pair[0]..pair[1]]));
        let chunks = pieces.flat_map(|piece| [piece, Bytes::new()]).collect();
        let status = http::StatusCode::from_u16(self.status).expect("a status");
        Reply::Answer { status, headers, chunks, breaks: self.breaks }
    }

    /// The bytes of the answer on a socket.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("HTTP/1.1 {} x\r\n", self.status).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Whether a strict reader sees the API say yes; none if it cannot read it.
    fn says_yes(&self) -> Option<bool> {
        let answer: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        Some((200..300).contains(&self.status) && answer["success"] == true)
    }
}

/// What must hold of every result, whatever was answered.
fn check(action: Action, result: &Result<Done, Error>, says_yes: Option<bool>) -> Result<(), TestCaseError> {
    let Err(error) = result else {
        prop_assert_ne!(says_yes, Some(false), "done, though the answer said no");
        return Ok(());
    };
    let shown = format!("{error:?}");
    prop_assert!(!shown.contains(CREDENTIAL) && !shown.contains(SECRET), "{}", shown);
    prop_assert!(!error.message.contains(char::is_control) && error.message.len() < 8192, "{}", shown);
    prop_assert!(error.message.starts_with(&format!("{}: ", action.name())), "{}", shown);
    let is_one_request = Action::SERVICE_TOKENS.contains(&action) && action != Action::ListAll;
    prop_assert!(if is_one_request { error.attempts == 1 } else { error.attempts >= 1 }, "{}", shown);
    match error.outcome {
        Outcome::Applied => prop_assert!(action.changes() && says_yes != Some(false), "{}", shown),
        // Of several requests the first may have said yes, and the last one not have been sent.
        Outcome::NotApplied => {
            prop_assert!(!action.changes() || !is_one_request || says_yes != Some(true), "{}", shown);
        }
        Outcome::Unknown => prop_assert!(action.changes(), "{}", shown),
    }
    Ok(())
}

/// A runtime and an instance, which a trap spoils.
#[derive(Default)]
struct Bench(RefCell<Option<(Instance, Replies)>>);

impl Bench {
    /// Calls once, on a host that answers from memory.
    async fn call(&self, action: Action, reply: impl Fn() -> Reply + Send + 'static) -> Result<Done, Error> {
        let kept = self.0.borrow_mut().take();
        let (mut plugin, replies) = match kept {
            Some(both) => both,
            None => Host::shared().instance_in_memory().await,
        };
        replies.set(move |_| reply());
        let result = call(&mut plugin, action, "http://127.0.0.1:9").await;
        *self.0.borrow_mut() = Some((plugin, replies));
        result
    }
}

async fn call(plugin: &mut Instance, action: Action, base_url: &str) -> Result<Done, Error> {
    let options = RequestOptions {
        endpoint: Some(endpoint(Credentials::ApiToken(CREDENTIAL.to_owned()), base_url)),
        // `issue` tries again until its time ends.
        timeout_ms: Some(if action == Action::Issue { 253 } else { 10_000 }),
        max_retries: Some(0),
        ..by_default()
    };
    action.call(plugin, &Scope::Account(ACCOUNT_ID.to_owned()), TOKEN_ID, &options).await
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

#[test]
fn any_answer_ends_in_a_result_that_says_no_more_than_it_did() {
    let (runtime, bench) = (runtime(), Bench::default());
    Cases::of("fuzz", 1).check(&(action(), given()), |(action, given)| {
        let says_yes = if given.breaks { None } else { given.says_yes() };
        let result = runtime.block_on(bench.call(action, move || given.reply()));
        check(action, &result, says_yes)
    });
}

#[test]
fn any_bytes_on_a_socket_end_in_a_result() {
    let runtime = runtime();
    let answer = Arc::new(Mutex::new(Vec::new()));
    let sent = Arc::clone(&answer);
    let server = runtime.block_on(RawServer::start(move |_| sent.lock().expect("no panic").clone()));
    let plugin = RefCell::new(None);
    let noise = vec(any::<u8>(), 0..64);
    // A connection doubles what a call costs.
    Cases::of("fuzz", 2).check(&(action(), given(), noise, any::<Index>()), |(action, given, noise, place)| {
        let mut bytes = given.bytes();
        if given.breaks {
            let at = place.index(bytes.len());
            bytes.splice(at..at, noise);
        }
        *answer.lock().expect("no panic") = bytes;
        let kept = plugin.borrow_mut().take();
        let result = runtime.block_on(async {
            let mut instance = match kept {
                Some(instance) => instance,
                None => Host::shared().instance().await,
            };
            let result = call(&mut instance, action, &server.base_url()).await;
            *plugin.borrow_mut() = Some(instance);
            result
        });
        // What a client of HTTP makes of these bytes is its own affair.
        check(action, &result, None)
    });
}

/// Every error that the host may report, by number.
fn host_error(number: usize) -> Option<HttpError> {
    let text = || Some(format!("{CREDENTIAL}\nat a.rs:1"));
    Some(match number {
        0 => HttpError::DnsTimeout,
        1 => HttpError::DnsError { rcode: text(), info_code: Some(1) },
        2 => HttpError::DestinationNotFound,
        3 => HttpError::DestinationUnavailable,
        4 => HttpError::DestinationIpProhibited,
        5 => HttpError::DestinationIpUnroutable,
        6 => HttpError::ConnectionRefused,
        7 => HttpError::ConnectionTerminated,
        8 => HttpError::ConnectionTimeout,
        9 => HttpError::ConnectionReadTimeout,
        10 => HttpError::ConnectionWriteTimeout,
        11 => HttpError::ConnectionLimitReached,
        12 => HttpError::TlsProtocolError,
        13 => HttpError::TlsCertificateError,
        14 => HttpError::TlsAlertReceived { alert_id: Some(40), alert_message: text() },
        15 => HttpError::HttpRequestDenied,
        16 => HttpError::HttpRequestLengthRequired,
        17 => HttpError::HttpRequestMethodInvalid,
        18 => HttpError::HttpRequestUriInvalid,
        19 => HttpError::HttpRequestUriTooLong,
        20 => HttpError::HttpRequestHeaderSectionSize(Some(1)),
        21 => HttpError::HttpRequestHeaderSize { field_name: text(), field_size: None },
        22 => HttpError::HttpRequestTrailerSectionSize(None),
        23 => HttpError::HttpRequestTrailerSize { field_name: text(), field_size: None },
        24 => HttpError::HttpRequestBodySize(Some(1)),
        25 => HttpError::HttpResponseIncomplete,
        26 => HttpError::HttpResponseHeaderSectionSize(None),
        27 => HttpError::HttpResponseHeaderSize { field_name: text(), field_size: None },
        28 => HttpError::HttpResponseBodySize(None),
        29 => HttpError::HttpResponseTrailerSectionSize(None),
        30 => HttpError::HttpResponseTrailerSize { field_name: text(), field_size: None },
        31 => HttpError::HttpResponseTransferCoding(text()),
        32 => HttpError::HttpResponseContentCoding(text()),
        33 => HttpError::HttpResponseTimeout,
        34 => HttpError::HttpUpgradeFailed,
        35 => HttpError::HttpProtocolError,
        36 => HttpError::LoopDetected,
        37 => HttpError::ConfigurationError,
        38 => HttpError::InternalError(text()),
        _ => return None,
    })
}

#[test]
fn any_error_of_the_host_ends_in_a_result_that_claims_nothing_it_does_not_prove() {
    // Proven by the code: nothing reached a server.
    let proven = [0, 1, 2, 3, 4, 5, 6, 11, 12, 13, 15];
    let (runtime, bench) = (runtime(), Bench::default());
    for number in (0..).take_while(|number| host_error(*number).is_some()) {
        for action in Action::all() {
            let reply = move || Reply::Error(host_error(number).unwrap_or(HttpError::HttpProtocolError));
            let result = runtime.block_on(bench.call(action, reply));
            check(action, &result, None).expect("what must hold of every result");
            let error = result.expect_err("an error of the host");
            // The first request decides: what comes after it is not sent.
            let is_unknown = action.operation().changes() && !proven.contains(&number);
            let expected = if is_unknown { Outcome::Unknown } else { Outcome::NotApplied };
            assert_eq!(error.outcome, expected, "{:?}: {}", host_error(number), error.message);
            assert!(error.status.is_none() && (error.attempts == 1 || action == Action::Issue), "{error:?}");
        }
    }
}
