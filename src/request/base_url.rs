//! Where the API is: a URL becomes a checked type, which requests are built on.

use std::net::{IpAddr, Ipv6Addr};

use http::Uri;
use http::uri::Authority;

use crate::failure::{Failure, Result};

const LIMIT: usize = 2048;

/// Where the API is: `https`, or `http` on a loopback host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    pub is_https: bool,
    pub authority: Authority,
    /// Without a slash at the end; empty for the root.
    pub path: String,
}

impl BaseUrl {
    /// Checks a URL. `source` is the option or variable that it comes from.
    pub fn parse(source: &str, url: &str) -> Result<Self> {
        if url.len() > LIMIT {
            return Err(Failure::configuration(format!("{source} is longer than {LIMIT} bytes")));
        }
        // Before anything of the URL can reach a message: user information is a credential, and a query may hold one.
        if url.contains('@') {
            let rule = "has user information in it: credentials go into `credentials` or the environment";
            return Err(Failure::configuration(format!("{source} {rule}")));
        }
        let query = url.bytes().position(|byte| matches!(byte, b'?' | b'#'));
        let shown = url.get(..query.unwrap_or(url.len())).unwrap_or_default();
        let refuse = |rule| Failure::configuration(source).with_value(shown, rule);
        if query.is_some() {
            return Err(refuse("it has a query or a fragment, and paths are added at its end"));
        }
        let uri: Uri =
            url.parse().map_err(|_| refuse("it is no URL such as \"https://api.cloudflare.com/client/v4\""))?;
        let is_https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(refuse("it must begin with https://")),
        };
        let path = uri.path().trim_end_matches('/').to_owned();
        let authority = uri.into_parts().authority.filter(is_host_and_port);
        let authority = authority.ok_or_else(|| refuse("it names no host or no port"))?;
        if !is_https && !is_loopback(authority.host()) {
            return Err(refuse("plain http would show the credential to the network: use https"));
        }
        if !path.is_ascii() {
            return Err(refuse("its path has a character that is to be percent-encoded"));
        }
        Ok(Self { is_https, authority, path })
    }
}

/// Returns whether an authority is a name or an address in its form, and a port from 1 or none.
fn is_host_and_port(authority: &Authority) -> bool {
    let host = authority.host();
    let may_stand_in_a_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let is_host = if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        address.parse::<Ipv6Addr>().is_ok()
    } else {
        !host.is_empty() && host.bytes().all(may_stand_in_a_name)
    };
    let is_port =
        |port: &str| port.bytes().all(|digit| digit.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0);
    let port = authority.as_str().strip_prefix(host);
    is_host && port.is_some_and(|port| port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

/// Returns whether a host is this machine by its very form, without asking a resolver.
fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::response::Redactor;

    #[test]
    fn base_urls_are_https_or_loopback() {
        for (url, is_https, authority, path) in [
            ("https://api.cloudflare.com/client/v4", true, "api.cloudflare.com", "/client/v4"),
            ("https://example.com", true, "example.com", ""),
            ("HTTPS://example.com:8443/a//", true, "example.com:8443", "/a"),
            ("http://localhost:8787/client/v4", false, "localhost:8787", "/client/v4"),
            ("http://127.8.9.1", false, "127.8.9.1", ""),
            ("http://[::1]:1/v", false, "[::1]:1", "/v"),
            ("http://[0:0:0:0:0:0:0:1]", false, "[0:0:0:0:0:0:0:1]", ""),
            ("https://[2606:4700::1]/v", true, "[2606:4700::1]", "/v"),
        ] {
            let expected = BaseUrl { is_https, authority: authority.parse().unwrap(), path: path.into() };
            assert_eq!(BaseUrl::parse("u", url).expect(url), expected);
        }
    }

    #[test]
    fn other_urls_are_refused_by_what_is_wrong_with_them() {
        for (url, rule) in [
            ("", "no URL"),
            ("api.cloudflare.com", "must begin with https://"),
            ("/client/v4", "must begin with https://"),
            ("ftp://example.com", "must begin with https://"),
            ("http://api.cloudflare.com/client/v4", "plain http"),
            ("http://localhost.example.com", "plain http"),
            ("http://127.0.0.1.example.com", "plain http"),
            ("http://[::2]", "plain http"),
            ("https://user:s3cret@example.com", "user information"),
            ("https://s3cret@example.com?x@y", "user information"),
            ("https://example.com/?token=s3cret", "query or a fragment"),
            ("https://example.com/#s3cret", "query or a fragment"),
            ("https://exa mple.com", "no URL"),
            ("https://example.com/\r\nx: y", "no URL"),
            ("https://\u{e9}.com", "no URL"),
            ("https://example.com/\u{e9}", "percent-encoded"),
            ("https://example.com:", "no host or no port"),
            ("https://example.com:0", "no host or no port"),
            ("https://", "no URL"),
            ("https:///client/v4", "no URL"),
            ("https://example.com:65536", "no host or no port"),
            ("https://example.com:+1", "no host or no port"),
            ("http://[localhost]", "no host or no port"),
            ("http://[127.0.0.1]", "no host or no port"),
            ("https://[::1", "no URL"),
            ("https://a%20b", "no URL"),
            ("http://127.0.0", "plain http"),
            ("http://127.0.0.01", "plain http"),
            ("http://127.0.0.256", "plain http"),
        ] {
            let message = Redactor::new([]).message(&BaseUrl::parse("u", url).expect_err(url));
            assert!(message.contains(rule), "{url}: {message}");
            assert!(!message.contains("s3cret"), "{message}");
        }
    }

    proptest! {
        #![proptest_config(crate::property_tests::config())]

        #[test]
        fn a_url_is_accepted_exactly_where_its_parts_are(
            scheme in "(https|http|HTTPS)",
            name in "(localhost|127\\.0\\.0\\.[1-9]|\\[::1\\]|[a-z]{1,5}(\\.[a-z]{1,5})?|[0-9]{1,3}\\.9\\.0\\.1)",
            port in prop::option::of(0_u32..70_000), path in "(/[a-z.-]{1,6}){0,3}/{0,2}",
        ) {
            let authority = port.map_or_else(|| name.clone(), |port| format!("{name}:{port}"));
            let parsed = BaseUrl::parse("u", &format!("{scheme}://{authority}{path}"));
            let is_address = name.parse::<IpAddr>();
            let is_loopback_address = is_address.is_ok_and(|address| address.is_loopback());
            let is_loopback = is_loopback_address || name == "localhost" || name == "[::1]";
            let is_https = scheme != "http";
            let is_right = (is_https || is_loopback) && port.is_none_or(|port| (1..65_536).contains(&port));
            prop_assert_eq!(parsed.is_ok(), is_right, "{:?}", parsed);
            if let Ok(parsed) = parsed {
                let authority = authority.parse().unwrap();
                prop_assert_eq!(parsed, BaseUrl { is_https, authority, path: path.trim_end_matches('/').to_owned() });
            }
        }

        #[test]
        fn whatever_is_accepted_is_https_or_loopback(url in "(https?://)?[a-z0-9.:%@?#\\[\\]/-]{0,20}") {
            if let Ok(parsed) = BaseUrl::parse("u", &url) {
                let uri: Uri = url.parse().expect("a URL");
                prop_assert_eq!(uri.authority().expect("an authority"), &parsed.authority);
                prop_assert!(parsed.is_https || is_loopback(uri.host().expect("a host")));
                prop_assert!(!parsed.path.ends_with('/') && uri.query().is_none());
            }
        }
    }
}
