//! Through which proxy a connection goes, if any.
//!
//! A proxy is asked for a tunnel (`CONNECT`), so it sees the API's name and nothing of what is said. Requests to a loopback base
//! URL never use one.

use std::fmt;

use hyper_util::client::proxy::matcher::{Intercept, Matcher};

/// The way out.
#[derive(Clone)]
#[non_exhaustive]
pub enum Proxy {
    /// `HTTPS_PROXY` (or `ALL_PROXY`) except for the hosts in `NO_PROXY`, as curl reads them. The default.
    FromEnvironment,
    /// No proxy, whatever the environment says.
    None,
    /// This proxy for everything: `http://` or `https://`, with user name and password where it wants them.
    Url(String),
}

/// The proxy's URL cannot be used. The URL is not repeated: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the proxy is not a URL of scheme http or https; write it like http://proxy.example.com:3128")]
pub struct InvalidProxy;

impl Proxy {
    /// The proxy for requests to `destination`.
    pub(super) fn for_destination(&self, destination: &http::Uri) -> Result<Option<Intercept>, InvalidProxy> {
        let intercept = match self {
            Self::None => return Ok(None),
            Self::FromEnvironment => Matcher::from_env().intercept(destination),
            Self::Url(url) => {
                Some(Matcher::builder().all(url.as_str()).build().intercept(destination).ok_or(InvalidProxy)?)
            }
        };
        match intercept {
            Some(intercept) if !matches!(intercept.uri().scheme_str(), Some("http" | "https")) => Err(InvalidProxy),
            intercept => Ok(intercept),
        }
    }
}

impl fmt::Debug for Proxy {
    /// The URL may hold a password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::FromEnvironment => "FromEnvironment",
            Self::None => "None",
            Self::Url(_) => "Url([redacted])",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_url_is_http_or_https_and_its_password_becomes_a_header() {
        let destination = "https://api.cloudflare.com/".parse().unwrap();
        let proxy = Proxy::Url("http://me:hunter2@proxy.example:3128".into());
        let intercept = proxy.for_destination(&destination).unwrap().unwrap();
        assert_eq!(intercept.uri().authority().unwrap().as_str(), "proxy.example:3128");
        assert!(intercept.basic_auth().is_some());
        assert!(Proxy::Url("socks5://proxy.example".into()).for_destination(&destination).is_err());
        assert!(Proxy::Url(String::new()).for_destination(&destination).is_err());
        assert!(Proxy::None.for_destination(&destination).unwrap().is_none());
        assert!(!format!("{proxy:?}").contains("hunter2"));
    }
}
