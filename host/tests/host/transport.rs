//! The pooled client against real sockets: what is shared, what is sent again, what is refused, and how each failure is told.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use cloudflare_access_host::egress::Addresses;
use cloudflare_access_host::transport::{Proxy, SendError, Transport, TransportConfig};
use cloudflare_access_host::{BaseUrl, BuildError, Certificate};
use cloudflare_access_simulator::{ACCOUNT_ID, API_TOKEN, FaultKind, Simulator};
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinHandle, consume_budget, yield_now};
use tokio_rustls::TlsAcceptor;
use wasmtime_wasi_http::{Error as HttpError, RequestOptions, WasiBody};

use crate::within::{LIMIT, within};

/// A limit that no test lives to see, so that another one must have ended what ended.
const NEVER: Duration = Duration::from_hours(24);

type Answer = Result<Response<Bytes>, HttpError>;

fn config(base_url: &str) -> TransportConfig {
    let mut config = TransportConfig::for_base_url(&BaseUrl::new(base_url).unwrap());
    config.proxy = Proxy::None;
    config
}

fn transport(config: TransportConfig) -> Transport {
    Transport::new(config).unwrap()
}

fn request(method: &Method, uri: &str, body: &'static str) -> Request<WasiBody> {
    Request::builder()
        .method(method)
        .uri(uri)
        .header("authorization", format!("Bearer {API_TOKEN}"))
        .header("content-length", body.len())
        .body(Full::from(body).map_err(|never| match never {}).boxed_unsync())
        .unwrap()
}

async fn send(transport: &Transport, request: Request<WasiBody>) -> Answer {
    send_within(transport, request, RequestOptions::default()).await
}

async fn send_within(transport: &Transport, request: Request<WasiBody>, options: RequestOptions) -> Answer {
    let departed = AtomicBool::new(false);
    let sending = transport.send(request, Some(options), || departed.store(true, Ordering::SeqCst));
    let answer = within("the head of an answer", sending).await.map_err(SendError::into_code);
    let nothing_left = answer.as_ref().is_err_and(Transport::proves_that_nothing_left);
    assert_eq!(
        departed.load(Ordering::SeqCst),
        !nothing_left,
        "what was told and the error differ: {:?}",
        answer.err()
    );
    let (head, body) = answer?.into_parts();
    Ok(Response::from_parts(head, within("the body of an answer", body.collect()).await?.to_bytes()))
}

async fn get(transport: &Transport, uri: &str) -> Answer {
    send(transport, request(&Method::GET, uri, "")).await
}

fn tokens_of(simulator: &Simulator) -> String {
    format!("{}/accounts/{ACCOUNT_ID}/access/service_tokens", simulator.base_url())
}

async fn with_fault(fault: FaultKind) -> (Simulator, Transport) {
    let simulator = Simulator::builder().fault(fault).start().await.unwrap();
    let transport = transport(config(simulator.base_url()));
    (simulator, transport)
}

/// Serves one connection after the other with a script.
fn serve<F>(
    listener: TcpListener,
    connections: usize,
    script: impl Fn(TcpStream) -> F + Send + 'static,
) -> JoinHandle<()>
where
    F: Future<Output = ()> + Send,
{
    tokio::spawn(async move {
        for _ in 0..connections {
            let (stream, _) = listener.accept().await.unwrap();
            script(stream).await;
        }
    })
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// Reads one request up to the end of its body.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
            if body.len() >= length {
                return text;
            }
        }
        assert!(stream.read_buf(&mut request).await.unwrap() > 0, "the request ended early: {text}");
    }
}

