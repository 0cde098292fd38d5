//! The connection below hyper: a stream that remembers the bytes of each request's head, and the handle by which a request takes
//! the connection away from hyper.
//!
//! hyper forgets how header names were written and in which order names alternated; the bytes here have both. Bytes are
//! remembered from the end of one request's body to the start of the next one's handling, so a body costs nothing.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::wire_script::Script;

pub(crate) enum Stream {
    Plain(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<tokio_rustls::server::TlsStream<TcpStream>>),
}

pub(crate) struct Wire {
    stream: Stream,
    handle: Arc<WireHandle>,
}

/// What the handling of a request shares with the connection it came on.
pub(crate) struct WireHandle {
    remembers: bool,
    /// The bytes since the last body; none while a request is handled.
    head: Mutex<Option<Vec<u8>>>,
    script: Mutex<Option<Script>>,
    taken: Notify,
    resets: AtomicBool,
}

impl Wire {
    pub fn new(stream: Stream, handle: Arc<WireHandle>) -> Self {
        Self { stream, handle }
    }

    /// Makes the end of the connection a reset in place of an orderly close.
    pub fn reset_when_dropped(&self) {
        self.handle.resets.store(true, Ordering::Relaxed);
    }

    fn tcp(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(tcp) => tcp,
            #[cfg(feature = "tls")]
            Stream::Tls(tls) => tls.get_ref().0,
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.handle.resets.load(Ordering::Relaxed) {
            // A socket that is already gone needs no reset.
            let _ = self.tcp().set_zero_linger();
        }
    }
}

impl WireHandle {
    /// `remembers`: whether to keep the bytes of heads at all.
    pub fn new(remembers: bool) -> Self {
        Self {
            remembers,
            head: Mutex::new(remembers.then(Vec::new)),
            script: Mutex::new(None),
            taken: Notify::new(),
            resets: AtomicBool::new(false),
        }
    }

    /// The bytes of the head that arrived last, and perhaps some of the body. Stops remembering.
    pub fn take_head(&self) -> Vec<u8> {
        if self.remembers { self.head.lock().take().unwrap_or_default() } else { Vec::new() }
    }

    /// Remembers again from here on.
    pub fn expect_head(&self) {
        if self.remembers {
            *self.head.lock() = Some(Vec::with_capacity(512));
        }
    }

    /// Takes the connection away from hyper.
    pub fn take_over(&self, script: Script) {
        *self.script.lock() = Some(script);
        self.taken.notify_one();
    }

    /// Waits until a request takes the connection over.
    pub async fn taken_over(&self) -> Script {
        loop {
            self.taken.notified().await;
            if let Some(script) = self.script.lock().take() {
                return script;
            }
        }
    }

    /// As [`Wire::reset_when_dropped`], while hyper has the wire.
    #[cfg(feature = "tls")]
    pub fn reset_when_dropped(&self) {
        self.resets.store(true, Ordering::Relaxed);
    }

    fn remember(&self, bytes: &[u8]) {
        if self.remembers
            && !bytes.is_empty()
            && let Some(head) = self.head.lock().as_mut()
        {
            head.extend_from_slice(bytes);
        }
    }
}

impl Wire {
    fn stream(self: Pin<&mut Self>) -> Pin<&mut dyn ByteStream> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream),
            #[cfg(feature = "tls")]
            Stream::Tls(stream) => Pin::new(stream.as_mut()),
        }
    }
}

trait ByteStream: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> ByteStream for S {}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = self.as_mut().stream().poll_read(cx, buf);
        self.handle.remember(&buf.filled()[before..]);
        result
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.stream().poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            #[cfg(feature = "tls")]
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(cx)
    }
}
