//! One HTTP client for all instances of the component: the pool of connections, and the exchange of one request.
//!
//! - Connections are kept alive and shared; HTTP/2 where the server offers it, TLS 1.2 or 1.3 with the platform's roots.
//! - Each phase has its own limit: DNS, connect, handshake, first byte, between bytes. The component's own request options
//!   can only shorten them.
//! - A request is sent a second time only on hyper's word that nothing of the first was written, which it gives for a pooled
//!   connection that the server had closed. Nothing else is repeated here: what may be repeated is for the component to know.
//! - Each failure becomes the `wasi:http` error code that says in which phase it arose, for the component decides by that
//!   whether the request can have had an effect.

mod body;
mod certificate;
mod connections;
mod connector;
mod failure;
mod proxy;
mod resolver;
mod stream;
mod tls;

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::capture_connection;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use wasmtime_wasi_http::{Error as HttpError, RequestOptions, WasiBody};

use crate::egress::Addresses;
use crate::{BaseUrl, BuildError};

use body::TimedBody;
pub use certificate::{Certificate, InvalidCertificate};
use connections::Connections;
use connector::Connector;
pub use failure::{SendError, TransportError, TransportPhase};
pub use proxy::{InvalidProxy, Proxy};

/// The longest that a limit can be. Far enough away to be no limit, and near enough for every clock to count to it.
const LONGEST: Duration = Duration::from_hours(24 * 365);

/// The time limits of the phases of a request, and of an unused connection. A time beyond a year counts as a year. Every
/// field has a setter of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// For resolving a name. 5 seconds by default.
    pub dns: Duration,
    /// For a TCP connection to one of the addresses of a name, resolving included. 10 seconds by default.
    pub connect: Duration,
    /// For the TLS handshake, and for a proxy to open its tunnel. 10 seconds by default.
    pub handshake: Duration,
    /// From the request to the head of its answer. 5 minutes by default: the component has the shorter limit of the call.
    pub first_byte: Duration,
    /// Between two pieces of an answer's body. A minute by default.
    pub between_bytes: Duration,
    /// How long a connection without a request is kept. 90 seconds by default.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            dns: Duration::from_secs(5),
            connect: Duration::from_secs(10),
            handshake: Duration::from_secs(10),
            first_byte: Duration::from_mins(5),
            between_bytes: Duration::from_mins(1),
            idle: Duration::from_secs(90),
        }
    }
}

/// The settings of a [`Transport`]. Every field has a setter of the same name.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TransportConfig {
    /// Which addresses connections may be made to. A proxy's own address is not held to it.
    pub addresses: Addresses,
    /// Whether TLS is needed at all. Without it, no roots are read, and a request for `https` fails.
    pub tls: bool,
    /// Certificate authorities that are trusted besides the platform's.
    pub extra_roots: Vec<Certificate>,
    /// The way out.
    pub proxy: Proxy,
    /// Limits of the phases.
    pub timeouts: Timeouts,
    /// How many unused connections are kept.
    pub idle_connections: usize,
    /// Where the base URL is.
    destination: Option<Uri>,
}

impl TransportConfig {
    /// Returns the settings that reach `base_url` and no more than that.
    #[must_use]
    pub fn for_base_url(base_url: &BaseUrl) -> Self {
        Self {
            addresses: Addresses::of(base_url),
            tls: base_url.is_https(),
            extra_roots: Vec::new(),
            proxy: Proxy::FromEnvironment,
            timeouts: Timeouts::default(),
            idle_connections: 64,
            destination: base_url.as_str().parse().ok(),
        }
    }

    /// Sets which addresses connections may be made to. [`Addresses::of`] the base URL by default.
    #[must_use]
    pub fn addresses(mut self, addresses: Addresses) -> Self {
        self.addresses = addresses;
        self
    }

    /// Sets whether TLS is needed at all. True by default for an `https` base URL.
    #[must_use]
    pub fn tls(mut self, tls: bool) -> Self {
        self.tls = tls;
        self
    }

    /// Sets the certificate authorities that are trusted besides the platform's. None by default.
    #[must_use]
    pub fn extra_roots(mut self, roots: impl IntoIterator<Item = Certificate>) -> Self {
        self.extra_roots = roots.into_iter().collect();
        self
    }

    /// Sets the HTTP proxy. [`Proxy::FromEnvironment`] by default.
    #[must_use]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = proxy;
        self
    }

    /// Sets the limits of the phases of a request.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Sets how many unused connections are kept. 64 by default.
    #[must_use]
    pub fn idle_connections(mut self, connections: usize) -> Self {
        self.idle_connections = connections;
        self
    }
}

/// A pooled HTTP client for the requests of a component. Cheap to clone; all clones share their connections.
#[derive(Clone)]
pub struct Transport(Arc<Shared>);

struct Shared {
    client: Client<Connector, WasiBody>,
    connections: Arc<Connections>,
    timeouts: Timeouts,
}

impl Transport {
    /// Makes a client with an empty pool. Connects to nothing yet.
    ///
    /// # Errors
    ///
    /// [`BuildError::Tls`] when the platform's roots cannot be read or an extra root is no certificate, and
    /// [`BuildError::Proxy`] when the proxy's URL cannot be used.
    pub fn new(config: TransportConfig) -> Result<Self, BuildError> {
        let config = TransportConfig { timeouts: config.timeouts.within_a_year(), ..config };
        let timeouts = config.timeouts;
        let idle_connections = config.idle_connections;
        let connections = Arc::<Connections>::default();
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(timeouts.idle)
            .pool_max_idle_per_host(idle_connections)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .http2_adaptive_window(true)
            .http2_keep_alive_interval(Duration::from_secs(20))
            .http2_keep_alive_timeout(Duration::from_secs(10))
            .retry_canceled_requests(true)
            .build(Connector::new(&config, Arc::clone(&connections))?);
        Ok(Self(Arc::new(Shared { client, connections, timeouts })))
    }