/// Polls once, in a poll of the test in which so little of what tokio lets a task do at once is left.
async fn poll_once_with<F: Future>(left: usize, future: Pin<&mut F>) -> Poll<F::Output> {
    yield_now().await;
    for _ in left..128 {
        consume_budget().await;
    }
    let mut future = Some(future);
    poll_fn(|context| Poll::Ready(future.take().unwrap().poll(context))).await
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

// --- The pool

#[tokio::test]
async fn requests_in_a_row_share_one_connection() {
    let simulator = Simulator::start().await.unwrap();
    let transport = transport(config(simulator.base_url()));
    for _ in 0..5 {
        assert_eq!(get(&transport, &tokens_of(&simulator)).await.unwrap().status(), 200);
    }
    assert_eq!((simulator.request_count(), simulator.connections()), (5, 1));
}

/// The close arrives while the connection is in the pool, and the next request is made before the pool has been told: the
/// runtime first comes to rest, the thread is blocked until the server has closed, and one `yield_now` lets the runtime see
/// the close but not yet act on it.
#[tokio::test]
async fn a_post_on_a_connection_that_the_server_has_closed_is_sent_on_another_and_only_once() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (seen, requests) = std::sync::mpsc::channel();
    let (close, may_close) = std::sync::mpsc::channel();
    let server = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let mut length = 0;
            while !request[..length].ends_with(b"body") {
                length += std::io::Read::read(&mut stream, &mut request[length..]).unwrap();
            }
            std::io::Write::write_all(&mut stream, OK).unwrap();
            may_close.recv_timeout(LIMIT).unwrap();
            drop(stream);
            seen.send(String::from_utf8_lossy(&request[..length]).into_owned()).unwrap();
        }
    });
    let transport = transport(config(&url));
    send(&transport, request(&Method::POST, &url, "first body")).await.unwrap();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    close.send(()).unwrap();
    assert!(requests.recv_timeout(LIMIT).unwrap().ends_with("first body"));
    tokio::task::yield_now().await;
    send(&transport, request(&Method::POST, &url, "second body")).await.unwrap();
    close.send(()).unwrap();
    assert!(requests.recv_timeout(LIMIT).unwrap().ends_with("second body"));
    server.join().unwrap();
    assert!(requests.recv().is_err(), "a request was sent twice");
}

#[tokio::test]
async fn a_post_that_the_server_has_read_is_never_sent_again() {
    let (listener, url) = listen().await;
    let server = serve(listener, 1, |mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(OK).await.unwrap();
        read_request(&mut stream).await; // and now the connection is closed without an answer
    });
    let transport = transport(config(&url));
    send(&transport, request(&Method::POST, &url, "first")).await.unwrap();
    let error = send(&transport, request(&Method::POST, &url, "second")).await.unwrap_err();
    assert!(matches!(error, HttpError::ConnectionTerminated), "{error:?}");
    assert!(!Transport::proves_that_nothing_left(&error));
    within("the end of the server", server).await.unwrap();
}

#[tokio::test]
async fn http_2_is_spoken_where_the_server_offers_it() {
    let simulator = Simulator::builder().self_signed_tls().unwrap().start().await.unwrap();
    let mut config = config(simulator.base_url());
    config.extra_roots = Certificate::from_pem(simulator.certificate_pem().unwrap().as_bytes()).unwrap();
    let transport = transport(config);
    for _ in 0..3 {
        assert_eq!(get(&transport, &tokens_of(&simulator)).await.unwrap().status(), 200);
    }
    assert!(simulator.requests().iter().all(|request| request.version == "HTTP/2.0"));
    assert_eq!(simulator.connections(), 1);
}

/// A server's TLS with a certificate for a name, and the certificate.
fn certified(name: &str) -> (Certificate, ServerConfig) {
    let certified = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    (Certificate::from_der(certified.cert.der().to_vec()), server_config(&certified))
}

/// A server's TLS with this certificate.
pub fn server_config(certified: &rcgen::CertifiedKey<rcgen::KeyPair>) -> ServerConfig {
    let key = PrivateKeyDer::from_pem_slice(certified.signing_key.serialize_pem().as_bytes()).unwrap();
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap()
}

