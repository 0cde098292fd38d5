//! Where the API is: a URL becomes a checked type, which requests are built on.
//!
//! Own code, since the `http` crate took 15 kB of the component to split a URL; its `Uri` stands beside it in the tests.

use crate::arguments::quoted;
use crate::error::Invalid;
use crate::host::Scheme;
use crate::text::{decimal, number, parts, split_once};

const URL_LIMIT: usize = 2048;

/// Where the API is: https, or http on a loopback host.
#[derive(Debug, PartialEq)]
pub struct BaseUrl {
    pub scheme: Scheme,
    pub authority: String,
    /// Without a slash at the end; empty for the root.
    pub path: String,
}

impl BaseUrl {
    pub fn parse(source: &str, url: &str) -> Result<Self, Invalid> {
        if url.len() > URL_LIMIT {
            return Err(Invalid::configuration(&[source, " is longer than ", &decimal(URL_LIMIT), " bytes"]));
        }
        if !url.bytes().all(may_stand_in_a_url) {
            return Err(with_a_wrong_character(source, url));
        }
        let refuse = |rule| refusal(source, url, rule);
        let (scheme, rest) = without_prefix(url, "https://")
            .map(|rest| (Scheme::Https, rest))
            .or_else(|| Some((Scheme::Http, without_prefix(url, "http://")?)))
            .ok_or_else(|| refuse("it must begin with https://"))?;
        let (authority, path) = split_before(rest, |byte| byte == b'/');
        let host = Host::of(authority).ok_or_else(|| refuse("it names no host or no port"))?;
        if scheme == Scheme::Http && !host.is_loopback() {
            return Err(refuse("plain http would show the credential to the network: use https"));
        }
        Ok(Self { scheme, authority: authority.to_owned(), path: path.trim_end_matches('/').to_owned() })
    }
}

/// User information is refused before anything of the URL can reach a message; a query can hold a secret, too.
fn with_a_wrong_character(source: &str, url: &str) -> Invalid {
    if url.as_bytes().contains(&b'@') {
        let rule = " has user information in it: credentials go into `credentials` or the environment";
        return Invalid::configuration(&[source, rule]);
    }
    match split_before(url, |byte| matches!(byte, b'?' | b'#')) {
        (_, "") => refusal(source, url, "it is no URL such as \"https://api.cloudflare.com/client/v4\""),
        (start, _) => refusal(source, start, "it has a query or a fragment, and paths are added at its end"),
    }
}

fn refusal(source: &str, url: &str, rule: &str) -> Invalid {
    Invalid::configuration(&[source, " is ", &quoted(url), ": ", rule])
}

