//! Where the API is: checked once, then carried as a type.
//!
//! The rules are the contract's: `https`, or `http` on a loopback host; no user info, query or fragment. The scheme, host and
//! port of it are the only place that the component can reach, and the only one that the credential is sent to.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

/// The checked base URL of an API, such as `https://api.cloudflare.com/client/v4`.
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl {
    /// Without a slash at the end.
    text: String,
    url: Url,
}

/// An error for a text that is not a base URL, or for variables that name none. Nothing of the text but its scheme and host is repeated: the rest may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidBaseUrl {
    /// Not a URL at all.
    #[error("the base URL is not a URL ({reason}); write it like {CLOUDFLARE}")]
    NotAUrl {
        /// What is wrong with it, without the text itself.
        reason: String,
    },
    /// An environment variable that is not Unicode.
    #[error("{0} is not valid Unicode")]
    NotUnicode(&'static str),
    /// Two settings that name different APIs.
    #[error(
        "{0} and {1} name different APIs; leave one of them out, since a credential of one API must not be sent to the other"
    )]
    Contradiction(&'static str, &'static str),
    /// A compliance region that is not known.
    #[error(
        "{COMPLIANCE_REGION} is {0:?}; the regions are public and fedramp_high; for another API set {BASE_URL} alone"
    )]
    Region(String),
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
const FEDRAMP_HIGH: &str = "https://api.fed.cloudflare.com/client/v4";

const BASE_URL: &str = "CLOUDFLARE_BASE_URL";
/// Another name for the same, which Cloudflare's own tools read.
const API_BASE_URL: &str = "CLOUDFLARE_API_BASE_URL";
const COMPLIANCE_REGION: &str = "CLOUDFLARE_COMPLIANCE_REGION";
const VARIABLES: [&str; 3] = [BASE_URL, API_BASE_URL, COMPLIANCE_REGION];
/// The most characters of a region that an error repeats.
const REGION_SHOWN: usize = 60;