/// Over HTTP/2 a request can leave in the poll in which its connection has come to be.
#[tokio::test]
async fn what_a_server_gets_was_told_before_however_little_the_task_may_still_do() {
    const PREFACE: usize = 24;
    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    const HEADERS: u8 = 1;
    let (certificate, mut tls) = certified("127.0.0.1");
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    for left in 1..8 {
        let (listener, url) = listen().await;
        let url = url.replace("http:", "https:");
        let has_request = Arc::new(AtomicBool::new(false));
        let (arrived, acceptor) = (Arc::clone(&has_request), acceptor.clone());
        let server = serve(listener, 1, move |stream| {
            let (arrived, acceptor) = (Arc::clone(&arrived), acceptor.clone());
            async move {
                let mut stream = acceptor.accept(stream).await.unwrap();
                stream.read_exact(&mut [0; PREFACE]).await.unwrap();
                stream.write_all(SETTINGS).await.unwrap();
                let mut head = [0; 9];
                while stream.read_exact(&mut head).await.is_ok() {
                    let [_, high, low, kind, ..] = head;
                    stream.read_exact(&mut vec![0; usize::from(u16::from_be_bytes([high, low]))]).await.unwrap();
                    arrived.fetch_or(kind == HEADERS, Ordering::SeqCst);
                }
            }
        });
        let mut config = config(&url);
        config.extra_roots = vec![certificate.clone()];
        let transport = transport(config);
        let departed = AtomicBool::new(false);
        let departing = || departed.store(true, Ordering::SeqCst);
        let mut sending = pin!(transport.send(request(&Method::POST, &url, "{}"), None, departing));
        while !departed.load(Ordering::SeqCst) {
            let answer = poll_once_with(left, sending.as_mut()).await;
            assert!(answer.is_pending(), "{:?}", answer.map(Result::err));
            // So long that the connection and the server have had their turn.
            for _ in 0..500 {
                yield_now().await;
            }
            assert!(departed.load(Ordering::SeqCst) || !has_request.load(Ordering::SeqCst), "{left} left");
        }
        server.abort();
    }
}

// --- Limits

#[tokio::test]
async fn limits_of_any_length_are_taken() {
    let (listener, url) = listen().await;
    let (go_on, may_go_on) = tokio::sync::oneshot::channel();
    let mut may_go_on = Some(may_go_on);
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n").await.unwrap();
        may_go_on.take().unwrap().await.unwrap();
        stream.write_all(b"{}").await.unwrap();
        read_request(&mut stream).await;
        stream.write_all(OK).await.unwrap();
    });
    let mut config = config(&url);
    let limits = &mut config.timeouts;
    for limit in [
        &mut limits.dns,
        &mut limits.connect,
        &mut limits.handshake,
        &mut limits.first_byte,
        &mut limits.between_bytes,
        &mut limits.idle,
    ] {
        *limit = Duration::MAX;
    }
    let transport = transport(config);
    let longest = RequestOptions {
        connect_timeout: Some(Duration::MAX),
        first_byte_timeout: Some(Duration::MAX),
        between_bytes_timeout: Some(Duration::MAX),
    };
    let sending = transport.send(request(&Method::GET, &url, ""), Some(longest), || {});
    let mut body = within("the head of an answer", sending).await.unwrap().into_body();
    let mut frame = pin!(body.frame());
    assert!(poll_once_with(100, frame.as_mut()).await.is_pending(), "the server waits");
    go_on.send(()).unwrap();
    within("the body", frame).await.unwrap().unwrap();
    // The connection is kept, and whatever sees to its end has not failed.
    assert_eq!(get(&transport, &url).await.unwrap().status(), 200);
    within("the end of the server", server).await.unwrap();
}

// --- Where a connection may go

#[tokio::test]
async fn a_loopback_address_is_not_reached_where_only_public_ones_are_permitted() {
    let simulator = Simulator::start().await.unwrap();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
        let mut config = config(simulator.base_url());
        config.addresses = Addresses::Public;
        let uri = format!("http://{host}:{}/", simulator.address().port());
        let error = get(&transport(config), &uri).await.unwrap_err();
        assert!(matches!(error, HttpError::DestinationIpProhibited), "{host}: {error:?}");
        assert!(Transport::proves_that_nothing_left(&error));
    }
    assert_eq!(simulator.connections(), 0);
}

// --- Failures before the request leaves

#[tokio::test]
async fn a_name_that_does_not_exist_is_a_dns_error() {
    let transport = transport(config("https://name.invalid"));
    let error = get(&transport, "https://name.invalid/").await.unwrap_err();
    assert!(matches!(error, HttpError::DnsError { .. }), "{error:?}");
    assert!(Transport::proves_that_nothing_left(&error));
}

#[tokio::test]
async fn a_port_where_nothing_listens_refuses_the_connection() {
    // Bound, so that nobody else gets it, and without a listener.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    let error = get(&transport(config(&url)), &url).await.unwrap_err();
    assert!(matches!(error, HttpError::ConnectionRefused), "{error:?}");
    assert!(Transport::proves_that_nothing_left(&error));
}

