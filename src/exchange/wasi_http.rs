//! The host as WASI offers it, and the only file that uses `wasi:http`. One exchange, in the order in which it happens.
//!
//! It stands on the bindings that the crate `waki` generates (`waki::bindings::wasi`). waki's own client is not used:
//! its `send` has no timeout but that of connecting and no limit of the body, blocks instead of waiting for several
//! things at once, sends every body in chunks, and loses the error code once the head of an answer is there.
//!
//! The rules that an exchange keeps, each with the failure behind it:
//! - `handle` comes before the body is written; otherwise the write waits for a reader that is not there yet.
//! - Writes stay within the permit of `check-write`; more than that traps.
//! - A write that fails is no failure of the exchange: a server may answer early (413, 401) and close.
//! - Every wait ends by a timer of its own, since hosts may ignore the timeouts of a request.
//! - Children are dropped before their parents: pollable, stream, body, response. Here that is the order of scopes.
//! - `http-error-code` and `to-debug-string` are never called: the first throws on one host and knows nothing on
//!   others, the second prints the host's backtrace. A read that fails is a lost answer; how late it failed tells a
//!   timeout.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;
use std::time::Duration;

use waki::bindings::wasi::clocks::monotonic_clock::{now, subscribe_instant};
use waki::bindings::wasi::clocks::wall_clock;
use waki::bindings::wasi::http::outgoing_handler;
use waki::bindings::wasi::http::types::{
    Fields, IncomingBody, IncomingResponse, Method as WasiMethod, OutgoingBody, OutgoingRequest, RequestOptions, Scheme,
};
use waki::bindings::wasi::io::poll::Pollable;
use waki::bindings::wasi::io::streams::StreamError;

use crate::bindings::wasi::cli::environment::get_environment;
use crate::exchange::reactor::Reactor;
use crate::exchange::{Answer, Cause, Head, Headers, Host, Instant, NoAnswer, error_code, nanoseconds};
use crate::request::{Method, Request};

/// The most bytes that an answer may have, and that all answers under way may have together. A page of 1000 tokens has
/// about 400 kB.
const BODY_LIMIT: usize = 8 * 1024 * 1024;
/// How much one read asks for. A host gives what it has, so a large number costs nothing.
const READ_AT_MOST: u64 = 1024 * 1024;
/// The longest pause in the middle of an answer.
const BETWEEN_BYTES: Duration = Duration::from_secs(15);

/// The host did not take the request as such: it is against its rules, and nothing was sent.
const REFUSED: Cause = Cause::Denied("the host does not take a request of this form");
const HEADER_REFUSED: Cause = Cause::Denied(
    "the host refuses a header of the request; where it adds the credential itself, the credentials must be `host`",
);
const UNENDING: Cause = Cause::TimedOut("the answer did not end in time");
const STALLED: Cause = Cause::TimedOut("the answer stopped in the middle");

/// The host of one call.
#[derive(Default)]
pub struct WasiHost {
    reactor: Reactor,
    /// The bytes of the answers that are being read.
    bytes_held: Cell<usize>,
}

/// The headers of a response, asked for when one is needed.
struct ResponseHeaders {
    fields: OnceCell<Fields>, // a child of the response: dropped first
    response: IncomingResponse,
}

impl Headers for ResponseHeaders {
    fn get(&self, name: &str) -> Option<String> {
        let fields = self.fields.get_or_init(|| self.response.headers());
        let value = fields.get(&name.to_owned()).into_iter().next()?;
        String::from_utf8(value).ok()
    }
}

impl Host for WasiHost {
    fn now(&self) -> Instant {
        Instant(now())
    }

    fn wall_clock(&self) -> i64 {
        i64::try_from(wall_clock::now().seconds).unwrap_or(i64::MAX)
    }

    async fn sleep_until(&self, until: Instant) {
        self.reactor.wait([&timer(until)]).await;
    }

