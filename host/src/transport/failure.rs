//! What went wrong on the way, as the `wasi:http` error code that says in which phase.
//!
//! The component decides by the code whether a request can have had an effect, so the codes of a connection that never came to be
//! (`DNS-*`, `destination-*`, `connection-refused`, `connection-timeout`, `TLS-*`) are never used for anything later.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::IpAddr;

use hyper_util::client::legacy::Error as ClientError;
use rustls::{AlertDescription, Error as RustlsError};
use wasmtime_wasi_http::Error as HttpError;

/// Why there is no connection. Whatever it is, nothing of the request left.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectFailure {
    #[error("the name was not resolved in time")]
    DnsTimeout,
    #[error("the name did not resolve: {0}")]
    Dns(io::Error),
    #[error("the name has no address")]
    NoAddress,
    #[error("{0} is not an address that may be reached from here")]
    Prohibited(IpAddr),
    #[error("no TCP connection in time")]
    ConnectTimeout,
    #[error("no TCP connection: {0}")]
    Connect(io::Error),
    #[error("the proxy opened no tunnel in time")]
    TunnelTimeout,
    #[error("the proxy opened no tunnel: {}", Chain(&**.0))]
    Tunnel(Box<dyn StdError + Send + Sync>),
    #[error("no TLS session in time")]
    HandshakeTimeout,
    #[error("no TLS session: {0}")]
    Tls(io::Error),
    #[error("TLS was not set up: the base URL is not https")]
    NoTls,
    #[error("the URI has no usable host")]
    InvalidHost,
}

impl ConnectFailure {
    /// From what hyper's connector says, whose causes are this crate's resolver or the operating system.
    pub(super) fn of_tcp(error: Box<dyn StdError + Send + Sync>) -> Self {
        match causes(&*error).find_map(|cause| cause.downcast_ref::<Self>()) {
            Some(Self::DnsTimeout) => return Self::DnsTimeout,
            Some(Self::Dns(error)) => return Self::Dns(copy(error)),
            Some(Self::NoAddress) => return Self::NoAddress,
            Some(Self::Prohibited(address)) => return Self::Prohibited(*address),
            _ => {}
        }
        let of_system = causes(&*error).find_map(|cause| cause.downcast_ref::<io::Error>()).map(copy);
        Self::Connect(of_system.unwrap_or_else(|| io::Error::other(error)))
    }

    fn code(&self) -> HttpError {
        match self {
            Self::DnsTimeout => HttpError::DnsTimeout,
            Self::Dns(error) => dns_error(&error.to_string()),
            Self::NoAddress => dns_error("no address"),
            Self::Prohibited(_) => HttpError::DestinationIpProhibited,
            Self::ConnectTimeout | Self::TunnelTimeout | Self::HandshakeTimeout => HttpError::ConnectionTimeout,
            Self::Connect(error) => of_connect(error),
            Self::Tunnel(_) => HttpError::DestinationUnavailable,
            Self::Tls(error) => of_tls(error),
            Self::NoTls => HttpError::ConfigurationError,
            Self::InvalidHost => HttpError::HttpRequestUriInvalid,
        }
    }

    fn phase(&self) -> TransportPhase {
        match self {
            Self::DnsTimeout | Self::Dns(_) | Self::NoAddress => TransportPhase::Dns,
            Self::Prohibited(_) => TransportPhase::Policy,
            Self::ConnectTimeout | Self::Connect(_) | Self::InvalidHost => TransportPhase::Connect,
            Self::TunnelTimeout | Self::Tunnel(_) => TransportPhase::Proxy,
            Self::HandshakeTimeout | Self::Tls(_) | Self::NoTls => TransportPhase::Tls,
        }
    }
}

/// The phase in which a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "kebab-case"))]
pub enum TransportPhase {
    /// The request, or the address that it was for, is not allowed. Nothing was sent.
    Policy,
    /// The name of the host was being resolved. Nothing was sent.
    Dns,
    /// A TCP connection was being made. Nothing was sent.
    Connect,
    /// A proxy was being asked for a tunnel. Nothing was sent.
    Proxy,
    /// TLS was being set up. Nothing was sent.
    Tls,
    /// There was a connection, and the request may have left.
    Exchange,
}

impl TransportPhase {
    /// Returns the phase in lower case, such as `dns`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Proxy => "proxy",
            Self::Tls => "tls",
            Self::Exchange => "exchange",
        }
    }
}

impl fmt::Display for TransportPhase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The cause of a request without an answer, as this host saw it: the [`source`](std::error::Error::source) of an [`Error`](crate::Error).
///
/// Safe to log: the text has no credential, no control characters and an ordinary length.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct TransportError {
    /// Where the request was.
    pub phase: TransportPhase,
    /// What happened there, as one line for a person.
    pub message: String,
}

impl fmt::Display for TransportError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl StdError for TransportError {}

/// The error of [`Transport::send`](super::Transport::send).
#[derive(Debug)]
pub struct SendError {
    code: HttpError,
    phase: TransportPhase,
    message: String,
}

impl SendError {
    /// Returns the `wasi:http` error code of the phase that failed.
    #[must_use]
    pub fn code(&self) -> &HttpError {
        &self.code
    }

