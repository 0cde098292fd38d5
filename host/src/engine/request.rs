//! The request of a component: from the parts that it sets to what the client sends.

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, Request, Uri};
use http_body_util::{BodyExt, Empty};
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::p2::bindings::http::types::{self, ErrorCode};
use wasmtime_wasi_http::p2::types::HostOutgoingRequest;

/// The request as the client takes it.
pub(super) fn outgoing(request: HostOutgoingRequest) -> Result<Request<WasiBody>, ErrorCode> {
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
    uri.authority = Some(request.authority.as_deref().unwrap_or_default().parse().map_err(invalid)?);
    uri.path_and_query = request.path_with_query.map(PathAndQuery::try_from).transpose().map_err(invalid)?;
    let body = request.body.unwrap_or_else(|| Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync());
    let mut outgoing = Request::new(body);
    *outgoing.method_mut() = request.method.try_into().map_err(|_| ErrorCode::HttpRequestMethodInvalid)?;
    *outgoing.uri_mut() = Uri::from_parts(uri).map_err(|_| ErrorCode::HttpProtocolError)?;
    *outgoing.headers_mut() = headers;
    Ok(outgoing)
}

fn content_length(headers: &HeaderMap) -> Result<Option<u64>, ErrorCode> {
    let mut values = headers.get_all(CONTENT_LENGTH).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let length = value.to_str().ok().filter(|_| values.next().is_none()).and_then(|digits| digits.parse().ok());
    length.map(Some).ok_or(ErrorCode::InternalError(None))
}
