//! Where the API is: checked once, then carried as a type.
//!
//! The rules are the contract's: `https`, or `http` on a loopback host; no user info, query or fragment. The scheme, host and
//! port of it are the only place that the component can reach, and the only one that the credential is sent to.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

/// The base URL of an API, such as `https://api.cloudflare.com/client/v4`.
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl {
    /// Without a slash at the end.
    text: String,
    url: Url,
}

/// Why a text is not a base URL. Nothing of the text but its scheme and host is repeated: the rest may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidBaseUrl {
    /// Not a URL at all.
    #[error("the base URL is not a URL ({0}); write it like {CLOUDFLARE}")]
    NotAUrl(url::ParseError),
    /// Not Unicode.
    #[error("the base URL is not valid Unicode")]
    NotUnicode,
    /// Neither `https` nor, on a loopback host, `http`.
    #[error("the base URL has the scheme {scheme:?} on host {host:?}; use https, or http on a loopback host")]
    Scheme {
        /// The scheme given.
        scheme: String,
        /// The host given, empty where there is none.
        host: String,
    },
    /// It carries a user name or a password.
    #[error("the base URL for host {host:?} carries user info; give the credential separately")]
    UserInfo {
        /// The host given.
        host: String,
    },
    /// It has a query or a fragment.
    #[error("the base URL for host {host:?} has a query or a fragment; it must end with its path")]
    QueryOrFragment {
        /// The host given.
        host: String,
    },
}

const CLOUDFLARE: &str = "https://api.cloudflare.com/client/v4";

impl BaseUrl {
    /// Checks `text` and keeps it in normal form.
    ///
    /// # Errors
    ///
    /// [`InvalidBaseUrl`] names the rule that it breaks.
    pub fn new(text: &str) -> Result<Self, InvalidBaseUrl> {
        let mut url = Url::parse(text).map_err(InvalidBaseUrl::NotAUrl)?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let scheme_allowed = match url.scheme() {
            "https" => true,
            "http" => is_loopback(&url),
            _ => false,
        };
        if !scheme_allowed {
            return Err(InvalidBaseUrl::Scheme { scheme: url.scheme().to_owned(), host });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidBaseUrl::UserInfo { host });
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidBaseUrl::QueryOrFragment { host });
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self { text: url.as_str().trim_end_matches('/').to_owned(), url })
    }

    /// Cloudflare's own: `https://api.cloudflare.com/client/v4`.
    ///
    /// # Panics
    ///
    /// Never: the text is a constant that a test checks.
    #[must_use]
    pub fn cloudflare() -> Self {
        Self::new(CLOUDFLARE).expect("the constant is a base URL")
    }

    /// The URL without a slash at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the host is `localhost`, a name below it, or a loopback address.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.url)
    }

    pub(crate) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Whether a request to `uri` goes to the same scheme, host and port.
    #[must_use]
    pub fn is_origin_of(&self, uri: &http::Uri) -> bool {
        let default_port = match uri.scheme_str() {
            Some("https") => 443,
            Some("http") => 80,
            _ => return false,
        };
        uri.scheme_str() == Some(self.url.scheme())
            && uri.host().is_some_and(|host| self.url.host_str().is_some_and(|own| own.eq_ignore_ascii_case(host)))
            && Some(uri.port_u16().unwrap_or(default_port)) == self.url.port_or_known_default()
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

impl Default for BaseUrl {
    fn default() -> Self {
        Self::cloudflare()
    }
}

impl FromStr for BaseUrl {
    type Err = InvalidBaseUrl;

    fn from_str(text: &str) -> Result<Self, InvalidBaseUrl> {
        Self::new(text)
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cloudflares_own_url_is_kept_as_it_is() {
        assert_eq!(BaseUrl::cloudflare().as_str(), CLOUDFLARE);
        assert_eq!(BaseUrl::new("https://api.cloudflare.com/client/v4/").unwrap(), BaseUrl::cloudflare());
    }

    #[test]
    fn http_needs_a_loopback_host() {
        for url in ["http://127.0.0.1:8787/client/v4", "http://localhost", "http://api.localhost:1", "http://[::1]:2/x"]
        {
            assert!(BaseUrl::new(url).is_ok_and(|url| url.is_loopback()), "{url}");
        }
        for url in ["http://api.cloudflare.com", "http://10.0.0.1", "http://localhost.example.com", "ftp://localhost"] {
            assert!(matches!(BaseUrl::new(url), Err(InvalidBaseUrl::Scheme { .. })), "{url}");
        }
    }

    #[test]
    fn a_url_that_carries_more_than_a_path_is_refused_without_repeating_it() {
        let error = BaseUrl::new("https://user:hunter2@example.com/").unwrap_err();
        assert!(matches!(error, InvalidBaseUrl::UserInfo { .. }));
        assert!(!error.to_string().contains("hunter2"));
        assert!(matches!(BaseUrl::new("https://a.example/?q"), Err(InvalidBaseUrl::QueryOrFragment { .. })));
        assert!(matches!(BaseUrl::new("https://a.example/#f"), Err(InvalidBaseUrl::QueryOrFragment { .. })));
        assert!(matches!(BaseUrl::new("api.cloudflare.com"), Err(InvalidBaseUrl::NotAUrl(_))));
    }

    #[test]
    fn the_origin_is_scheme_host_and_port() {
        let base = BaseUrl::cloudflare();
        for uri in ["https://api.cloudflare.com/client/v4/x", "https://API.cloudflare.com:443/"] {
            assert!(base.is_origin_of(&uri.parse().unwrap()), "{uri}");
        }
        for uri in [
            "http://api.cloudflare.com/client/v4",
            "https://api.cloudflare.com:8443/",
            "https://api.cloudflare.com.evil.example/",
            "https://cloudflare.com/",
            "/client/v4",
        ] {
            assert!(!base.is_origin_of(&uri.parse().unwrap()), "{uri}");
        }
        let loopback = BaseUrl::new("http://[::1]:8787/client/v4").unwrap();
        assert!(loopback.is_origin_of(&"http://[::1]:8787/client/v4/x".parse().unwrap()));
        assert!(!loopback.is_origin_of(&"http://[::1]/client/v4/x".parse().unwrap()));
    }
}
