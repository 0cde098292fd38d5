//! The error codes of `wasi:http`, and what each of them proves.
//!
//! The codes are those of RFC 9209 (Proxy-Status), whose definitions decide. `NotSent` is claimed only where the definition
//! excludes that a server got the request **and** no host is known to use the code otherwise: whoever trusts it sends a
//! `create` again.

use crate::host::Cause;

/// One of the cases of `error-code`, by its number there. What it may hold is left out: that can be addresses and backtraces of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode(pub u8);

macro_rules! causes {
    ($($case:literal => $cause:expr,)*) => {
        /// In the order of the cases.
        const CAUSES: &[Cause] = &[$($cause),*];
        #[cfg(test)]
        const CASES: &[&str] = &[$($case),*];
    };
}

const UNRESOLVED: Cause = Cause::NotSent("the name of the API's host did not resolve");
const PROHIBITED: Cause = Cause::Denied("the host does not let requests out to this address");
const NO_ANSWER: Cause = Cause::TimedOut("no answer came in time");
/// Either side may be the one that refuses the request here, so nothing is proven; and it would refuse it again.
const REFUSED: Cause = Cause::Unreadable("the request was refused for its form");
const HEADERS_TOO_LARGE: Cause = Cause::Unreadable("the headers of the answer are too large");
const UNKNOWN_CODING: Cause = Cause::Unreadable("the coding of the answer is unknown");
/// Whatever the host has no other code for, at any moment.
const INTERNAL: Cause = Cause::Lost("the host reports an internal error");

causes! {
    // The name of the server was not found, so there was nobody to send to. wasmtime also reports here that it has no
    // local port left, which is as early.
    "DNS-timeout" => UNRESOLVED,
    "DNS-error" => UNRESOLVED,
    // "Unable to determine the appropriate next hop": no connection was tried.
    "destination-not-found" => Cause::NotSent("the host knows no way to the API"),
    // "Considers the next hop to be unavailable": the decision is made before sending.
    "destination-unavailable" => Cause::NotSent("the API's host is unavailable"),
    // A decision of the host against this request, as `HTTP-request-denied`. No repetition changes it.
    "destination-IP-prohibited" => PROHIBITED,
    "destination-IP-unroutable" => Cause::NotSent("there is no route to the API's address"),
    // A TCP handshake that was answered with a reset.
    "connection-refused" => Cause::NotSent("the connection was refused"),
    "connection-terminated" => Cause::Lost("the connection broke before the answer"),
    // jco reports here also that a sent request has had no answer within the connect timeout.
    "connection-timeout" => Cause::TimedOut("no connection or no answer in time"),
    "connection-read-timeout" => NO_ANSWER,
    "connection-write-timeout" => Cause::TimedOut("the request could not be written in time"),
    // The host opens no connection beyond its own limit.
    "connection-limit-reached" => Cause::NotSent("the host has too many connections open"),
    // The handshake fails here, before any byte of HTTP. wasmtime reports an unknown issuer as a protocol error.
    "TLS-protocol-error" => Cause::NotSent("the TLS handshake failed"),
    "TLS-certificate-error" => Cause::NotSent("the API's TLS certificate was not accepted"),
    // In TLS 1.3 an alert about the client can arrive after the request has been sent.
    "TLS-alert-received" => Cause::Lost("the server ended TLS with an alert"),
    "HTTP-request-denied" => PROHIBITED,
    "HTTP-request-length-required" => REFUSED,
    "HTTP-request-body-size" => REFUSED,
    "HTTP-request-method-invalid" => REFUSED,
    "HTTP-request-URI-invalid" => REFUSED,
    "HTTP-request-URI-too-long" => REFUSED,
    "HTTP-request-header-section-size" => REFUSED,
    "HTTP-request-header-size" => REFUSED,
    "HTTP-request-trailer-section-size" => REFUSED,
    "HTTP-request-trailer-size" => REFUSED,
    "HTTP-response-incomplete" => Cause::Lost("the answer was cut short"),
    "HTTP-response-header-section-size" => HEADERS_TOO_LARGE,
    "HTTP-response-header-size" => HEADERS_TOO_LARGE,
    "HTTP-response-body-size" => Cause::Unreadable("the answer is too large for the host"),
    "HTTP-response-trailer-section-size" => HEADERS_TOO_LARGE,
    "HTTP-response-trailer-size" => HEADERS_TOO_LARGE,
    "HTTP-response-transfer-coding" => UNKNOWN_CODING,
    "HTTP-response-content-coding" => UNKNOWN_CODING,
    "HTTP-response-timeout" => NO_ANSWER,
    "HTTP-upgrade-failed" => Cause::Unreadable("the server wants another protocol"),
    // wasmtime reports here a connection closed before the answer as well as bytes that are not HTTP.
    "HTTP-protocol-error" => Cause::Lost("the connection broke before the answer, or what came was not HTTP"),
    "loop-detected" => Cause::Lost("a proxy reports a loop"),
    "configuration-error" => Cause::Lost("the host reports an error of its configuration"),
    "internal-error" => INTERNAL,
}