#[tokio::test]
async fn a_connection_that_is_not_accepted_ends_at_the_connect_timeout() {
    let simulator = Simulator::builder().never_accepts().start().await.unwrap();
    let mut config = config(simulator.base_url());
    (config.timeouts.connect, config.timeouts.handshake) = (Duration::from_millis(50), NEVER);
    let error = get(&transport(config.clone()), simulator.base_url()).await.unwrap_err();
    assert!(matches!(error, HttpError::ConnectionTimeout), "{error:?}");
    assert!(Transport::proves_that_nothing_left(&error));

    config.timeouts.connect = NEVER;
    let short = RequestOptions { connect_timeout: Some(Duration::from_millis(50)), ..RequestOptions::default() };
    let request = request(&Method::GET, simulator.base_url(), "");
    let error = send_within(&transport(config), request, short).await.unwrap_err();
    assert!(matches!(error, HttpError::ConnectionTimeout), "of the component: {error:?}");
}

#[tokio::test]
async fn a_server_that_says_nothing_to_a_tls_hello_ends_at_the_handshake_timeout() {
    let (listener, _) = listen().await;
    let url = format!("https://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let accepted = listener.accept().await.unwrap();
        std::future::pending::<()>().await;
        drop(accepted);
    });
    let mut config = config(&url);
    (config.timeouts.connect, config.timeouts.handshake) = (NEVER, Duration::from_millis(50));
    let error = get(&transport(config), &url).await.unwrap_err();
    assert!(matches!(error, HttpError::ConnectionTimeout), "{error:?}");
    assert!(Transport::proves_that_nothing_left(&error));
    server.abort();
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_a_certificate_error() {
    let simulator = Simulator::builder().self_signed_tls().unwrap().start().await.unwrap();
    let error = get(&transport(config(simulator.base_url())), &tokens_of(&simulator)).await.unwrap_err();
    assert!(matches!(error, HttpError::TlsCertificateError), "{error:?}");
    assert!(Transport::proves_that_nothing_left(&error));
    assert_eq!(simulator.request_count(), 0);
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_is_a_tls_error() {
    let (listener, _) = listen().await;
    let url = format!("https://{}", listener.local_addr().unwrap());
    let server = serve(listener, 1, |mut stream| async move {
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    });
    let error = get(&transport(config(&url)), &url).await.unwrap_err();
    assert!(matches!(error, HttpError::TlsProtocolError), "{error:?}");
    assert!(Transport::proves_that_nothing_left(&error));
    within("the end of the server", server).await.unwrap();
}

// --- Failures after it may have left

#[tokio::test]
async fn no_answer_within_the_first_byte_timeout_is_a_response_timeout() {
    let (simulator, transport) = with_fault(FaultKind::NeverAnswer).await;
    let options = RequestOptions { first_byte_timeout: Some(Duration::from_millis(50)), ..RequestOptions::default() };
    let request = request(&Method::GET, &tokens_of(&simulator), "");
    let error = send_within(&transport, request, options).await.unwrap_err();
    assert!(matches!(error, HttpError::HttpResponseTimeout), "{error:?}");
    assert!(!Transport::proves_that_nothing_left(&error));
    within("the end of every connection", simulator.wait_for_open_connections(0)).await;
}

#[tokio::test]
async fn an_answer_that_stops_is_a_read_timeout() {
    for fault in [FaultKind::StallAfterHead, FaultKind::StallInBody] {
        let (simulator, transport) = with_fault(fault.clone()).await;
        let short = Some(Duration::from_millis(50));
        let options = RequestOptions { between_bytes_timeout: short, ..RequestOptions::default() };
        let request = request(&Method::GET, &tokens_of(&simulator), "");
        let error = send_within(&transport, request, options).await.unwrap_err();
        assert!(matches!(error, HttpError::ConnectionReadTimeout), "{fault:?}: {error:?}");
        within("the end of every connection", simulator.wait_for_open_connections(0)).await;
    }
}

#[tokio::test]
async fn a_body_that_is_cut_short_is_incomplete() {
    let (listener, url) = listen().await;
    let server = serve(listener, 1, |mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{").await.unwrap();
    });
    let error = get(&transport(config(&url)), &url).await.unwrap_err();
    assert!(matches!(error, HttpError::HttpResponseIncomplete), "{error:?}");
    within("the end of the server", server).await.unwrap();
}

#[tokio::test]
async fn what_is_not_http_is_a_protocol_error() {
    let (listener, url) = listen().await;
    let server = serve(listener, 1, |mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").await.unwrap();
    });
    let error = get(&transport(config(&url)), &url).await.unwrap_err();
    assert!(matches!(error, HttpError::HttpProtocolError), "{error:?}");
    assert!(!Transport::proves_that_nothing_left(&error));
    within("the end of the server", server).await.unwrap();
}