    /// Returns the `wasi:http` error code of the phase that failed, for the component.
    #[must_use]
    pub fn into_code(self) -> HttpError {
        self.code
    }

    /// Returns the phase in which the request failed.
    #[must_use]
    pub fn phase(&self) -> TransportPhase {
        self.phase
    }

    pub(super) fn no_connection_in_time() -> Self {
        let message = "no connection in time".to_owned();
        Self { code: HttpError::ConnectionTimeout, phase: TransportPhase::Connect, message }
    }

    pub(super) fn no_answer_in_time() -> Self {
        let message = "no answer in time".to_owned();
        Self { code: HttpError::HttpResponseTimeout, phase: TransportPhase::Exchange, message }
    }

    /// A failed exchange, before the head of an answer.
    pub(super) fn of_exchange(error: &ClientError) -> Self {
        let failure = causes(error).find_map(|cause| cause.downcast_ref::<ConnectFailure>());
        let (code, phase, message) = if let Some(failure) = failure.filter(|_| error.is_connect()) {
            (failure.code(), failure.phase(), failure.to_string())
        } else if error.is_connect() {
            // hyper's own handshake of the protocol: the connection was lost before a request could be written.
            (HttpError::DestinationUnavailable, TransportPhase::Connect, Chain(error).to_string())
        } else if let Some(of_body) = causes(error).find_map(|cause| cause.downcast_ref::<HttpError>()) {
            (copy_of_request_body_error(of_body), TransportPhase::Exchange, of_body.to_string())
        } else if let Some(hyper) = causes(error).find_map(|cause| cause.downcast_ref::<hyper::Error>()) {
            (of_hyper(hyper), TransportPhase::Exchange, Chain(hyper).to_string())
        } else {
            (HttpError::ConnectionTerminated, TransportPhase::Exchange, Chain(error).to_string())
        };
        Self { code, phase, message }
    }
}

/// The message may hold text of the server.
impl fmt::Display for SendError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl StdError for SendError {}

/// A failed read of an answer's body.
pub(super) fn of_body(error: &hyper::Error) -> HttpError {
    let code = match of_hyper(error) {
        HttpError::ConnectionTerminated => HttpError::HttpResponseIncomplete,
        code => code,
    };
    tracing::debug!(error = %Chain(error), ?code, "the answer was cut short");
    code
}

/// Whether the code of a [`SendError`] is one of those of a connection that never came to be.
pub(super) fn is_before_the_request(code: &HttpError) -> bool {
    matches!(
        code,
        HttpError::DnsTimeout
            | HttpError::DnsError { .. }
            | HttpError::DestinationIpProhibited
            | HttpError::DestinationIpUnroutable
            | HttpError::DestinationUnavailable
            | HttpError::ConnectionRefused
            | HttpError::ConnectionTimeout
            | HttpError::ConnectionLimitReached
            | HttpError::TlsProtocolError
            | HttpError::TlsCertificateError
            | HttpError::TlsAlertReceived { .. }
            | HttpError::ConfigurationError
            | HttpError::HttpRequestUriInvalid
    )
}

fn of_hyper(error: &hyper::Error) -> HttpError {
    if error.is_parse_too_large() {
        HttpError::HttpResponseHeaderSectionSize(None)
    } else if error.is_parse() {
        HttpError::HttpProtocolError
    } else {
        HttpError::ConnectionTerminated
    }
}

fn of_connect(error: &io::Error) -> HttpError {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => HttpError::ConnectionRefused,
        io::ErrorKind::TimedOut => HttpError::ConnectionTimeout,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown => {
            HttpError::DestinationIpUnroutable
        }
        io::ErrorKind::AddrNotAvailable => HttpError::ConnectionLimitReached,
        _ => HttpError::DestinationUnavailable,
    }
}

fn of_tls(error: &io::Error) -> HttpError {
    match error.get_ref().and_then(|cause| cause.downcast_ref::<RustlsError>()) {
        Some(RustlsError::InvalidCertificate(_) | RustlsError::NoCertificatesPresented) => {
            HttpError::TlsCertificateError
        }
        Some(RustlsError::AlertReceived(alert)) => {
            HttpError::TlsAlertReceived { alert_id: Some(u8::from(*alert)), alert_message: Some(alert_name(*alert)) }
        }
        _ => HttpError::TlsProtocolError,
    }
}

fn alert_name(alert: AlertDescription) -> String {
    alert.as_str().map_or_else(|| format!("{alert:?}"), str::to_owned)
}

fn dns_error(text: &str) -> HttpError {
    HttpError::DnsError { rcode: Some(text.to_owned()), info_code: None }
}

/// An error that the request's own body gave (the component stopped writing it) comes back to the component as it was.
fn copy_of_request_body_error(error: &HttpError) -> HttpError {
    match error {
        HttpError::HttpRequestBodySize(size) => HttpError::HttpRequestBodySize(*size),
        other => HttpError::InternalError(Some(other.to_string())),
    }
}

fn copy(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// An error and its causes on one line.
struct Chain<'a>(&'a (dyn StdError + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)?;
        causes(self.0).skip(1).try_for_each(|cause| write!(formatter, ": {cause}"))
    }
}