/// What is before the first of these bytes, and the rest, which may be empty.
fn split_before(text: &str, is_it: fn(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(is_it).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// What follows a prefix in any case.
fn without_prefix<'a>(url: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = url.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// The characters of RFC 3986 without `@`, `?` and `#`, and two that parsers of URLs leave in a path.
fn may_stand_in_a_url(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'!' | b'$'..=b';' | b'=' | b'[' | b']' | b'_' | b'~' | b'|' | b'^')
}

/// The host of an authority, in its form.
enum Host<'a> {
    /// In brackets.
    Ipv6(&'a str),
    /// Or four numbers.
    Name(&'a str),
}

impl<'a> Host<'a> {
    /// That of `host` or `host:port`; none if it is no name or address in its form, or if the port is none.
    fn of(authority: &'a str) -> Option<Self> {
        let (host, port) = if let Some(inner) = authority.strip_prefix('[') {
            let (address, port) = split_once(inner, "]")?;
            (Self::Ipv6(address), port)
        } else {
            let (name, port) = split_before(authority, |byte| byte == b':');
            (Self::Name(name), port)
        };
        let is_port = |port: &str| number(port).is_some_and(|port| (1..=u16::MAX.into()).contains(&port));
        let has_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        (has_port && host.has_its_form()).then_some(host)
    }

    fn has_its_form(&self) -> bool {
        let may_stand_in_an_address = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
        let may_stand_in_a_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        match self {
            Self::Ipv6(address) => address.as_bytes().contains(&b':') && address.bytes().all(may_stand_in_an_address),
            Self::Name(name) => !name.is_empty() && name.bytes().all(may_stand_in_a_name),
        }
    }

    /// Whether it is this machine by its very form, without asking a resolver: `localhost`, an address of 127.0.0.0/8 in four decimal
    /// numbers, or `::1`, short or in full.
    fn is_loopback(&self) -> bool {
        let name = match self {
            Self::Ipv6(address) => return matches!(*address, "::1" | "0:0:0:0:0:0:0:1"),
            Self::Name(name) => *name,
        };
        let is_number =
            |part: &str| number(part).is_some_and(|part| part < 256) && (part.len() == 1 || !part.starts_with('0'));
        let is_ipv4 = || name.starts_with("127.") && parts(name, ".").all(is_number) && parts(name, ".").count() == 4;
        name.eq_ignore_ascii_case("localhost") || is_ipv4()
    }
}

#[cfg(test)]
mod tests {
    use http::Uri;
    use proptest::prelude::*;

    use super::*;

    fn message(result: Result<BaseUrl, Invalid>) -> String {
        match result {
            Ok(url) => panic!("accepted: {url:?}"),
            Err(invalid) => invalid.message(),
        }
    }

    #[test]
    fn base_urls_are_https_or_loopback() {
        for (url, scheme, authority, path) in [
            ("https://api.cloudflare.com/client/v4", Scheme::Https, "api.cloudflare.com", "/client/v4"),
            ("https://example.com", Scheme::Https, "example.com", ""),
            ("HTTPS://example.com:8443/a//", Scheme::Https, "example.com:8443", "/a"),
            ("http://localhost:8787/client/v4", Scheme::Http, "localhost:8787", "/client/v4"),
            ("http://127.8.9.1", Scheme::Http, "127.8.9.1", ""),
            ("http://[::1]:1/v", Scheme::Http, "[::1]:1", "/v"),
            ("https://example.com/a|b^", Scheme::Https, "example.com", "/a|b^"),
        ] {
            let expected = BaseUrl { scheme, authority: authority.into(), path: path.into() };
            assert_eq!(BaseUrl::parse("u", url).ok(), Some(expected), "{url}");
        }
        for (url, rule) in [
            ("", "must begin with https://"),
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
            ("https://example.com:", "no host or no port"),
            ("https://example.com:0", "no host or no port"),
            ("https://", "no host or no port"),
            ("https:///client/v4", "no host or no port"),
            ("https://example.com:65536", "no host or no port"),
            ("https://example.com:+1", "no host or no port"),
            ("http://[localhost]", "no host or no port"),
            ("http://[127.0.0.1]", "no host or no port"),
            ("https://[::1", "no host or no port"),
            ("https://[::1]x", "no host or no port"),
            ("https://::1", "no host or no port"),
            ("https://a[b", "no host or no port"),
            ("http://127.0.0", "plain http"),
            ("http://127.0.0.01", "plain http"),
            ("http://127.0.0.256", "plain http"),
            ("http://127.0.0.1.1", "plain http"),
        ] {
            let message = message(BaseUrl::parse("u", url));
            assert!(message.contains(rule), "{url}: {message}");
            assert!(!message.contains("s3cret"), "{message}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100_000))]

        #[test]
        fn what_is_accepted_is_split_as_the_http_crate_splits_it(
            scheme in "(https|http|HTTPS)", host in "(localhost|127\\.[0-9.]{1,7}|\\[[0-9a-f:.]{0,9}\\]|[a-z.%\\[\\]:-]{0,9})", port in "(:[0-9+]{0,6})?",
            path in "[a-z/%.:-]{0,12}",
        ) {
            let url = format!("{scheme}://{host}{port}/{path}");
            if let Ok(ours) = BaseUrl::parse("u", &url) {
                let theirs: Uri = url.parse().expect("a URL");
                let authority = theirs.authority().expect("an authority");
                prop_assert_eq!(&ours.authority, authority.as_str());
                prop_assert_eq!(ours.path, theirs.path().trim_end_matches('/'));
                prop_assert!(port.is_empty() || authority.port_u16().is_some_and(|port| port != 0));
                let address = authority.host().trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
                let is_loopback = authority.host() == "localhost" || address.is_ok_and(|address| address.is_loopback());
                prop_assert!(ours.scheme == Scheme::Https || is_loopback);
            }
        }
    }
}