#[tokio::test]
async fn a_head_that_is_too_large_is_told_as_such() {
    let (simulator, transport) = with_fault(FaultKind::LargeHead { bytes: 1 << 20 }).await;
    let error = get(&transport, &tokens_of(&simulator)).await.unwrap_err();
    assert!(matches!(error, HttpError::HttpResponseHeaderSectionSize(_)), "{error:?}");
}

#[tokio::test]
async fn a_dropped_exchange_closes_its_connection() {
    let (simulator, transport) = with_fault(FaultKind::NeverAnswer).await;
    let uri = tokens_of(&simulator);
    tokio::select! {
        biased;
        _ = get(&transport, &uri) => panic!("there is no answer"),
        request = simulator.next_request() => assert_eq!(request.method, "GET"),
    }
    within("the end of every connection", simulator.wait_for_open_connections(0)).await;
}

// --- The proxy

/// An API at a name that only the proxy knows, and the proxy. What the proxy was asked comes out of the channel.
async fn api_behind_proxy() -> (Simulator, SocketAddr, Certificate, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let (certificate, tls) = certified("api.cloudflare.test");
    let simulator = Simulator::builder().tls(tls).start().await.unwrap();
    let api = simulator.address();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = listener.local_addr().unwrap();
    let (asked, questions) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut client = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            client.read_line(&mut head).await.unwrap();
        }
        asked.send(head).unwrap();
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
        let mut server = TcpStream::connect(api).await.unwrap();
        copy_bidirectional(&mut client, &mut server).await.ok();
    });
    (simulator, proxy, certificate, questions)
}

#[tokio::test]
async fn a_proxy_is_asked_for_a_tunnel_and_sees_nothing_of_what_is_said() {
    let (simulator, proxy, certificate, mut questions) = api_behind_proxy().await;
    let mut config = config("https://api.cloudflare.test/client/v4");
    config.proxy = Proxy::Url(format!("http://me:hunter2@{proxy}"));
    config.extra_roots = vec![certificate];
    let uri = format!("https://api.cloudflare.test/client/v4/accounts/{ACCOUNT_ID}/access/service_tokens");
    assert_eq!(get(&transport(config), &uri).await.unwrap().status(), 200);

    let question = within("a question to the proxy", questions.recv()).await.unwrap();
    assert!(question.starts_with("CONNECT api.cloudflare.test:443 HTTP/1.1\r\n"), "{question}");
    assert!(question.to_lowercase().contains("proxy-authorization: basic "), "{question}");
    assert!(!question.contains(API_TOKEN), "the proxy got the credential: {question}");
    let request = &simulator.requests()[0];
    assert_eq!(request.header("proxy-authorization"), None, "the API got the proxy's credential");
}

#[tokio::test]
async fn a_proxy_that_opens_no_tunnel_is_a_destination_that_is_unavailable() {
    let (listener, url) = listen().await;
    let server = serve(listener, 1, |mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").await.unwrap();
    });
    let mut config = config("https://api.cloudflare.test");
    config.proxy = Proxy::Url(url);
    let error = get(&transport(config), "https://api.cloudflare.test/").await.unwrap_err();
    assert!(matches!(error, HttpError::DestinationUnavailable), "{error:?}");
    assert!(Transport::proves_that_nothing_left(&error));
    within("the end of the server", server).await.unwrap();
}

#[test]
fn a_proxy_that_cannot_be_used_is_found_out_at_the_start() {
    let mut config = config("https://api.cloudflare.test");
    config.proxy = Proxy::Url("socks5://me:hunter2@proxy.example".to_owned());
    let error = Transport::new(config).unwrap_err();
    assert!(matches!(error, BuildError::Proxy(_)), "{error:?}");
    assert!(!error.to_string().contains("hunter2"));
}