impl BaseUrl {
    /// Checks `text` and keeps it in normal form.
    ///
    /// # Errors
    ///
    /// [`InvalidBaseUrl`] names the rule that it breaks.
    pub fn new(text: &str) -> Result<Self, InvalidBaseUrl> {
        let mut url = Url::parse(text).map_err(|error| InvalidBaseUrl::NotAUrl { reason: error.to_string() })?;
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

    /// Reads the base URL that the process's environment names: `CLOUDFLARE_BASE_URL`; `CLOUDFLARE_API_BASE_URL`, another name for it;
    /// or `CLOUDFLARE_COMPLIANCE_REGION`, where `fedramp_high` means `https://api.fed.cloudflare.com/client/v4` and `public`
    /// means [`cloudflare`](Self::cloudflare). None where none of them is set; an empty variable counts as absent.
    ///
    /// # Errors
    ///
    /// [`InvalidBaseUrl`] when a URL breaks a rule, when a region is not known, and when two of them name different APIs: a
    /// credential of one is not sent to the other.
    pub fn from_environment() -> Result<Option<Self>, InvalidBaseUrl> {
        Self::check_environment()?;
        Self::from_variables(of_environment)
    }

    /// Refuses variables of the environment that are not Unicode, which would otherwise count as absent.
    pub(crate) fn check_environment() -> Result<(), InvalidBaseUrl> {
        let is_not_unicode = |name: &&str| matches!(std::env::var(name), Err(std::env::VarError::NotUnicode(_)));
        VARIABLES.into_iter().find(is_not_unicode).map_or(Ok(()), |name| Err(InvalidBaseUrl::NotUnicode(name)))
    }

    /// Reads the base URL from variables that are kept elsewhere, such as in a file: `read` gives the value of a name.
    ///
    /// # Errors
    ///
    /// As [`from_environment`](Self::from_environment).
    pub fn from_variables(read: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, InvalidBaseUrl> {
        let mut named: Option<(&'static str, Self)> = None;
        for name in VARIABLES {
            let Some(value) = read(name).filter(|value| !value.is_empty()) else { continue };
            let url = if name == COMPLIANCE_REGION { Self::of_region(&value)? } else { Self::new(&value)? };
            match &named {
                Some((_, first)) if *first == url => {}
                Some((first, _)) => return Err(InvalidBaseUrl::Contradiction(first, name)),
                None => named = Some((name, url)),
            }
        }
        Ok(named.map(|(_, url)| url))
    }

    /// Refuses this base URL, which `source` has set, where the compliance region among variables is that of another API.
    ///
    /// # Errors
    ///
    /// [`InvalidBaseUrl::Contradiction`], or [`InvalidBaseUrl::Region`] when the region is not known.
    pub fn check_region(
        &self,
        source: &'static str,
        read: impl Fn(&str) -> Option<String>,
    ) -> Result<(), InvalidBaseUrl> {
        let region = read(COMPLIANCE_REGION).filter(|region| !region.is_empty());
        match region.map(|region| Self::of_region(&region)).transpose()? {
            Some(url) if url != *self => Err(InvalidBaseUrl::Contradiction(source, COMPLIANCE_REGION)),
            _ => Ok(()),
        }
    }

    fn of_region(region: &str) -> Result<Self, InvalidBaseUrl> {
        match region {
            "public" => Ok(Self::cloudflare()),
            "fedramp_high" => Self::new(FEDRAMP_HIGH),
            _ => Err(InvalidBaseUrl::Region(region.chars().take(REGION_SHOWN).collect())),
        }
    }

    /// Returns the base URL of Cloudflare's API, `https://api.cloudflare.com/client/v4`.
    ///
    /// # Panics
    ///
    /// Never: the text is a constant that a test checks.
    #[must_use]
    pub fn cloudflare() -> Self {
        Self::new(CLOUDFLARE).expect("the constant is a base URL")
    }

    /// Returns the URL without a slash at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns whether the host is `localhost`, a name below it, or a loopback address.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.url)
    }

    /// The path without a slash at the end; empty where there is none.
    pub(crate) fn path(&self) -> &str {
        self.url.path().trim_end_matches('/')
    }

    pub(crate) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Whether a request to `uri` goes to the same scheme, host and port.
    pub(crate) fn is_origin_of(&self, uri: &http::Uri) -> bool {
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

pub(crate) fn of_environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
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

    fn from(variables: &[(&str, &str)]) -> Result<Option<BaseUrl>, InvalidBaseUrl> {
        BaseUrl::from_variables(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_variables_name_one_api() {
        const OTHER: &str = "https://other.example/client/v4";
        for (variables, expected) in [
            (&[][..], None),
            (&[(BASE_URL, ""), (API_BASE_URL, ""), (COMPLIANCE_REGION, "")], None),
            (&[(BASE_URL, OTHER)], Some(OTHER)),
            (&[(API_BASE_URL, OTHER)], Some(OTHER)),
            (&[(BASE_URL, OTHER), (API_BASE_URL, "https://other.example/client/v4/")], Some(OTHER)),
            (&[(COMPLIANCE_REGION, "fedramp_high")], Some(FEDRAMP_HIGH)),
            (&[(COMPLIANCE_REGION, "public")], Some(CLOUDFLARE)),
            (&[(COMPLIANCE_REGION, "fedramp_high"), (BASE_URL, FEDRAMP_HIGH)], Some(FEDRAMP_HIGH)),
        ] {
            let url = from(variables).unwrap();
            assert_eq!(url.as_ref().map(BaseUrl::as_str), expected, "{variables:?}");
        }
        for (variables, first, second) in [
            (&[(BASE_URL, CLOUDFLARE), (API_BASE_URL, OTHER)][..], BASE_URL, API_BASE_URL),
            (&[(BASE_URL, CLOUDFLARE), (COMPLIANCE_REGION, "fedramp_high")], BASE_URL, COMPLIANCE_REGION),
            (&[(API_BASE_URL, OTHER), (COMPLIANCE_REGION, "fedramp_high")], API_BASE_URL, COMPLIANCE_REGION),
            (&[(API_BASE_URL, FEDRAMP_HIGH), (COMPLIANCE_REGION, "public")], API_BASE_URL, COMPLIANCE_REGION),
        ] {
            assert_eq!(from(variables), Err(InvalidBaseUrl::Contradiction(first, second)), "{variables:?}");
        }
        for region in ["eu", "FedRAMP_high", " fedramp_high"] {
            assert_eq!(from(&[(COMPLIANCE_REGION, region)]), Err(InvalidBaseUrl::Region(region.into())));
        }
        let error = from(&[(COMPLIANCE_REGION, &"x\n".repeat(1000))]).unwrap_err().to_string();
        assert!(error.len() < 300 && !error.contains('\n') && error.contains(COMPLIANCE_REGION), "{error}");
    }

    #[test]
    fn a_base_url_that_is_set_must_be_that_of_the_region() {
        let check = |url: &str, region: &str| {
            BaseUrl::new(url).unwrap().check_region("--base-url", |_| Some(region.to_owned()))
        };
        assert_eq!(check(FEDRAMP_HIGH, "fedramp_high"), Ok(()));
        assert_eq!(check("http://localhost:8787", ""), Ok(()));
        let contradiction = Err(InvalidBaseUrl::Contradiction("--base-url", COMPLIANCE_REGION));
        assert_eq!(check(CLOUDFLARE, "fedramp_high"), contradiction);
        assert_eq!(check(FEDRAMP_HIGH, "public"), contradiction);
        assert_eq!(check(CLOUDFLARE, "eu"), Err(InvalidBaseUrl::Region("eu".into())));
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
        assert!(matches!(BaseUrl::new("api.cloudflare.com"), Err(InvalidBaseUrl::NotAUrl { .. })));
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
