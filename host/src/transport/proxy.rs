//! Through which proxy a connection goes, if any.
//!
//! A proxy is asked for a tunnel (`CONNECT`), so it sees the API's name and nothing of what is said. Requests to a loopback base
//! URL never use one. The environment is read once, when the transport is made, and a proxy that cannot be used is an error then:
//! a direct connection in its place would go where the operator does not want it to.

use std::env::VarError;
use std::fmt;

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;

/// The variables that name a proxy, the first that is set first.
const VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
/// The variables that name the hosts without a proxy.
const EXCEPTIONS: [&str; 2] = ["NO_PROXY", "no_proxy"];
/// What an error calls a proxy that the application has set.
const OF_APPLICATION: &str = "the proxy";
/// The most characters of a scheme that an error repeats.
const SCHEME_SHOWN: usize = 16;

/// The HTTP proxy that connections go through.
#[derive(Clone)]
#[non_exhaustive]
pub enum Proxy {
    /// The first of `HTTPS_PROXY`, `https_proxy`, `ALL_PROXY` and `all_proxy` that is set and not empty, except for the hosts in
    /// `NO_PROXY` or `no_proxy`. The default.
    FromEnvironment,
    /// No proxy, whatever the environment says.
    None,
    /// This proxy for everything: `http://` or `https://`, with user name and password where it wants them.
    Url(String),
}

/// An error for a proxy that cannot be used. Names the environment variable, and repeats nothing of the URL but its scheme, since the rest may hold
/// a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidProxy {
    /// The value is not a URL.
    #[error("{of} is not the URL of a proxy; write it like http://proxy.example.com:3128")]
    NotAUrl {
        /// The environment variable, or `the proxy` where the application has set it.
        of: &'static str,
    },
    /// The scheme of the URL is neither `http` nor `https`.
    #[error(
        "{of} names a proxy of scheme {scheme:?}; use one of scheme http or https, or except the API's host in NO_PROXY"
    )]
    Scheme {
        /// The environment variable, or `the proxy` where the application has set it.
        of: &'static str,
        /// The scheme given, cut where it is long.
        scheme: String,
    },
    /// The environment variable is not Unicode.
    #[error("{0} is not valid Unicode")]
    NotUnicode(&'static str),
}

