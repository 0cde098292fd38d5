//! Tokens by their names, which are not unique.

use crate::arguments::{self, Collection};
use crate::bindings::exports::cloudflare::access::types::{Error, RequestOptions, Scope, ServiceToken};
use crate::call::Call;
use crate::host::Host;
use crate::request::Query;
use crate::{list_all, moment};

pub fn find(
    host: &impl Host,
    scope: &Scope,
    name: &str,
    options: Option<RequestOptions>,
) -> Result<Vec<ServiceToken>, Box<Error>> {
    let collection = Collection::of(scope)?;
    arguments::name(name)?;
    within(&Call::begin(host, collection, options)?, name)
}

pub fn resolve_create(
    host: &impl Host,
    scope: &Scope,
    name: &str,
    since: &str,
    options: Option<RequestOptions>,
) -> Result<Vec<ServiceToken>, Box<Error>> {
    let since = arguments::time("since", since)?;
    let mut tokens = find(host, scope, name, options)?;
    let created = |token: &ServiceToken| token.created_at.as_deref().and_then(moment::parse);
    tokens.retain(|token| created(token).is_none_or(|created| created >= since));
    Ok(tokens)
}

/// The tokens with exactly this name, as a part of a call.
pub fn within<H: Host>(call: &Call<'_, H>, name: &str) -> Result<Vec<ServiceToken>, Box<Error>> {
    list_all::within(call, Query { name: Some(name), ..Query::default() })
}
