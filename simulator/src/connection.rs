//! One connection from its acceptance to its end: TLS if asked for, hyper, and perhaps a script that takes it over.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

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

/// Counts connections.
#[derive(Default)]
pub(crate) struct Connections {
    accepted: AtomicU64,
    open: tokio::sync::watch::Sender<u64>,
}

/// Counts one connection as open until it is dropped.
struct OpenConnection<'a>(&'a Connections);

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