    /// Sends a request and returns the answer as soon as its head is there.
    ///
    /// `departing` is called once a connection has the request, before anything of it can have reached a server, or earlier where a
    /// connection is free. Where it was not called, nothing has, whether this failed or its future was dropped. Where it was
    /// called, [`Transport::proves_that_nothing_left`] may still say so of the error.
    ///
    /// Dropping the future, or the body of the answer before its end, gives the exchange up and closes its connection
    /// (HTTP/2: its stream).
    ///
    /// # Errors
    ///
    /// [`SendError`] with the `wasi:http` error code of the phase that failed. The codes of a connection that never came to be are
    /// not used for anything later; [`Transport::proves_that_nothing_left`] knows them.
    pub async fn send(
        &self,
        mut request: Request<WasiBody>,
        options: Option<RequestOptions>,
        departing: impl FnOnce() + Send,
    ) -> Result<Response<WasiBody>, SendError> {
        let limits = self.0.timeouts.shortened_by(options.unwrap_or_default());
        let (counted, is_free) = self.0.connections.request(request.uri());
        let head = if is_free {
            departing();
            first_byte(limits.first_byte, self.0.client.request(request)).await?
        } else {
            let connection = capture_connection(&mut request);
            let mut response = pin!(self.0.client.request(request));
            let mut late = pin!(tokio::time::sleep(limits.connect));
            // What the client does in a poll is looked at in the same one, so that a dropped future cannot have sent what was not
            // told. Not by waiting for it: a wait for what is there already ends later where the task has used up its budget.
            let early = poll_fn(|context| {
                if let Poll::Ready(head) = response.as_mut().poll(context) {
                    return Poll::Ready(Ok(Some(head)));
                }
                if connection.connection_metadata().is_some() {
                    return Poll::Ready(Ok(None));
                }
                late.as_mut().poll(context).map(|()| Err(SendError::no_connection_in_time()))
            });
            let early = early.await?;
            if let Some(Err(error)) = &early
                && error.is_connect()
            {
                return Err(SendError::of_exchange(error));
            }
            departing();
            match early {
                Some(head) => head,
                None => first_byte(limits.first_byte, response).await?,
            }
        };
        let head = head.map_err(|error| SendError::of_exchange(&error))?;
        Ok(head.map(|body| TimedBody::new(body, limits.between_bytes, counted).boxed_unsync()))
    }

    /// Returns whether an error code of [`Transport::send`] arose before anything of the request can have reached a server.
    #[must_use]
    pub fn proves_that_nothing_left(code: &HttpError) -> bool {
        failure::is_before_the_request(code)
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Transport").field("timeouts", &self.0.timeouts).finish_non_exhaustive()
    }
}

async fn first_byte<F: Future>(limit: Duration, response: F) -> Result<F::Output, SendError> {
    tokio::time::timeout(limit, response).await.map_err(|_| SendError::no_answer_in_time())
}

/// The limits of one exchange.
struct Limits {
    connect: Duration,
    first_byte: Duration,
    between_bytes: Duration,
}

impl Timeouts {
    /// Returns the default limits.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the limit for resolving a name. 5 seconds by default.
    #[must_use]
    pub fn dns(mut self, limit: Duration) -> Self {
        self.dns = limit;
        self
    }

    /// Sets the limit for a TCP connection to one of the addresses of a name, resolving included. 10 seconds by default.
    #[must_use]
    pub fn connect(mut self, limit: Duration) -> Self {
        self.connect = limit;
        self
    }

    /// Sets the limit for the TLS handshake, and for a proxy to open its tunnel. 10 seconds by default.
    #[must_use]
    pub fn handshake(mut self, limit: Duration) -> Self {
        self.handshake = limit;
        self
    }

    /// Sets the limit from the request to the head of its answer. 5 minutes by default.
    #[must_use]
    pub fn first_byte(mut self, limit: Duration) -> Self {
        self.first_byte = limit;
        self
    }

    /// Sets the limit between two pieces of an answer's body. A minute by default.
    #[must_use]
    pub fn between_bytes(mut self, limit: Duration) -> Self {
        self.between_bytes = limit;
        self
    }

    /// Sets how long a connection without a request is kept. 90 seconds by default.
    #[must_use]
    pub fn idle(mut self, time: Duration) -> Self {
        self.idle = time;
        self
    }

    fn within_a_year(self) -> Self {
        let Self { dns, connect, handshake, first_byte, between_bytes, idle } = self;
        let [dns, connect, handshake, first_byte, between_bytes, idle] =
            [dns, connect, handshake, first_byte, between_bytes, idle].map(|limit| limit.min(LONGEST));
        Self { dns, connect, handshake, first_byte, between_bytes, idle }
    }

    fn shortened_by(self, options: RequestOptions) -> Limits {
        let shorter = |own: Duration, asked: Option<Duration>| asked.map_or(own, |asked| asked.min(own));
        Limits {
            connect: shorter(self.connect + self.handshake, options.connect_timeout),
            first_byte: shorter(self.first_byte, options.first_byte_timeout),
            between_bytes: shorter(self.between_bytes, options.between_bytes_timeout),
        }
    }
}