type Read<'a> = &'a dyn Fn(&'static str) -> Result<String, VarError>;

impl Proxy {
    /// The proxy to use, if any, for requests to `destination` and the like.
    pub(super) fn matcher(&self, destination: &Uri) -> Result<Option<Matcher>, InvalidProxy> {
        match self {
            Self::None => Ok(None),
            Self::FromEnvironment => of_variables(destination, &|name| std::env::var(name)),
            Self::Url(url) => matcher(OF_APPLICATION, url, "").map(Some),
        }
    }
}

fn of_variables(destination: &Uri, read: Read<'_>) -> Result<Option<Matcher>, InvalidProxy> {
    let exceptions = first_of(&EXCEPTIONS, read)?.map_or_else(String::new, |(_, hosts)| hosts);
    let is_exception = matcher(OF_APPLICATION, "http://any.example", &exceptions)?.intercept(destination).is_none();
    if is_exception {
        return Ok(None);
    }
    first_of(&VARIABLES, read)?.map(|(name, url)| matcher(name, &url, &exceptions)).transpose()
}

/// The first variable that is set and not empty.
fn first_of(names: &[&'static str], read: Read<'_>) -> Result<Option<(&'static str, String)>, InvalidProxy> {
    for &name in names {
        match read(name) {
            Ok(value) if !value.is_empty() => return Ok(Some((name, value))),
            Ok(_) | Err(VarError::NotPresent) => {}
            Err(VarError::NotUnicode(_)) => return Err(InvalidProxy::NotUnicode(name)),
        }
    }
    Ok(None)
}

fn matcher(of: &'static str, url: &str, exceptions: &str) -> Result<Matcher, InvalidProxy> {
    if let Some((scheme, _)) = url.split_once("://")
        && !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
    {
        let is_scheme = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        let scheme = scheme.chars().take(SCHEME_SHOWN).collect();
        return Err(if is_scheme { InvalidProxy::Scheme { of, scheme } } else { InvalidProxy::NotAUrl { of } });
    }
    // hyper leaves out a proxy that it cannot read, and takes the default port in place of one that is no number.
    let read = Matcher::builder().https(url).build().intercept(&Uri::from_static("https://any.example"));
    let authority = read.as_ref().and_then(|proxy| proxy.uri().authority());
    if !authority.is_some_and(|authority| authority.port_u16().is_some() || authority.as_str() == authority.host()) {
        return Err(InvalidProxy::NotAUrl { of });
    }
    Ok(Matcher::builder().https(url).no(exceptions).build())
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

    const PROXY: &str = "http://proxy.example:3128";

    fn api() -> Uri {
        Uri::from_static("https://api.cloudflare.com/")
    }

    /// The authority of the proxy that these variables give.
    fn from(variables: &[(&str, &str)]) -> Result<Option<String>, InvalidProxy> {
        let read = |name: &'static str| {
            let value = variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            value.ok_or(VarError::NotPresent)
        };
        let proxy = of_variables(&api(), &read)?.and_then(|matcher| matcher.intercept(&api()));
        Ok(proxy.map(|proxy| proxy.uri().authority().unwrap().to_string()))
    }

    #[test]
    fn a_proxy_url_is_http_or_https_and_its_password_becomes_a_header() {
        let proxy = Proxy::Url("http://me:hunter2@proxy.example:3128".into());
        let intercept = proxy.matcher(&api()).unwrap().unwrap().intercept(&api()).unwrap();
        assert_eq!(intercept.uri().authority().unwrap().as_str(), "proxy.example:3128");
        assert!(intercept.basic_auth().is_some());
        assert!(Proxy::Url("socks5://proxy.example".into()).matcher(&api()).is_err());
        assert!(Proxy::Url(String::new()).matcher(&api()).is_err());
        assert!(Proxy::None.matcher(&api()).unwrap().is_none());
        assert!(!format!("{proxy:?}").contains("hunter2"));
    }

    #[test]
    fn the_variables_name_the_proxy_and_the_hosts_without_one() {
        for (variables, proxy) in [
            (&[][..], None),
            (&[("HTTPS_PROXY", ""), ("ALL_PROXY", "")], None),
            (&[("HTTP_PROXY", PROXY)], None),
            (&[("https_proxy", PROXY)], Some("proxy.example:3128")),
            (&[("ALL_PROXY", "proxy.example:3128")], Some("proxy.example:3128")),
            (&[("HTTPS_PROXY", "HTTPS://a.example:1"), ("ALL_PROXY", PROXY)], Some("a.example:1")),
            (&[("HTTPS_PROXY", ""), ("all_proxy", PROXY)], Some("proxy.example:3128")),
            (&[("HTTPS_PROXY", PROXY), ("NO_PROXY", "example.com")], Some("proxy.example:3128")),
            (&[("HTTPS_PROXY", PROXY), ("NO_PROXY", "cloudflare.com")], None),
            (&[("ALL_PROXY", "socks5://a.example"), ("no_proxy", "*")], None),
        ] {
            assert_eq!(from(variables).unwrap().as_deref(), proxy, "{variables:?}");
        }
    }

    #[test]
    fn a_variable_that_names_no_usable_proxy_is_an_error_that_names_it() {
        for (name, value, error) in [
            ("HTTPS_PROXY", "http://", InvalidProxy::NotAUrl { of: "HTTPS_PROXY" }),
            ("HTTPS_PROXY", "http://me:hunter2@proxy example", InvalidProxy::NotAUrl { of: "HTTPS_PROXY" }),
            ("https_proxy", "http://proxy.example:hunter2", InvalidProxy::NotAUrl { of: "https_proxy" }),
            ("HTTPS_PROXY", "hunter2 a://b", InvalidProxy::NotAUrl { of: "HTTPS_PROXY" }),
            (
                "ALL_PROXY",
                "socks5://me:hunter2@proxy.example",
                InvalidProxy::Scheme { of: "ALL_PROXY", scheme: "socks5".into() },
            ),
        ] {
            let found = from(&[(name, value)]).unwrap_err();
            assert_eq!(found, error, "{value}");
            let text = found.to_string();
            assert!(text.contains(name) && !text.contains("hunter2"), "{text}");
        }
        // A variable that is wrong does not give way to one that is right.
        assert!(from(&[("HTTPS_PROXY", "http://"), ("ALL_PROXY", PROXY)]).is_err());
        let not_unicode = |name| match name {
            "HTTPS_PROXY" => Err(VarError::NotUnicode("what is shown of it".into())),
            _ => Err(VarError::NotPresent),
        };
        assert_eq!(of_variables(&api(), &not_unicode).unwrap_err(), InvalidProxy::NotUnicode("HTTPS_PROXY"));
    }
}
