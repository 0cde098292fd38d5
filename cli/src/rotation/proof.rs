//! The proof of a new pair: an application behind Access lets it in.

use cloudflare_access_host::Pair;
use cloudflare_access_host::rotation::{Proof, ProofError, ProofFuture};
use url::Url;

use crate::arguments::Connection;
use crate::failure::Failure;
use crate::verify::{Answer, Asking, checked};

/// An application, asked as by `verify`.
#[derive(Debug)]
pub struct UrlProof {
    url: Url,
    client: Asking,
}

impl UrlProof {
    /// Takes the URL of an application, if a secret may be sent to it.
    pub fn new(url: &str, connection: &Connection) -> Result<Self, Failure> {
        let (url, origin) = checked(url, "--verify")?;
        Ok(Self { url, client: Asking::new(&origin, connection)? })
    }
}

impl Proof for UrlProof {
    fn check(&self) -> ProofFuture<'_> {
        Box::pin(async move {
            match self.client.ask(&self.url, None).await {
                Ok(Answer::Refused(_)) => Ok(()),
                Ok(Answer::Other(status)) => Err(ProofError::new(format!(
                    "{} answers {status} without a pair, so an answer with one would prove nothing",
                    self.url
                ))),
                Err(failure) => Err(ProofError::new(failure.message)),
            }
        })
    }

    fn prove<'a>(&'a self, pair: &'a Pair) -> ProofFuture<'a> {
        Box::pin(async move {
            match self.client.ask(&self.url, Some(pair)).await {
                Ok(Answer::Other(_)) => Ok(()),
                Ok(Answer::Refused(status)) => Err(ProofError::passing(format!("Access refuses the pair: {status}"))),
                Err(failure) => Err(ProofError::passing(failure.message)),
            }
        })
    }
}