    async fn exchange(&self, request: &Request<'_>, until: Instant) -> Result<Answer, NoAnswer> {
        let end = timer(until);
        let response = self.response(request, until, &end).await.map_err(|cause| NoAnswer { cause, head: None })?;
        let status = response.status();
        let mut body = Vec::new();
        let read = match response.consume() {
            Ok(incoming) => self.read(&incoming, &mut body, until, &end).await,
            Err(()) => Err(Cause::Lost("the host gave the answer no body")),
        };
        self.bytes_held.set(self.bytes_held.get().saturating_sub(body.len()));
        let head = Head { status, headers: Box::new(ResponseHeaders { fields: OnceCell::new(), response }) };
        match read {
            Ok(()) => Ok(Answer { head, body }),
            Err(cause) => Err(NoAnswer { cause, head: Some(head) }),
        }
    }

    fn environment(&self) -> Vec<(String, String)> {
        get_environment()
    }
}

impl WasiHost {
    /// Runs a future to its end.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.reactor.block_on(future)
    }

    /// Sends the request and waits for the head of the answer.
    async fn response(
        &self,
        request: &Request<'_>,
        until: Instant,
        end: &Rc<Pollable>,
    ) -> Result<IncomingResponse, Cause> {
        let outgoing = outgoing_request(request)?;
        let body = match &request.body {
            Some(bytes) => Some((outgoing.body().map_err(|()| REFUSED)?, bytes)),
            None => None,
        };
        let future = outgoing_handler::handle(outgoing, Some(request_options(until)))
            .map_err(|code| error_code::cause(&code))?;
        let arrival = Rc::new(future.subscribe());
        if let Some((body, bytes)) = body {
            self.write(body, bytes, &arrival, end).await?;
        }
        loop {
            match future.get() {
                Some(Ok(Ok(response))) => return Ok(response),
                Some(Ok(Err(code))) => return Err(error_code::cause(&code)),
                Some(Err(())) => return Err(Cause::Lost("the host gave the answer away")),
                None if self.reactor.wait([&arrival, end]).await == 0 => {}
                None => return Err(Cause::TimedOut("no answer came in time")),
            }
        }
    }

    /// Writes the body, unless the answer is there first. Only a timeout is a failure.
    async fn write(
        &self,
        body: OutgoingBody,
        mut bytes: &[u8],
        arrival: &Rc<Pollable>,
        end: &Rc<Pollable>,
    ) -> Result<(), Cause> {
        let Ok(stream) = body.write() else { return Ok(()) };
        while !bytes.is_empty() {
            let Ok(permit) = stream.check_write() else { return Ok(()) };
            let length = usize::try_from(permit).unwrap_or(usize::MAX).min(bytes.len());
            if length == 0 {
                let writable = Rc::new(stream.subscribe());
                match self.reactor.wait([&writable, arrival, end]).await {
                    0 => continue,
                    1 => return Ok(()),
                    _ => return Err(Cause::TimedOut("the request could not be written in time")),
                }
            }
            let Some((chunk, rest)) = bytes.split_at_checked(length) else { return Ok(()) };
            if stream.write(chunk).is_err() {
                return Ok(());
            }
            bytes = rest;
        }
        drop(stream);
        // What could be wrong with a complete body shows in the answer.
        OutgoingBody::finish(body, None).unwrap_or_default();
        Ok(())
    }

    /// Reads the body of the answer. What has been read counts among the bytes held.
    async fn read(
        &self,
        body: &IncomingBody,
        bytes: &mut Vec<u8>,
        until: Instant,
        end: &Rc<Pollable>,
    ) -> Result<(), Cause> {
        let stream = body.stream().map_err(|()| Cause::Lost("the host gave the body of the answer no stream"))?;
        // When a pause that has begun is too long.
        let mut stall: Option<Instant> = None;
        loop {
            match stream.read(READ_AT_MOST) {
                Ok(chunk) if chunk.is_empty() => {
                    let stall = *stall.get_or_insert_with(|| Instant(now()).after(BETWEEN_BYTES));
                    let (limit, cause) = if stall < until { (&timer(stall), STALLED) } else { (end, UNENDING) };
                    let readable = Rc::new(stream.subscribe());
                    if self.reactor.wait([&readable, limit]).await == 1 {
                        return Err(cause);
                    }
                }
                Ok(chunk) => {
                    let is_first = bytes.is_empty();
                    self.append(bytes, chunk)?;
                    stall = None;
                    // Without a pause in the answer there is no wait that could end. Most answers are one piece.
                    if !is_first && Instant(now()) >= until {
                        return Err(UNENDING);
                    }
                }
                Err(StreamError::Closed) => return Ok(()),
                Err(StreamError::LastOperationFailed(_)) if stall.is_some_and(|stall| Instant(now()) >= stall) => {
                    return Err(STALLED);
                }
                Err(StreamError::LastOperationFailed(_)) => {
                    return Err(Cause::Lost("the connection broke in the middle of the answer"));
                }
            }
        }
    }

    /// Adds a piece to a body, within the limits. It never reserves more than the limit, which plain doubling would.
    fn append(&self, bytes: &mut Vec<u8>, piece: Vec<u8>) -> Result<(), Cause> {
        let length = bytes.len().saturating_add(piece.len());
        let held = self.bytes_held.get().saturating_add(piece.len());
        if length > BODY_LIMIT {
            return Err(Cause::Unreadable("the answer is larger than the limit of 8 MiB"));
        }
        if held > BODY_LIMIT {
            let what = "the answers under way are larger than the limit of 8 MiB: ask for smaller pages";
            return Err(Cause::Unreadable(what));
        }
        self.bytes_held.set(held);
        if bytes.is_empty() {
            *bytes = piece;
            return Ok(());
        }
        if length > bytes.capacity() {
            let capacity = bytes.capacity().saturating_mul(2).min(BODY_LIMIT).max(length);
            bytes.reserve_exact(capacity.saturating_sub(bytes.len()));
        }
        bytes.extend_from_slice(&piece);
        Ok(())
    }
}

