//! Switching a token off and on.

use crate::bindings::exports::cloudflare::access::types::{Error, RequestOptions, Scope, ServiceToken, UpdateParams};
use crate::call::Call;
use crate::host::Host;
use crate::operations::member;
use crate::{request, steps};

/// `enable` and `disable`.
pub fn switch(
    host: &impl Host,
    scope: &Scope,
    id: String,
    enabled: bool,
    options: Option<RequestOptions>,
) -> Result<ServiceToken, Error> {
    let (collection, id) = member(scope, id)?;
    let params = UpdateParams { enabled: Some(enabled), ..request::unchanged() };
    Ok(steps::update(&Call::begin(host, collection, options)?, &id, &params)?.token)
}
