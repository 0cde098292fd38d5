//! What happened: every request as it was received, and every change that was made.
//!
//! Recording moves what it needs and parses nothing; the exact headers are read from the remembered bytes only when a test asks
//! for them. The newest requests and commits are kept, up to a limit.

use std::collections::VecDeque;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::Version;
use hyper::body::Bytes;
use hyper::http::request::Parts;
use parking_lot::Mutex;
use serde::Serialize;
use time::OffsetDateTime;
use tokio::sync::Notify;

use crate::route::Route;
use crate::{FaultName, Operation, Scope, Token, clock};

/// A request as it was received.
#[derive(Clone, PartialEq, Eq)]
pub struct RecordedRequest {
    /// The connection it came on, counted from 1 in the order in which they were accepted.
    pub connection: u64,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub version: &'static str,
    /// The method.
    pub method: String,
    /// The path, still percent-encoded.
    pub path: String,
    /// The query without its `?`, still percent-encoded; none if there was no `?`.
    pub query: Option<String>,
    /// Names and values in the order of arrival, the names written as received (always lower case over HTTP/2). If several requests
    /// arrived at once on one connection, the later ones have lower case and grouped names too.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body. Empty for a fault that answers before it is read.
    pub body: Vec<u8>,
    /// What was asked for; none if no route fits.
    pub operation: Option<Operation>,
    /// Whose tokens it was about; none if no route fits.
    pub scope: Option<Scope>,
    /// The fault it met.
    pub fault: Option<FaultName>,
    /// Whether it changed anything, so far.
    pub committed: bool,
}

/// A change that was made, whatever the answer then said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Commit {
    /// What was done.
    pub operation: Operation,
    /// To whose tokens.
    pub scope: Scope,
    /// To which token.
    pub token_id: String,
    /// When, by the clock of the simulator, as the API writes times.
    pub at: String,
    /// The version of the secret that the token has since. After a deletion, the one that it had.
    pub client_secret_version: u32,
    /// Until when the secret before it passes.
    pub previous_client_secret_expires_at: Option<String>,
    /// Whether the token is enabled since.
    pub enabled: bool,
    /// When the token expires since.
    pub expires_at: String,
}

impl Commit {
    /// A change that has just been made to a token.
    pub(crate) fn of(operation: Operation, scope: &Scope, token: &Token, now: OffsetDateTime) -> Self {
        Self {
            operation,
            scope: scope.clone(),
            token_id: token.id.clone(),
            at: clock::text(now),
            client_secret_version: token.client_secret_version,
            previous_client_secret_expires_at: token.previous_client_secret_expires_at.map(clock::text),
            enabled: token.enabled,
            expires_at: clock::text(token.expires_at),
        }
    }
}

/// A request on its way into the recording.
pub(crate) struct Received {
    pub connection: u64,
    pub parts: Parts,
    pub raw_head: Vec<u8>,
    pub body: Bytes,
    pub route: Option<Route>,
    pub fault: Option<FaultName>,
}

pub(crate) struct Recorder {
    limit: usize,
    in_flight: AtomicU64,
    peak: AtomicU64,
    kept: Mutex<Kept>,
    changed: Notify,
}

#[derive(Default)]
struct Kept {
    requests: VecDeque<(Received, bool)>,
    commits: VecDeque<Commit>,
    /// Requests since the last clearing, and how many of them are no longer kept.
    counted: u64,
    forgotten: u64,
    /// How many `next` has returned or passed over.
    returned: u64,
    /// The answers to the first of these requests wait for the last of them; counted from 1.
    held: Option<RangeInclusive<u64>>,
    /// Clearings so far, so that a commit finds its request only if it is still there.
    epoch: u64,
}

/// Counts a request as in flight until it is dropped.
pub(crate) struct InFlight<'a>(&'a Recorder);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Finds a recorded request again.
#[derive(Clone, Copy)]
pub(crate) struct Position {
    epoch: u64,
    index: u64,
}

impl Recorder {
    /// Keeps at most `limit` requests and commits; with 0 it only counts.
    pub fn new(limit: usize) -> Self {
        let (in_flight, peak) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { limit, in_flight, peak, kept: Mutex::new(Kept::default()), changed: Notify::new() }
    }

