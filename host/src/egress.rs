//! Where a request may go: to the service tokens of the API, and nowhere else.
//!
//! Two rules, both kept by the host, whatever the component does. The request must be one that the API has for service tokens: the
//! scheme, host, port and path of the base URL, below it `accounts` or `zones`, an identifier and `access/service_tokens`, and a
//! method that is used there. And the address that the host's name resolves to must be a public one (or a loopback one, where the
//! base URL is loopback), so that neither a hostile DNS answer nor a mistaken base URL reaches the inside of a network.
//!
//! Behind a proxy the second rule holds for a base URL with an address in place of a name only. The proxy resolves names, so this
//! host does not see to which address one leads; the proxy must refuse those that are not to be reached. TLS still ends at the API,
//! so a connection that was led astray has no certificate for its name and gets neither a request nor the credential.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::{Method, Uri};
use ipnet::{Ipv4Net, Ipv6Net};

use crate::BaseUrl;

/// The rule for the requests of a component. Given to [`AccessHooks`](crate::hooks::AccessHooks).
#[derive(Debug, Clone)]
pub struct EgressPolicy {
    base_url: BaseUrl,
}

impl EgressPolicy {
    /// Allows the requests for service tokens below `base_url` and no others.
    #[must_use]
    pub fn only(base_url: BaseUrl) -> Self {
        Self { base_url }
    }

    /// Returns whether a request may leave: whether it is one of these below the base URL, with an account or a zone and a token in
    /// place of the words in capitals.
    ///
    /// | path | methods |
    /// |---|---|
    /// | `/accounts/ID/access/service_tokens`, `/zones/ID/access/service_tokens` | `GET` with any query, `POST` |
    /// | `/accounts/ID/access/service_tokens/TOKEN`, `/zones/ID/access/service_tokens/TOKEN` | `GET`, `PUT`, `DELETE` |
    /// | `/accounts/ID/access/service_tokens/TOKEN/refresh`, `…/rotate` | `POST` |
    ///
    /// An identifier is of letters, digits, `-`, `_`, `.` and `~`. One with other characters is refused even where they are encoded,
    /// since a server may decode `%2F` to the end of the identifier.
    #[must_use]
    pub fn allows(&self, method: &Method, uri: &Uri) -> bool {
        let path = uri.path().strip_prefix(self.base_url.path());
        self.base_url.is_origin_of(uri) && path.is_some_and(|path| is_of_service_tokens(method, path, uri.query()))
    }
}

fn is_of_service_tokens(method: &Method, path: &str, query: Option<&str>) -> bool {
    let mut segments = path.split('/');
    let mut next = || segments.next();
    let (Some(""), Some(scope @ ("accounts" | "zones")), Some(id), Some("access"), Some("service_tokens")) =
        (next(), next(), next(), next(), next())
    else {
        return false;
    };
    if !is_identifier(id) {
        return false;
    }
    match (next(), next(), next()) {
        (None, _, _) if method == Method::GET => true,
        _ if query.is_some() => false,
        (None, _, _) => method == Method::POST,
        (Some(token), None, _) => is_identifier(token) && [Method::GET, Method::PUT, Method::DELETE].contains(method),
        (Some(token), Some("refresh" | "rotate"), None) => {
            scope == "accounts" && is_identifier(token) && method == Method::POST
        }
        _ => false,
    }
}

/// Whether a segment of a path can be nothing but an identifier, whoever reads it.
fn is_identifier(segment: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    !matches!(segment, "" | "." | "..") && segment.bytes().all(is_allowed)
}

/// The addresses that a connection may be made to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Addresses {
    /// Addresses that are routed on the Internet. The default for any base URL but a loopback one.
    Public,
    /// Addresses of this machine only. The default for a base URL that is loopback.
    Loopback,
    /// All of them: for an API that is reached through a gateway inside a private network. Never a default.
    Any,
}

