//! The request of a component: from the parts that it sets to what the client sends.
//!
//! wasmtime-wasi-http parses an authority and a path to check them when they are set, keeps the text, and parses it again when the
//! request is sent. Here what was parsed last is kept: so a path is parsed once, and the authority, which is the same in all
//! requests, once for each instance.

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::uri::{Authority, InvalidUri, PathAndQuery, Scheme};
use http::{HeaderMap, Request, Uri};
use http_body_util::{BodyExt, Empty};
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::p2::bindings::http::types::{self, ErrorCode};
use wasmtime_wasi_http::p2::types::HostOutgoingRequest;

/// What was parsed last.
#[derive(Default)]
pub(crate) struct Parsed {
    authority: Option<Authority>,
    path_with_query: Option<PathAndQuery>,
}

impl Parsed {
    pub(super) fn authority(&mut self, text: &str) -> Result<Authority, InvalidUri> {
        match &self.authority {
            Some(last) if last.as_str() == text => Ok(last.clone()),
            _ => Ok(self.authority.insert(text.parse()?).clone()),
        }
    }

    pub(super) fn path_with_query(&mut self, text: &str) -> Result<PathAndQuery, InvalidUri> {
        match &self.path_with_query {
            Some(last) if last.as_str() == text => Ok(last.clone()),
            _ => Ok(self.path_with_query.insert(text.parse()?).clone()),
        }
    }

    /// The request as the client takes it.
    pub(crate) fn request(&mut self, request: HostOutgoingRequest) -> Result<Request<WasiBody>, ErrorCode> {
        let headers = HeaderMap::from(request.headers);
        if request.body.is_none() && content_length(&headers)?.is_some_and(|length| length != 0) {
            return Err(ErrorCode::HttpRequestBodySize(Some(0)));
        }
        let mut uri = http::uri::Parts::default();
        uri.scheme = Some(match request.scheme {
            None | Some(types::Scheme::Https) => Scheme::HTTPS,
            Some(types::Scheme::Http) => Scheme::HTTP,
            Some(types::Scheme::Other(other)) => Scheme::try_from(other.as_str())
                .ok()
                .filter(|scheme| [Scheme::HTTP, Scheme::HTTPS].contains(scheme))
                .ok_or(ErrorCode::HttpProtocolError)?,
        });
        let invalid = |_| ErrorCode::HttpRequestUriInvalid;
        uri.authority = Some(self.authority(request.authority.as_deref().unwrap_or_default()).map_err(invalid)?);
        uri.path_and_query =
            request.path_with_query.as_deref().map(|path| self.path_with_query(path)).transpose().map_err(invalid)?;
        let body = request.body.unwrap_or_else(|| Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync());
        let mut outgoing = Request::new(body);
        *outgoing.method_mut() = request.method.try_into().map_err(|_| ErrorCode::HttpRequestMethodInvalid)?;
        *outgoing.uri_mut() = Uri::from_parts(uri).map_err(|_| ErrorCode::HttpProtocolError)?;
        *outgoing.headers_mut() = headers;
        Ok(outgoing)
    }
}

fn content_length(headers: &HeaderMap) -> Result<Option<u64>, ErrorCode> {
    let mut values = headers.get_all(CONTENT_LENGTH).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let length = value.to_str().ok().filter(|_| values.next().is_none()).and_then(|digits| digits.parse().ok());
    length.map(Some).ok_or(ErrorCode::InternalError(None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_parsed_is_what_was_asked_for_and_not_what_was_parsed_before() {
        let mut parsed = Parsed::default();
        for _ in 0..2 {
            for text in ["api.cloudflare.com", "127.0.0.1:8787", "127.0.0.1:8787", "[::1]:80"] {
                assert_eq!(parsed.authority(text).unwrap().as_str(), text);
                assert!(parsed.authority("a b").is_err());
            }
            for text in ["/client/v4", "/client/v4", "/client/v4?page=1", "/"] {
                assert_eq!(parsed.path_with_query(text).unwrap().as_str(), text);
                assert!(parsed.path_with_query("/a b").is_err());
            }
        }
    }
}
