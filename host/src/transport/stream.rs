//! The bytes of one connection, as one pointer: the state of TLS is some kilobytes, and hyper moves a connection about.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::MaybeHttpsStream;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::connections::Counted;

pub(super) type Tcp = TokioIo<TcpStream>;
/// To the API's server or to a proxy, the latter perhaps in TLS.
pub(super) type Link = MaybeHttpsStream<Tcp>;

/// A connection to the API's server, through whatever leads there.
pub(super) struct Stream {
    bytes: Pin<Box<MaybeHttpsStream<Link>>>,
    _counted: Option<Counted>,
}

impl Stream {
    pub(super) fn new(stream: MaybeHttpsStream<Link>, counted: Option<Counted>) -> Self {
        Self { bytes: Box::pin(stream), _counted: counted }
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        self.bytes.connected()
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        self.bytes.as_mut().poll_read(context, buffer)
    }
}

impl Write for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.bytes.as_mut().poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.bytes.as_mut().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.bytes.as_mut().poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.bytes.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.bytes.as_mut().poll_write_vectored(context, bytes)
    }
}