impl ErrorCode {
    // Those that may hold text, which comes to the guest and has to be given back.
    pub const DNS_ERROR: Self = Self(1);
    pub const TLS_ALERT_RECEIVED: Self = Self(14);
    pub const HTTP_REQUEST_HEADER_SIZE: Self = Self(22);
    pub const HTTP_REQUEST_TRAILER_SIZE: Self = Self(24);
    pub const HTTP_RESPONSE_HEADER_SIZE: Self = Self(27);
    pub const HTTP_RESPONSE_TRAILER_SIZE: Self = Self(30);
    pub const HTTP_RESPONSE_TRANSFER_CODING: Self = Self(31);
    pub const HTTP_RESPONSE_CONTENT_CODING: Self = Self(32);
    pub const INTERNAL_ERROR: Self = Self(38);

    /// What it proves.
    pub fn cause(self) -> Cause {
        CAUSES.get(usize::from(self.0)).copied().unwrap_or(INTERNAL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cases of the vendored WIT, each with its payload.
    fn cases() -> Vec<(&'static str, &'static str)> {
        let types = include_str!("../wit/deps/http/types.wit");
        let (_, after) = types.split_once("variant error-code {").expect("the variant");
        let (cases, _) = after.split_once("\n  }").expect("its end");
        let lines = cases.lines().map(|line| line.trim().trim_end_matches(','));
        let cases = lines.filter(|line| !line.is_empty() && !line.starts_with("//"));
        cases.map(|case| case.strip_suffix(')').and_then(|case| case.split_once('(')).unwrap_or((case, ""))).collect()
    }

    #[test]
    fn the_cases_stand_in_the_order_of_the_contract() {
        let names: Vec<&str> = cases().into_iter().map(|(name, _)| name).collect();
        assert_eq!(CASES, names);
    }

    #[test]
    fn the_cases_that_may_hold_text_are_known() {
        let types = include_str!("../wit/deps/http/types.wit");
        let holds_text = |payload: &str| {
            let record = payload.trim_start_matches("option<").trim_end_matches('>');
            let fields = types.split_once(&format!("record {record} {{")).map_or(record, |(_, after)| after);
            fields.split('}').next().is_some_and(|fields| fields.contains("string"))
        };
        let with_text = cases().into_iter().zip(0..).filter(|((_, payload), _)| holds_text(payload));
        assert_eq!(
            with_text.map(|(_, number)| ErrorCode(number)).collect::<Vec<_>>(),
            [
                ErrorCode::DNS_ERROR,
                ErrorCode::TLS_ALERT_RECEIVED,
                ErrorCode::HTTP_REQUEST_HEADER_SIZE,
                ErrorCode::HTTP_REQUEST_TRAILER_SIZE,
                ErrorCode::HTTP_RESPONSE_HEADER_SIZE,
                ErrorCode::HTTP_RESPONSE_TRAILER_SIZE,
                ErrorCode::HTTP_RESPONSE_TRANSFER_CODING,
                ErrorCode::HTTP_RESPONSE_CONTENT_CODING,
                ErrorCode::INTERNAL_ERROR,
            ]
        );
    }

    #[test]
    fn a_code_that_is_not_known_proves_nothing() {
        assert_eq!(ErrorCode(39).cause(), INTERNAL);
    }
}
