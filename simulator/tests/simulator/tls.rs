//! HTTPS: HTTP/2 where the client offers it, HTTP/1.1 otherwise, and faults over both.

use std::sync::Arc;

use cloudflare_access_simulator::{API_TOKEN, FaultKind, Operation, Simulator};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::client::{body, path};
use crate::within::within;

async fn secure() -> Simulator {
    Simulator::builder().self_signed_tls().expect("a certificate").start().await.expect("a simulator")
}

async fn handshake(simulator: &Simulator, protocol: &[u8]) -> TlsStream<TcpStream> {
    let pem = simulator.certificate_pem().expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).expect("PEM")).expect("a certificate");
    let ring = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(ring).with_safe_default_protocol_versions().expect("versions");
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let tcp = TcpStream::connect(simulator.address()).await.expect("a connection");
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, tcp).await.expect("TLS")
}

async fn http2(simulator: &Simulator) -> SendRequest<Full<Bytes>> {
    let tls = handshake(simulator, b"h2").await;
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(tls)).await.expect("HTTP/2");
    tokio::spawn(connection);
    sender
}

fn request(simulator: &Simulator, operation: Operation) -> Request<Full<Bytes>> {
    Request::builder()
        .method(operation.method())
        .uri(format!("{}{}", simulator.origin(), path(operation, simulator.account(), "")))
        .header("authorization", format!("Bearer {API_TOKEN}"))
        .body(Full::new(body(operation).into()))
        .expect("a request")
}

#[tokio::test]
async fn http2_is_spoken_and_several_requests_share_a_connection() {
    let simulator = secure().await;
    assert!(simulator.base_url().starts_with("https://127.0.0.1:"));
    let connection = http2(&simulator).await;
    let sends = [Operation::Create, Operation::List, Operation::Create].map(|operation| {
        let mut connection = connection.clone();
        let request = request(&simulator, operation);
        async move { within("an answer", connection.send_request(request)).await.expect("an answer").status().as_u16() }
    });
    let [first, second, third] = sends;
    assert_eq!(tokio::join!(first, second, third), (201, 200, 201));
    assert_eq!(simulator.connections(), 1);
    assert!(simulator.requests().iter().all(|request| request.version == "HTTP/2.0" && request.connection == 1));
}

#[tokio::test]
async fn http1_is_spoken_to_a_client_that_wants_it() {
    let simulator = secure().await;
    let tls = handshake(&simulator, b"http/1.1").await;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tls)).await.expect("HTTP/1.1");
    tokio::spawn(connection);
    assert_eq!(
        within("an answer", sender.send_request(request(&simulator, Operation::List)))
            .await
            .expect("an answer")
            .status(),
        200
    );
    assert_eq!(within("the next request", simulator.next_request()).await.version, "HTTP/1.1");
}

#[tokio::test]
async fn over_http2_a_fault_ends_the_connection_holds_the_stream_or_is_its_answer() {
    let simulator = secure().await;
    for kind in
        [FaultKind::Close, FaultKind::Reset, FaultKind::CloseInHead, FaultKind::TruncatedBody, FaultKind::NotHttp]
    {
        let mut connection = http2(&simulator).await;
        simulator.inject(kind.clone());
        assert!(
            within("an answer", connection.send_request(request(&simulator, Operation::Create))).await.is_err(),
            "{kind:?}"
        );
        within("the end of every connection", simulator.wait_for_open_connections(0)).await;
    }
    for kind in [FaultKind::NeverAnswer, FaultKind::StallAfterHead] {
        let mut connection = http2(&simulator).await;
        simulator.inject(kind);
        let held = tokio::spawn(connection.send_request(request(&simulator, Operation::Create)));
        assert_eq!(
            within("an answer", connection.send_request(request(&simulator, Operation::List)))
                .await
                .expect("an answer")
                .status(),
            200
        );
        assert!(!held.is_finished());
        held.abort();
    }
    assert_eq!(simulator.commits(), []);
    for (kind, status) in [(FaultKind::CloseAfterAnswer, 201), (FaultKind::ContentTooLarge, 413)] {
        let mut connection = http2(&simulator).await;
        simulator.inject(kind);
        let answer = within("an answer", connection.send_request(request(&simulator, Operation::Create)))
            .await
            .expect("an answer");
        assert_eq!(answer.status(), status);
        assert!(!answer.into_body().collect().await.expect("a body").to_bytes().is_empty());
    }
}

#[tokio::test]
async fn over_http1_with_tls_a_fault_damages_the_bytes_as_without() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let simulator = secure().await;
    simulator.inject(FaultKind::NotHttp);
    let mut tls = handshake(&simulator, b"http/1.1").await;
    let target = path(Operation::List, simulator.account(), "");
    tls.write_all(format!("GET {target} HTTP/1.1\r\nhost: h\r\n\r\n").as_bytes()).await.expect("written");
    let mut bytes = Vec::new();
    within("an answer", tls.read_to_end(&mut bytes)).await.expect("closed with a notice");
    assert!(bytes.starts_with(b"\x16\x03\x01"), "{bytes:?}");
}