    /// Counts a request from its receipt to its answer.
    pub fn enter(&self) -> InFlight<'_> {
        let now = self.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        self.peak.fetch_max(now, Ordering::Relaxed);
        InFlight(self)
    }

    /// The most requests that were in flight at once since the last clearing.
    pub fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }

    pub fn keeps_any(&self) -> bool {
        self.limit > 0
    }

    /// Records a request; `received` is called only if requests are kept.
    pub fn record(&self, received: impl FnOnce() -> Received) -> Position {
        let mut kept = self.kept.lock();
        let position = Position { epoch: kept.epoch, index: kept.counted };
        kept.counted += 1;
        if self.keeps_any() {
            if kept.requests.len() == self.limit {
                kept.requests.pop_front();
                kept.forgotten += 1;
            }
            kept.requests.push_back((received(), false));
        }
        drop(kept);
        self.changed.notify_waiters();
        position
    }

    /// Records the change that a request made.
    pub fn commit(&self, position: Position, commit: Commit) {
        if !self.keeps_any() {
            return;
        }
        let mut kept = self.kept.lock();
        if kept.commits.len() == self.limit {
            kept.commits.pop_front();
        }
        kept.commits.push_back(commit);
        let offset = position.index.checked_sub(kept.forgotten).and_then(|offset| usize::try_from(offset).ok());
        if position.epoch == kept.epoch
            && let Some((_, committed)) = offset.and_then(|offset| kept.requests.get_mut(offset))
        {
            *committed = true;
        }
    }

    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.kept.lock().requests.iter().map(RecordedRequest::new).collect()
    }

    pub fn count(&self) -> u64 {
        self.kept.lock().counted
    }

    pub fn commits(&self) -> Vec<Commit> {
        self.kept.lock().commits.iter().cloned().collect()
    }

    pub fn clear(&self) {
        let mut kept = self.kept.lock();
        self.peak.store(self.in_flight.load(Ordering::Relaxed), Ordering::Relaxed);
        *kept = Kept { epoch: kept.epoch + 1, ..Kept::default() };
        drop(kept);
        self.changed.notify_waiters();
    }

    /// The oldest kept request that this has not returned yet; waits for one.
    pub async fn next(&self) -> RecordedRequest {
        self.when(|kept| {
            let offset = usize::try_from(kept.returned.saturating_sub(kept.forgotten)).ok()?;
            let request = RecordedRequest::new(kept.requests.get(offset)?);
            kept.returned = kept.returned.max(kept.forgotten) + 1;
            Some(request)
        })
        .await
    }

    /// Waits until this many requests were received since the last clearing.
    pub async fn wait_for(&self, requests: u64) {
        self.when(|kept| (kept.counted >= requests).then_some(())).await;
    }

    /// Holds the answers to these requests until the last of them is received or all are forgotten.
    pub fn hold(&self, numbers: RangeInclusive<u64>) {
        self.kept.lock().held = Some(numbers);
        self.changed.notify_waiters();
    }

    /// Waits as long as the answer to this request is held.
    pub async fn while_held(&self, position: Position) {
        let is_held = |kept: &Kept| {
            let numbers = kept.held.as_ref().filter(|numbers| numbers.contains(&(position.index + 1)));
            kept.epoch == position.epoch && numbers.is_some_and(|numbers| kept.counted < *numbers.end())
        };
        self.when(|kept| (!is_held(kept)).then_some(())).await;
    }

    async fn when<T>(&self, mut found: impl FnMut(&mut Kept) -> Option<T>) -> T {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(value) = found(&mut self.kept.lock()) {
                return value;
            }
            changed.await;
        }
    }
}

impl RecordedRequest {
    /// The value of the first header of this name, however it was written; none if absent or not UTF-8.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }

    /// The body as JSON; null if it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The path and, after a `?`, the query.
    #[must_use]
    pub fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }

    fn new((received, committed): &(Received, bool)) -> Self {
        let Received { connection, parts, raw_head, body, route, fault } = received;
        Self {
            connection: *connection,
            version: if parts.version == Version::HTTP_2 { "HTTP/2.0" } else { "HTTP/1.1" },
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().map(str::to_owned),
            headers: exact_headers(raw_head, parts).unwrap_or_else(|| known_headers(parts)),
            body: body.to_vec(),
            operation: route.as_ref().map(|route| route.operation),
            scope: route.as_ref().map(|route| route.scope.clone()),
            fault: *fault,
            committed: *committed,
        }
    }
}

/// The headers in the remembered bytes; none if those are not the head of this request.
fn exact_headers(raw_head: &[u8], parts: &Parts) -> Option<Vec<(String, Vec<u8>)>> {
    let mut headers = [httparse::EMPTY_HEADER; 128];
    let mut request = httparse::Request::new(&mut headers);
    let complete = request.parse(raw_head).is_ok_and(|status| status.is_complete());
    let is_this = request.method == Some(parts.method.as_str()) && request.headers.len() == parts.headers.len();
    let pairs = request.headers.iter().map(|header| (header.name.to_owned(), header.value.to_vec()));
    (complete && is_this).then(|| pairs.collect())
}

/// The headers as hyper understood them.
fn known_headers(parts: &Parts) -> Vec<(String, Vec<u8>)> {
    parts.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect()
}

/// Whether the value of a header is a credential.
pub(crate) fn is_secret_header(name: &str) -> bool {
    ["authorization", "x-auth-key", "cf-access-client-secret"].iter().any(|secret| name.eq_ignore_ascii_case(secret))
}

impl fmt::Debug for RecordedRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{} {} {} on connection {}", self.method, self.target(), self.version, self.connection)?;
        for (name, value) in &self.headers {
            let value = if is_secret_header(name) { "[redacted]".into() } else { String::from_utf8_lossy(value) };
            writeln!(formatter, "{name}: {value}")?;
        }
        let (fault, committed) = (self.fault, self.committed);
        write!(formatter, "{:?} fault {fault:?} committed {committed}", String::from_utf8_lossy(&self.body))
    }
}
