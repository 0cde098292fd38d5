//! Switching a token off and on.

use crate::bindings::exports::cloudflare::access::types::{Error, RequestOptions, Scope, ServiceToken};
use crate::call::Call;
use crate::host::Host;
use crate::operations::member;
use crate::request::Body;
use crate::steps;

/// `enable` and `disable`.
pub fn switch(
    host: &impl Host,
    scope: &Scope,
    id: String,
    enabled: bool,
    options: Option<RequestOptions>,
) -> Result<ServiceToken, Box<Error>> {
    let (collection, id) = member(scope, id)?;
    let change = Body { enabled: Some(enabled), ..Body::default() };
    Ok(steps::update(&Call::begin(host, collection, options)?, &id, change)?.token)
}
