//! The error codes of `wasi:http`, and what each of them proves.
//!
//! The codes are those of RFC 9209 (Proxy-Status), whose definitions decide. `NotSent` is claimed only where the
//! definition excludes that a server got the request **and** no host is known to use the code otherwise: whoever trusts
//! it sends a `create` again. What a code holds is left out: it can be addresses and backtraces of the host.

use waki::bindings::wasi::http::types::ErrorCode;

use crate::exchange::Cause;

/// Either side may be the one that refuses the request here, so nothing is proven; and it would refuse it again.
const REFUSED: Cause = Cause::Unreadable("the request was refused for its form");

/// Returns what an error code proves.
pub fn cause(code: &ErrorCode) -> Cause {
    match code {
        // The name of the server was not found, so there was nobody to send to. wasmtime also reports here that it has
        // no local port left, which is as early.
        ErrorCode::DnsTimeout | ErrorCode::DnsError(_) => Cause::NotSent("the name of the API's host did not resolve"),
        // "Unable to determine the appropriate next hop": no connection was tried.
        ErrorCode::DestinationNotFound => Cause::NotSent("the host knows no way to the API"),
        // "Considers the next hop to be unavailable": the decision is made before sending.
        ErrorCode::DestinationUnavailable => Cause::NotSent("the API's host is unavailable"),
        ErrorCode::DestinationIpUnroutable => Cause::NotSent("there is no route to the API's address"),
        // Decisions of the host against this request. No repetition changes them.
        ErrorCode::DestinationIpProhibited | ErrorCode::HttpRequestDenied => {
            Cause::Denied("the host does not let requests out to this address")
        }
        // A TCP handshake that was answered with a reset.
        ErrorCode::ConnectionRefused => Cause::NotSent("the connection was refused"),
        ErrorCode::ConnectionTerminated => Cause::Lost("the connection broke before the answer"),
        // jco reports here also that a sent request has had no answer within the connect timeout.
        ErrorCode::ConnectionTimeout => Cause::TimedOut("no connection or no answer in time"),
        ErrorCode::ConnectionReadTimeout | ErrorCode::HttpResponseTimeout => Cause::TimedOut("no answer came in time"),
        ErrorCode::ConnectionWriteTimeout => Cause::TimedOut("the request could not be written in time"),
        // The host opens no connection beyond its own limit.
        ErrorCode::ConnectionLimitReached => Cause::NotSent("the host has too many connections open"),
        // The handshake fails here, before any byte of HTTP. wasmtime reports an unknown issuer as a protocol error.
        ErrorCode::TlsProtocolError => Cause::NotSent("the TLS handshake failed"),
        ErrorCode::TlsCertificateError => Cause::NotSent("the API's TLS certificate was not accepted"),
        // In TLS 1.3 an alert about the client can arrive after the request has been sent.
        ErrorCode::TlsAlertReceived(_) => Cause::Lost("the server ended TLS with an alert"),
        ErrorCode::HttpRequestLengthRequired
        | ErrorCode::HttpRequestBodySize(_)
        | ErrorCode::HttpRequestMethodInvalid
        | ErrorCode::HttpRequestUriInvalid
        | ErrorCode::HttpRequestUriTooLong
        | ErrorCode::HttpRequestHeaderSectionSize(_)
        | ErrorCode::HttpRequestHeaderSize(_)
        | ErrorCode::HttpRequestTrailerSectionSize(_)
        | ErrorCode::HttpRequestTrailerSize(_) => REFUSED,
        ErrorCode::HttpResponseIncomplete => Cause::Lost("the answer was cut short"),
        ErrorCode::HttpResponseHeaderSectionSize(_)
        | ErrorCode::HttpResponseHeaderSize(_)
        | ErrorCode::HttpResponseTrailerSectionSize(_)
        | ErrorCode::HttpResponseTrailerSize(_) => Cause::Unreadable("the headers of the answer are too large"),
        ErrorCode::HttpResponseBodySize(_) => Cause::Unreadable("the answer is too large for the host"),
        ErrorCode::HttpResponseTransferCoding(_) | ErrorCode::HttpResponseContentCoding(_) => {
            Cause::Unreadable("the coding of the answer is unknown")
        }
        ErrorCode::HttpUpgradeFailed => Cause::Unreadable("the server wants another protocol"),
        // wasmtime reports here a connection closed before the answer as well as bytes that are not HTTP.
        ErrorCode::HttpProtocolError => {
            Cause::Lost("the connection broke before the answer, or what came was not HTTP")
        }
        ErrorCode::LoopDetected => Cause::Lost("a proxy reports a loop"),
        ErrorCode::ConfigurationError => Cause::Lost("the host reports an error of its configuration"),
        // Whatever the host has no other code for, at any moment.
        ErrorCode::InternalError(_) => Cause::Lost("the host reports an internal error"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_proven_not_to_have_been_sent_is_the_whole_list() {
        for code in [
            ErrorCode::DnsTimeout,
            ErrorCode::DestinationNotFound,
            ErrorCode::DestinationUnavailable,
            ErrorCode::DestinationIpUnroutable,
            ErrorCode::ConnectionRefused,
            ErrorCode::ConnectionLimitReached,
            ErrorCode::TlsProtocolError,
            ErrorCode::TlsCertificateError,
        ] {
            assert!(matches!(cause(&code), Cause::NotSent(_)), "{code:?}");
        }
        for code in [
            ErrorCode::ConnectionTerminated,
            ErrorCode::ConnectionTimeout,
            ErrorCode::ConnectionReadTimeout,
            ErrorCode::HttpProtocolError,
            ErrorCode::HttpResponseIncomplete,
            ErrorCode::HttpRequestUriInvalid,
            ErrorCode::HttpUpgradeFailed,
            ErrorCode::LoopDetected,
            ErrorCode::ConfigurationError,
            ErrorCode::InternalError(None),
            ErrorCode::HttpRequestBodySize(None),
            ErrorCode::HttpResponseTimeout,
        ] {
            assert!(!matches!(cause(&code), Cause::NotSent(_) | Cause::Denied(_)), "{code:?}");
        }
    }

    #[test]
    fn nothing_that_the_host_says_is_repeated() {
        let said = || Some("10.0.0.1".to_owned());
        let Cause::Lost(text) = cause(&ErrorCode::InternalError(said())) else { panic!("another cause") };
        assert!(!text.contains("10.0.0.1"));
        let Cause::Unreadable(text) = cause(&ErrorCode::HttpResponseContentCoding(said())) else {
            panic!("another cause")
        };
        assert!(!text.contains("10.0.0.1"));
    }
}
