//! The host as WASI offers it, and the only file that uses `wasi:http`. One exchange, in the order in which it happens.
//!
//! It stands on the bindings that the crate `waki` generates (`waki::bindings::wasi`). waki's own client is not used:
//! its `send` has no timeout but that of connecting and no limit of the body, blocks instead of waiting for several
//! things at once, sends every body in chunks, and loses the error code once the head of an answer is there.
//!
//! The rules that an exchange keeps, each with the failure behind it:
//! - `handle` comes before the body is written; the other way round, the write waits for a reader that is not there
//!   yet.
//! - Writes stay within the permit of `check-write`; more than that traps.
//! - A write that fails is no failure of the exchange: a server may answer early (413, 401) and close. The answer
//!   decides.
//! - Every wait ends at the limit of the exchange by a timer of its own, since hosts may ignore the timeouts of a
//!   request.
//! - Children are dropped before their parents: pollable, stream, body, response. Here that is the order of scopes.
//! - `http-error-code` and `to-debug-string` are never called: the first throws on one host and knows nothing on
//!   others, the second prints the host's backtrace. A read that fails is a lost answer; how late it failed tells a
//!   timeout.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use waki::bindings::wasi::clocks::monotonic_clock::{now, subscribe_instant};
use waki::bindings::wasi::clocks::wall_clock;
use waki::bindings::wasi::http::outgoing_handler;
use waki::bindings::wasi::http::types::{
    Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, Method as WasiMethod, OutgoingBody,
    OutgoingRequest, RequestOptions, Scheme,
};
use waki::bindings::wasi::io::poll::Pollable;
use waki::bindings::wasi::io::streams::StreamError;

use crate::bindings::wasi::cli::environment::get_environment;
use crate::exchange::reactor::Reactor;
use crate::exchange::{Answer, Cause, Headers, Host, Instant, Limits, NoAnswer, error_code, nanoseconds};
use crate::request::{Method, Request};

/// How much one read asks for. A host gives what it has, so a large number costs nothing.
const READ_AT_MOST: u64 = 1024 * 1024;

/// The host did not take the request as such: it is against its rules, and nothing was sent.
const REFUSED: Cause = Cause::Denied("the host does not take a request of this form");
const HEADER_REFUSED: Cause = Cause::Denied(
    "the host refuses a header of the request; where it adds the credential itself, the credentials must be `host`",
);

/// The host of one call.
#[derive(Default)]
pub struct WasiHost {
    reactor: Reactor,
    /// The bytes of the answers that are being read.
    bytes_held: Cell<usize>,
}

/// The headers of a response, asked for when one is needed.
pub struct ResponseHeaders {
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
    type Headers = ResponseHeaders;

    fn now(&self) -> Instant {
        Instant(now())
    }

    fn wall_clock(&self) -> i64 {
        i64::try_from(wall_clock::now().seconds).unwrap_or(i64::MAX)
    }

    async fn sleep_until(&self, until: Instant) {
        self.reactor.wait([&timer(until)]).await;
    }

