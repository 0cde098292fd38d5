//! Why an [`AccessTokens`](crate::AccessTokens) could not be set up. Nothing was sent and nothing is left behind.

use crate::base_url::InvalidBaseUrl;
use crate::credentials::InvalidCredentials;
use crate::transport::InvalidProxy;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// An error in the set-up of an [`AccessTokens`](crate::AccessTokens) or a [`Runtime`](crate::Runtime). Found before the first call, so a program can stop at its start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// There is no usable credential.
    #[error(transparent)]
    Credentials(#[from] InvalidCredentials),
    /// The base URL breaks a rule.
    #[error(transparent)]
    BaseUrl(#[from] InvalidBaseUrl),
    /// The proxy cannot be used.
    #[error(transparent)]
    Proxy(#[from] InvalidProxy),
    /// TLS cannot be set up: the platform has no roots (install its `ca-certificates`), or an extra root is no certificate.
    #[error(
        "TLS cannot be set up: {0}. Where the system has no certificates of authorities, install its package \
         ca-certificates, or name a PEM file of them in SSL_CERT_FILE"
    )]
    Tls(#[source] Cause),
    /// wasmtime cannot run here: the settings do not fit together, or the system gives no memory or no thread.
    #[error("the WebAssembly engine cannot be started: {0}")]
    Engine(#[source] Cause),
    /// What was given is not the component: not WebAssembly, of another world, with imports that this host does not offer, or
    /// compiled ahead of time by another version or for another machine.
    #[error("the component cannot be loaded: {0}")]
    Component(#[source] Cause),
}

impl BuildError {
    pub(crate) fn engine(error: &wasmtime::Error) -> Self {
        Self::Engine(format!("{error:#}").into())
    }

    pub(crate) fn component(error: &wasmtime::Error) -> Self {
        Self::Component(format!("{error:#}").into())
    }
}
