//! Makes one connection: name, TCP, perhaps a proxy's tunnel, TLS; each with its limit and its own kind of failure.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, Write};
use hyper_rustls::MaybeHttpsStream;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tower_service::Service;
use wasmtime_wasi::runtime::spawn;

use super::TransportConfig;
use super::connections::Connections;
use super::failure::ConnectFailure;
use super::resolver::GuardedResolver;
use super::stream::{Link, Stream, Tcp};
use super::tls::{self, Protocols};
use crate::BuildError;
use crate::egress::Addresses;

type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, ConnectFailure>> + Send>>;

/// What hyper's pool asks for connections. It takes a clone along with each request.
#[derive(Clone)]
pub(super) struct Connector(Arc<Routes>);

struct Routes {
    connections: Arc<Connections>,
    direct: Dialer,
    proxy: Option<(Matcher, Dialer)>,
    tls: Option<TlsConnector>,
    addresses: Addresses,
    handshake: Duration,
}

impl Connector {
    pub(super) fn new(config: &TransportConfig, connections: Arc<Connections>) -> Result<Self, BuildError> {
        let timeouts = config.timeouts;
        let dialer = |addresses, tls| Dialer {
            tcp: tcp_connector(GuardedResolver::new(addresses, timeouts.dns)),
            tls,
            connect: timeouts.connect,
            handshake: timeouts.handshake,
        };
        let tls = |protocols| tls::connector(&config.extra_roots, protocols);
        let matcher = match &config.destination {
            Some(destination) if config.tls && config.addresses != Addresses::Loopback => {
                config.proxy.matcher(destination)?
            }
            _ => None,
        };
        let proxy = match matcher {
            // Where a proxy stands is the operator's choice, so its address is not held to the rule for destinations.
            Some(matcher) => Some((matcher, dialer(Addresses::Any, Some(tls(Protocols::Http1)?)))),
            None => None,
        };
        let tls = config.tls.then(|| tls(Protocols::Http2OrHttp1)).transpose()?;
        Ok(Self(Arc::new(Routes {
            connections,
            direct: dialer(config.addresses, None),
            proxy,
            tls,
            addresses: config.addresses,
            handshake: timeouts.handshake,
        })))
    }
}

impl Routes {
    async fn connect(&self, destination: Uri) -> Result<MaybeHttpsStream<Link>, ConnectFailure> {
        let host = host(&destination)?;
        if let Ok(address) = host.parse()
            && !self.addresses.permit(address)
        {
            return Err(ConnectFailure::Prohibited(address));
        }
        if destination.scheme_str() != Some("https") {
            return Ok(MaybeHttpsStream::Http(self.direct.link(destination).await?));
        }
        let tls = self.tls.as_ref().ok_or(ConnectFailure::NoTls)?;
        let name = server_name(host)?;
        let proxy = self.proxy.as_ref().and_then(|(matcher, dialer)| Some((matcher.intercept(&destination)?, dialer)));
        let link = match proxy {
            Some((proxy, dialer)) => {
                let mut tunnel = Tunnel::new(proxy.uri().clone(), ToProxy(dialer.clone()));
                if let Some(credential) = proxy.basic_auth() {
                    tunnel = tunnel.with_auth(credential.clone());
                }
                timeout(self.handshake + self.direct.connect, tunnel.call(destination))
                    .await
                    .map_err(|_| ConnectFailure::TunnelTimeout)?
                    .map_err(|error| ConnectFailure::Tunnel(error.into()))?
            }
            None => MaybeHttpsStream::Http(self.direct.tcp(destination).await?),
        };
        handshake(tls, name, link, self.handshake).await
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = ConnectFailure;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectFailure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, destination: Uri) -> Self::Future {
        // A task of its own: making a connection takes a deep stack, and whoever sends a request may be on a small one that stays.
        let routes = Arc::clone(&self.0);
        Box::pin(spawn(async move {
            let stream = Box::pin(routes.connect(destination.clone())).await?;
            Ok(Stream::new(stream, routes.connections.opened(&destination)))
        }))
    }
}

/// Makes TCP connections, and TLS over them where the URI's scheme asks for it and it is set up.
#[derive(Clone)]
struct Dialer {
    tcp: HttpConnector<GuardedResolver>,
    tls: Option<TlsConnector>,
    connect: Duration,
    handshake: Duration,
}

impl Dialer {
    async fn tcp(&self, destination: Uri) -> Result<Tcp, ConnectFailure> {
        timeout(self.connect, self.tcp.clone().call(destination))
            .await
            .map_err(|_| ConnectFailure::ConnectTimeout)?
            .map_err(|error| ConnectFailure::of_tcp(error.into()))
    }

    async fn link(&self, destination: Uri) -> Result<Link, ConnectFailure> {
        match (destination.scheme_str(), self.tls.clone()) {
            (Some("https"), Some(tls)) => {
                let name = server_name(host(&destination)?)?;
                let tcp = self.tcp(destination).await?;
                handshake(&tls, name, tcp, self.handshake).await
            }
            (Some("https"), None) => Err(ConnectFailure::NoTls),
            _ => Ok(MaybeHttpsStream::Http(self.tcp(destination).await?)),
        }
    }
}

/// A [`Dialer`] in the form that [`Tunnel`] takes.
#[derive(Clone)]
struct ToProxy(Dialer);

impl Service<Uri> for ToProxy {
    type Response = Link;
    type Error = ConnectFailure;
    type Future = Connecting<Link>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectFailure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, proxy: Uri) -> Self::Future {
        let dialer = self.0.clone();
        Box::pin(async move { dialer.link(proxy).await })
    }
}

fn tcp_connector(resolver: GuardedResolver) -> HttpConnector<GuardedResolver> {
    let mut connector = HttpConnector::new_with_resolver(resolver);
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_keepalive(Some(Duration::from_secs(30)));
    connector
}

async fn handshake<T>(
    tls: &TlsConnector,
    name: ServerName<'static>,
    link: T,
    limit: Duration,
) -> Result<MaybeHttpsStream<T>, ConnectFailure>
where
    T: Read + Write + Unpin,
{
    match timeout(limit, tls.connect(name, TokioIo::new(link))).await {
        Ok(Ok(stream)) => Ok(stream.into()),
        Ok(Err(error)) => Err(ConnectFailure::Tls(error)),
        Err(_) => Err(ConnectFailure::HandshakeTimeout),
    }
}

/// The host without the brackets of an IPv6 address.
fn host(uri: &Uri) -> Result<&str, ConnectFailure> {
    let host = uri.host().ok_or(ConnectFailure::InvalidHost)?;
    Ok(host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host))
}

fn server_name(host: &str) -> Result<ServerName<'static>, ConnectFailure> {
    ServerName::try_from(host.to_owned()).map_err(|_| ConnectFailure::InvalidHost)
}
