//! TLS with rustls: the platform's verifier and roots, extra roots, TLS 1.2 or later, ring as the cryptography.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls_platform_verifier::Verifier;
use tokio_rustls::TlsConnector;

use super::certificate::Certificate;
use crate::BuildError;

/// What is spoken over the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocols {
    /// HTTP/2 if the server has it, else HTTP/1.1.
    Http2OrHttp1,
    /// HTTP/1.1 only: to a proxy, whose `CONNECT` is spoken in it.
    Http1,
}

pub(super) fn connector(extra_roots: &[Certificate], protocols: Protocols) -> Result<TlsConnector, BuildError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Verifier::new_with_extra_roots(extra_roots.iter().map(Certificate::der), Arc::clone(&provider))
        .map_err(|error| BuildError::Tls(error.into()))?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| BuildError::Tls(error.into()))?
        .dangerous() // rustls' word for any verifier but its own; this one asks the platform
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = match protocols {
        Protocols::Http2OrHttp1 => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        Protocols::Http1 => vec![b"http/1.1".to_vec()],
    };
    Ok(TlsConnector::from(Arc::new(config)))
}
