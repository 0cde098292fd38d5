//! The port, and a connection from its acceptance to its end: TLS if asked for, hyper, and perhaps a script that takes it over.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::engine::Engine;
use crate::service::Service;
use crate::wire::{Stream, Wire, WireHandle};
use crate::wire_script;

/// How connections start.
#[derive(Clone)]
pub(crate) enum Transport {
    Plain,
    #[cfg(feature = "tls")]
    Tls(tokio_rustls::TlsAcceptor),
}

/// The port that connections come to.
pub(crate) struct Port {
    listener: TcpListener,
    /// The one connection that fits into the queue of a port that accepts nobody.
    filling_the_queue: Option<TcpStream>,
}

/// Counts connections.
#[derive(Default)]
pub(crate) struct Connections {
    accepted: AtomicU64,
    open: tokio::sync::watch::Sender<u64>,
}

/// Counts one connection as open until it is dropped.
struct OpenConnection<'a>(&'a Connections);

impl Port {
    /// Listens. With `never_accepts` the queue of the port is full at once and stays so.
    pub async fn open(address: SocketAddr, never_accepts: bool) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let listener = socket.listen(if never_accepts { 0 } else { 1024 })?;
        let filling_the_queue =
            if never_accepts { Some(TcpStream::connect(listener.local_addr()?).await?) } else { None };
        Ok(Self { listener, filling_the_queue })
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The next connection.
    pub async fn accept(&self) -> TcpStream {
        if self.filling_the_queue.is_some() {
            return std::future::pending().await;
        }
        loop {
            match self.listener.accept().await {
                Ok((tcp, _)) => return tcp,
                // One of that connection, or too many open files, which takes a moment to pass.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }
}

impl Connections {
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    pub fn open(&self) -> u64 {
        *self.open.borrow()
    }

    /// Waits until exactly this many are open.
    pub async fn wait_for_open(&self, count: u64) {
        // The sender lives as long as self, so the only error cannot be.
        let _ = self.open.subscribe().wait_for(|open| *open == count).await;
    }

    fn start(&self) -> (u64, OpenConnection<'_>) {
        self.open.send_modify(|open| *open += 1);
        (self.accepted.fetch_add(1, Ordering::Relaxed) + 1, OpenConnection(self))
    }
}

impl Drop for OpenConnection<'_> {
    fn drop(&mut self) {
        self.0.open.send_modify(|open| *open -= 1);
    }
}

/// Serves a connection to its end. What goes wrong on it is the client's business.
pub(crate) async fn serve(tcp: TcpStream, transport: Transport, engine: Arc<Engine>, connections: Arc<Connections>) {
    let (connection, _open) = connections.start();
    if tcp.set_nodelay(true).is_err() {
        return;
    }
    match transport {
        Transport::Plain => serve_http1(Stream::Plain(tcp), engine, connection).await,
        #[cfg(feature = "tls")]
        Transport::Tls(acceptor) => {
            let Ok(tls) = acceptor.accept(tcp).await else { return };
            let http2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
            let stream = Stream::Tls(Box::new(tls));
            if http2 {
                serve_http2(stream, engine, connection).await;
            } else {
                serve_http1(stream, engine, connection).await;
            }
        }
    }
}

async fn serve_http1(stream: Stream, engine: Arc<Engine>, connection: u64) {
    let wire = Arc::new(WireHandle::new(engine.recorder.keeps_any()));
    let io = TokioIo::new(Wire::new(stream, Arc::clone(&wire)));
    let service = Arc::new(Service { engine, wire: Arc::clone(&wire), connection, http2: false });
    let mut hyper = http1::Builder::new()
        .auto_date_header(false)
        .header_read_timeout(None)
        .serve_connection(io, service_fn(move |request| Arc::clone(&service).serve(request)));
    let script = tokio::select! {
        biased;
        _ = &mut hyper => return,
        script = wire.taken_over() => script,
    };
    wire_script::play(hyper.into_parts().io.into_inner(), script).await;
}

#[cfg(feature = "tls")]
async fn serve_http2(stream: Stream, engine: Arc<Engine>, connection: u64) {
    let wire = Arc::new(WireHandle::new(false));
    let io = TokioIo::new(Wire::new(stream, Arc::clone(&wire)));
    let service = Arc::new(Service { engine, wire: Arc::clone(&wire), connection, http2: true });
    let hyper = hyper::server::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new())
        .auto_date_header(false)
        .serve_connection(io, service_fn(move |request| Arc::clone(&service).serve(request)));
    tokio::select! {
        biased;
        _ = hyper => {}
        script = wire.taken_over() => {
            if script.ending == wire_script::Ending::Reset {
                wire.reset_when_dropped();
            }
        }
    }
}
