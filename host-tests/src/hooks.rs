//! Hosts that send requests in another way than wasmtime: one that ignores the options of a request, one that answers from
//! memory, and one that only notes where a request would go.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::StreamExt;
use http_body_util::{BodyExt, StreamBody};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks, default_send_request};

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Box<dyn Future<Output = Result<(http::Response<WasiBody>, Io), Error>> + Send>;

/// wasmtime's own way of sending, but the timeouts of a request are forgotten.
pub struct OptionsIgnored;

impl WasiHttpHooks for OptionsIgnored {
    fn send_request(&mut self, request: http::Request<WasiBody>, _: Option<RequestOptions>, _: Io) -> Sent {
        Box::new(async move {
            let (response, io) = default_send_request(request, None).await?;
            Ok((response.map(BodyExt::boxed_unsync), Box::new(io) as Io))
        })
    }
}

/// Notes where each request would go, and lets none out.
#[derive(Clone, Default)]
pub struct Destinations(Arc<Mutex<Vec<String>>>);

impl Destinations {
    /// The scheme, host, port and path of every request so far.
    ///
    /// # Panics
    /// A request panicked.
    #[must_use]
    pub fn noted(&self) -> Vec<String> {
        self.0.lock().expect("no request panics").clone()
    }
}

impl WasiHttpHooks for Destinations {
    fn send_request(&mut self, request: http::Request<WasiBody>, _: Option<RequestOptions>, _: Io) -> Sent {
        self.0.lock().expect("no request panics").push(request.uri().to_string());
        Box::new(async { Err(Error::HttpRequestDenied) })
    }
}

/// What a host in memory answers.
pub enum Reply {
    /// An answer. Its body comes in these pieces, an empty one of which is a pause, and then ends well or does not.
    Answer {
        /// The status.
        status: http::StatusCode,
        /// The headers.
        headers: http::HeaderMap,
        /// The pieces of the body.
        chunks: Vec<Bytes>,
        /// Whether the connection breaks in place of an end.
        breaks: bool,
    },
    /// An error of the host, before any answer.
    Error(Error),
}

/// Makes a reply out of the target of a request (`/client/v4/…?page=2`).
pub type Answerer = Box<dyn FnMut(&str) -> Reply + Send>;

/// Answers from memory, without a socket.
pub struct InMemory(Arc<Mutex<Answerer>>);

/// Changes what an [`InMemory`] host answers.
#[derive(Clone)]
pub struct Replies(Arc<Mutex<Answerer>>);

impl InMemory {
    /// A host that knows no answer yet, and the way to tell it some.
    #[must_use]
    pub fn new() -> (Self, Replies) {
        let nothing: Answerer = Box::new(|_| Reply::Error(Error::DestinationUnavailable));
        let shared = Arc::new(Mutex::new(nothing));
        (Self(Arc::clone(&shared)), Replies(shared))
    }
}

impl Replies {
    /// From now on.
    ///
    /// # Panics
    /// An earlier answer panicked.
    pub fn set(&self, answer: impl FnMut(&str) -> Reply + Send + 'static) {
        *self.0.lock().expect("no answer panics") = Box::new(answer);
    }
}

impl Reply {
    /// A whole answer of JSON.
    #[must_use]
    pub fn json(status: u16, body: impl Into<Bytes>) -> Self {
        let status = http::StatusCode::from_u16(status).unwrap_or_default();
        Self::Answer { status, headers: http::HeaderMap::new(), chunks: vec![body.into()], breaks: false }
    }

    fn into_result(self) -> Result<http::Response<WasiBody>, Error> {
        let (status, headers, chunks, breaks) = match self {
            Self::Answer { status, headers, chunks, breaks } => (status, headers, chunks, breaks),
            Self::Error(error) => return Err(error),
        };
        let end = breaks.then_some(Err(Error::ConnectionTerminated));
        let pieces = futures_util::stream::iter(chunks.into_iter().map(Ok).chain(end)).then(async |piece| {
            if piece.as_ref().is_ok_and(Bytes::is_empty) {
                tokio::task::yield_now().await;
            }
            piece.map(http_body::Frame::data)
        });
        let mut response = http::Response::new(StreamBody::new(pieces).boxed_unsync());
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}

impl WasiHttpHooks for InMemory {
    fn send_request(&mut self, request: http::Request<WasiBody>, _: Option<RequestOptions>, _: Io) -> Sent {
        let answerer = Arc::clone(&self.0);
        Box::new(async move {
            let target = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
            // A host sends the whole request before there is an answer.
            request.into_body().collect().await?;
            let reply = (answerer.lock().expect("no answer panics"))(&target);
            Ok((reply.into_result()?, Box::new(async { Ok(()) }) as Io))
        })
    }
}