fn timer(until: Instant) -> Rc<Pollable> {
    Rc::new(subscribe_instant(until.0))
}

fn outgoing_request(request: &Request<'_>) -> Result<OutgoingRequest, Cause> {
    let refused = |()| REFUSED;
    let outgoing = OutgoingRequest::new(Fields::from_list(&request.headers).map_err(|_| HEADER_REFUSED)?);
    let method = match request.method {
        Method::Get => WasiMethod::Get,
        Method::Post => WasiMethod::Post,
        Method::Put => WasiMethod::Put,
        Method::Delete => WasiMethod::Delete,
    };
    let scheme = if request.base.is_https { Scheme::Https } else { Scheme::Http };
    outgoing.set_method(&method).map_err(refused)?;
    outgoing.set_scheme(Some(&scheme)).map_err(refused)?;
    outgoing.set_authority(Some(request.base.authority.as_str())).map_err(refused)?;
    outgoing.set_path_with_query(Some(&request.path_with_query)).map_err(refused)?;
    Ok(outgoing)
}

/// Returns the limits of time as the host can keep them. It may refuse each; our own timers hold in any case.
///
/// Connecting gets the time of the whole exchange: on one host the connect timeout ends a request that is already being
/// processed, so a shorter one would cut off a slow `create`.
fn request_options(until: Instant) -> RequestOptions {
    let whole = nanoseconds(until.remaining(Instant(now())));
    let options = RequestOptions::new();
    options.set_connect_timeout(Some(whole)).unwrap_or_default();
    options.set_first_byte_timeout(Some(whole)).unwrap_or_default();
    options.set_between_bytes_timeout(Some(nanoseconds(BETWEEN_BYTES))).unwrap_or_default();
    options
}
