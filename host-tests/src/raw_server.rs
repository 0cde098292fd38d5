//! A server that knows nothing of HTTP but where a request ends: what it answers is bytes, and how they are written.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Answers every request with what a function makes of it. Ends when it is dropped.
pub struct RawServer {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl RawServer {
    /// Writes the bytes that `answer` makes of a whole request, then closes.
    pub async fn start(answer: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let answer = Arc::new(answer);
        Self::start_with(move |mut stream, request| {
            let answer = Arc::clone(&answer);
            async move { stream.write_all(&answer(&request)).await }
        })
        .await
    }

    /// Leaves the connection to `serve` once a whole request has come.
    ///
    /// # Panics
    /// No port is free.
    pub async fn start_with<F>(serve: impl Fn(TcpStream, Vec<u8>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it has an address");
        let requests = Arc::new(AtomicUsize::new(0));
        let (serve, count) = (Arc::new(serve), Arc::clone(&requests));
        let accepting = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (serve, count) = (Arc::clone(&serve), Arc::clone(&count));
                tokio::spawn(async move {
                    stream.set_nodelay(true)?;
                    let request = whole_request(&mut stream).await?;
                    count.fetch_add(1, Ordering::Relaxed);
                    serve(stream, request).await
                });
            }
        });
        Self { address, requests, accepting }
    }

    /// What a client takes as its base URL.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/client/v4", self.address)
    }

    /// How many requests have come.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// The head and as much body as it announces.
async fn whole_request(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut request = Vec::new();
    loop {
        if let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
            let announced = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = announced.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
            if request.len() >= end + 4 + length {
                return Ok(request);
            }
        }
        if stream.read_buf(&mut request).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