    async fn exchange(
        &self,
        request: &Request<'_>,
        limits: Limits,
    ) -> Result<Answer<ResponseHeaders>, NoAnswer<ResponseHeaders>> {
        let end = timer(limits.until);
        let response = self.head(request, limits, &end).await.map_err(|cause| NoAnswer { cause, head: None })?;
        let status = response.status();
        let body = match response.consume() {
            Ok(body) => self.read(&body, limits, &end).await,
            Err(()) => Err(Cause::Lost("the host gave the answer no body")),
        };
        let headers = ResponseHeaders { fields: OnceCell::new(), response };
        match body {
            Ok(body) => Ok(Answer { status, headers, body }),
            Err(cause) => Err(NoAnswer { cause, head: Some((status, headers)) }),
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
    async fn head(&self, request: &Request<'_>, limits: Limits, end: &Rc<Pollable>) -> Result<IncomingResponse, Cause> {
        let outgoing = outgoing_request(request)?;
        let body = match &request.body {
            Some(bytes) => Some((outgoing.body().map_err(|()| REFUSED)?, bytes)),
            None => None,
        };
        let future = outgoing_handler::handle(outgoing, Some(request_options(limits)))
            .map_err(|code| error_code::cause(&code))?;
        let arrival = Rc::new(future.subscribe());
        if let Some((body, bytes)) = body {
            self.write(body, bytes, &arrival, end).await?;
        }
        loop {
            if let Some(response) = response(&future)? {
                return Ok(response);
            }
            if self.reactor.wait([&arrival, end]).await == 1 {
                return Err(Cause::TimedOut("no answer came in time"));
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

    /// Reads the body of the answer.
    async fn read(&self, body: &IncomingBody, limits: Limits, end: &Rc<Pollable>) -> Result<Vec<u8>, Cause> {
        let stream = body.stream().map_err(|()| Cause::Lost("the host gave the body of the answer no stream"))?;
        let mut bytes = Vec::new();
        let mut pause_from = None;
        let mut held = Held { all: &self.bytes_held, own: 0 };
        loop {
            match stream.read(READ_AT_MOST) {
                Ok(chunk) if chunk.is_empty() => {
                    let from = *pause_from.get_or_insert_with(|| Instant(now()));
                    let stall = from.after(limits.between_bytes);
                    let readable = Rc::new(stream.subscribe());
                    if stall >= limits.until {
                        if self.reactor.wait([&readable, end]).await == 1 {
                            return Err(Cause::TimedOut("the answer did not end in time"));
                        }
                    } else if self.reactor.wait([&readable, &timer(stall)]).await == 1 {
                        return Err(Cause::TimedOut("the answer stopped in the middle"));
                    }
                }
                Ok(chunk) => {
                    held.add(chunk.len(), limits.body)?;
                    let is_first = bytes.is_empty();
                    append(&mut bytes, chunk, limits.body);
                    pause_from = None;
                    // Without a pause in the answer there is no wait that could end. Most answers are one piece.
                    if !is_first && Instant(now()) >= limits.until {
                        return Err(Cause::TimedOut("the answer did not end in time"));
                    }
                }
                Err(StreamError::Closed) => return Ok(bytes),
                Err(StreamError::LastOperationFailed(_)) => {
                    let has_stalled =
                        pause_from.is_some_and(|from: Instant| Instant(now()) >= from.after(limits.between_bytes));
                    return Err(if has_stalled {
                        Cause::TimedOut("the answer stopped in the middle")
                    } else {
                        Cause::Lost("the connection broke in the middle of the answer")
                    });
                }
            }
        }
    }
}

/// What one answer holds of the bytes that all answers under way may have together.
struct Held<'a> {
    all: &'a Cell<usize>,
    own: usize,
}

impl Held<'_> {
    fn add(&mut self, bytes: usize, limit: usize) -> Result<(), Cause> {
        self.own = self.own.saturating_add(bytes);
        self.all.set(self.all.get().saturating_add(bytes));
        if self.own > limit {
            Err(Cause::Unreadable("the answer is larger than the limit of 8 MiB"))
        } else if self.all.get() > limit {
            Err(Cause::Unreadable("the answers under way are larger than the limit of 8 MiB: ask for smaller pages"))
        } else {
            Ok(())
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.all.set(self.all.get().saturating_sub(self.own));
    }
}

/// Adds a piece to a body. It never reserves more than the limit, which plain doubling would.
fn append(bytes: &mut Vec<u8>, piece: Vec<u8>, limit: usize) {
    if bytes.is_empty() {
        *bytes = piece;
        return;
    }
    let needed = bytes.len().saturating_add(piece.len());
    if needed > bytes.capacity() {
        let capacity = bytes.capacity().saturating_mul(2).min(limit).max(needed);
        bytes.reserve_exact(capacity.saturating_sub(bytes.len()));
    }
    bytes.extend_from_slice(&piece);
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
    outgoing.set_authority(Some(&request.base.authority)).map_err(refused)?;
    outgoing.set_path_with_query(Some(&request.path_with_query)).map_err(refused)?;
    Ok(outgoing)
}

/// Returns the limits as the host can keep them. It may refuse each; our own timers hold in any case.
///
/// Connecting gets the time of the whole exchange: on one host the connect timeout ends a request that is already being
/// processed, so a shorter one would cut off a slow `create`.
fn request_options(limits: Limits) -> RequestOptions {
    let whole = nanoseconds(limits.until.remaining(limits.from));
    let options = RequestOptions::new();
    options.set_connect_timeout(Some(whole)).unwrap_or_default();
    options.set_first_byte_timeout(Some(whole)).unwrap_or_default();
    options.set_between_bytes_timeout(Some(nanoseconds(limits.between_bytes))).unwrap_or_default();
    options
}

/// Returns the head of the answer if it is there.
fn response(future: &FutureIncomingResponse) -> Result<Option<IncomingResponse>, Cause> {
    match future.get() {
        None => Ok(None),
        Some(Ok(Ok(response))) => Ok(Some(response)),
        Some(Ok(Err(code))) => Err(error_code::cause(&code)),
        Some(Err(())) => Err(Cause::Lost("the host gave the answer away")),
    }
}