impl Addresses {
    /// Returns the strictest rule that `base_url` can work under.
    #[must_use]
    pub fn of(base_url: &BaseUrl) -> Self {
        if base_url.is_loopback() { Self::Loopback } else { Self::Public }
    }

    /// Returns whether a connection to `address` may be made.
    #[must_use]
    pub fn permit(self, address: IpAddr) -> bool {
        match self {
            Self::Public => is_public(address),
            // Only a mapped address is one of this machine. A packet to NAT64 or 6to4 leaves it, whatever the address embeds.
            Self::Loopback => address.to_canonical().is_loopback(),
            Self::Any => true,
        }
    }
}

fn is_public(address: IpAddr) -> bool {
    match canonical(address) {
        IpAddr::V4(address) => !NOT_PUBLIC_V4.iter().any(|network| network.contains(&address)),
        IpAddr::V6(address) => {
            // Only 2000::/3 is handed out as global unicast; what else looks like it is listed.
            GLOBAL_UNICAST_V6.contains(&address) && !NOT_PUBLIC_V6.iter().any(|network| network.contains(&address))
        }
    }
}

/// The IPv4 address inside an IPv6 one that stands for it (mapped, NAT64, 6to4): what a packet in the end goes to.
fn canonical(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let octets = v6.octets();
    let embedded = |from: usize| Ipv4Addr::from([octets[from], octets[from + 1], octets[from + 2], octets[from + 3]]);
    if let Some(v4) = v6.to_ipv4_mapped() {
        v4.into()
    } else if NAT64.contains(&v6) {
        embedded(12).into()
    } else if SIX_TO_FOUR.contains(&v6) {
        embedded(2).into()
    } else {
        address
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, c: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

/// IANA's special-purpose registry for IPv4: everything in it that is not globally reachable.
const NOT_PUBLIC_V4: [Ipv4Net; 15] = [
    v4(0, 0, 0, 0, 8),       // this network
    v4(10, 0, 0, 0, 8),      // private
    v4(100, 64, 0, 0, 10),   // carrier-grade NAT
    v4(127, 0, 0, 0, 8),     // loopback
    v4(169, 254, 0, 0, 16),  // link-local, cloud metadata
    v4(172, 16, 0, 0, 12),   // private
    v4(192, 0, 0, 0, 24),    // protocol assignments
    v4(192, 0, 2, 0, 24),    // documentation
    v4(192, 88, 99, 0, 24),  // 6to4 relay, withdrawn
    v4(192, 168, 0, 0, 16),  // private
    v4(198, 18, 0, 0, 15),   // benchmarking
    v4(198, 51, 100, 0, 24), // documentation
    v4(203, 0, 113, 0, 24),  // documentation
    v4(224, 0, 0, 0, 4),     // multicast
    v4(240, 0, 0, 0, 4),     // reserved, broadcast
];

const GLOBAL_UNICAST_V6: Ipv6Net = v6(0x2000, 0, 0, 3);
const NAT64: Ipv6Net = v6(0x64, 0xff9b, 0, 96);
const SIX_TO_FOUR: Ipv6Net = v6(0x2002, 0, 0, 16);

/// The same for IPv6, inside the global unicast range.
const NOT_PUBLIC_V6: [Ipv6Net; 3] = [
    v6(0x2001, 0, 0, 23),     // protocol assignments, Teredo
    v6(0x2001, 0xdb8, 0, 32), // documentation
    v6(0x3fff, 0, 0, 20),     // documentation
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_requests_for_service_tokens_may_leave() {
        let policy = EgressPolicy::only(BaseUrl::new("https://api.example/client/v4").unwrap());
        let allows = |method: &str, path: &str| {
            policy.allows(&method.parse().unwrap(), &format!("https://api.example{path}").parse().unwrap())
        };
        for (methods, path) in [
            (&["GET", "POST"][..], "/client/v4/accounts/acc1/access/service_tokens"),
            (&["GET", "POST"], "/client/v4/zones/20e/access/service_tokens"),
            (&["GET"], "/client/v4/accounts/acc1/access/service_tokens?page=2&name=a%2Fb"),
            (&["GET", "PUT", "DELETE"], "/client/v4/accounts/acc1/access/service_tokens/f174e90a-fafe"),
            (&["GET", "PUT", "DELETE"], "/client/v4/zones/20e/access/service_tokens/x.access"),
            (&["POST"], "/client/v4/accounts/acc1/access/service_tokens/f174/refresh"),
            (&["POST"], "/client/v4/accounts/acc1/access/service_tokens/f174/rotate"),
        ] {
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "PURGE"] {
                assert_eq!(allows(method, path), methods.contains(&method), "{method} {path}");
            }
        }
        for path in [
            "/",
            "/client/v4",
            "/client/v4/user/tokens",
            "/client/v4/accounts",
            "/client/v4/accounts/acc1/access/apps",
            "/client/v4/accounts/acc1/access/service_tokens/",
            "/client/v4/accounts/acc1/access/service_tokens/f174/",
            "/client/v4/accounts/acc1/access/service_tokens/f174?x",
            "/client/v4/accounts/acc1/access/service_tokens/f174/policies",
            "/client/v4/accounts//access/service_tokens",
            "/client/v4/accounts/../access/service_tokens",
            "/client/v4/accounts/x%2F../access/service_tokens",
            "/client/v4/accounts/%2e%2e/access/service_tokens",
            "/client/v4/accounts/acc1/access/service_tokens/..",
            "/client/v4/accounts/acc1/access/service_tokens/%2e%2e",
            "/client/v4/users/acc1/access/service_tokens",
            "/client/v4//accounts/acc1/access/service_tokens",
            "/client/v4x/accounts/acc1/access/service_tokens",
            "/client/v5/accounts/acc1/access/service_tokens",
            "/accounts/acc1/access/service_tokens",
        ] {
            for method in ["GET", "POST", "PUT", "DELETE"] {
                assert!(!allows(method, path), "{method} {path}");
            }
        }
        for verb in ["refresh", "rotate"] {
            assert!(!allows("POST", &format!("/client/v4/zones/20e/access/service_tokens/f174/{verb}")), "{verb}");
        }
        let elsewhere = "https://other.example/client/v4/accounts/acc1/access/service_tokens".parse().unwrap();
        assert!(!policy.allows(&Method::GET, &elsewhere));
        let at_root = EgressPolicy::only(BaseUrl::new("https://api.example").unwrap());
        let tokens = "https://api.example/accounts/acc1/access/service_tokens".parse().unwrap();
        assert!(at_root.allows(&Method::GET, &tokens));
    }

    #[test]
    fn addresses_inside_a_network_are_not_public() {
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "::ffff:127.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "2002:a00:1::",
            "2001:0:4136::1",
        ] {
            assert!(!Addresses::Public.permit(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn addresses_of_the_internet_are_public() {
        for address in ["104.16.0.1", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::6810:1", "64:ff9b::101:101"] {
            assert!(Addresses::Public.permit(address.parse().unwrap()), "{address}");
            assert!(!Addresses::Loopback.permit(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn a_loopback_base_url_reaches_this_machine_and_nothing_else() {
        let rule = Addresses::of(&BaseUrl::new("http://localhost:8787").unwrap());
        assert!(rule.permit("127.0.0.1".parse().unwrap()) && rule.permit("::1".parse().unwrap()));
        assert!(rule.permit("::ffff:127.0.0.1".parse().unwrap()));
        // In the others a packet leaves the machine, whatever becomes of it.
        for address in ["10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::127.0.0.1", "::ffff:10.0.0.1"] {
            assert!(!rule.permit(address.parse().unwrap()), "{address}");
        }
        assert_eq!(Addresses::of(&BaseUrl::cloudflare()), Addresses::Public);
    }
}
