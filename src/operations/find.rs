//! Tokens by their names, which are not unique, and by their client ids.

use crate::bindings::exports::cloudflare::access::lifecycle::Selector;
use crate::bindings::exports::cloudflare::access::types::{Scope, ServiceToken};
use crate::exchange::call::Call;
use crate::exchange::host::Host;
use crate::operations::list_all::every;
use crate::request::arguments;
use crate::request::ids::Collection;
use crate::request::requests::Query;
use crate::response::failure::Failure;
use crate::timestamp::Timestamp;

/// Returns the tokens that a selector names.
pub async fn find(
    call: &Call<'_, impl Host>,
    scope: &Scope,
    selector: &Selector,
) -> Result<Vec<ServiceToken>, Box<Failure>> {
    let collection = call.collection(scope)?;
    match selector {
        Selector::Name(name) => {
            arguments::name(name)?;
            by_name(call, &collection, name).await
        }
        Selector::ClientId(client_id) => {
            arguments::client_id(client_id)?;
            let mut tokens = every(call, &collection, Query::default()).await?.value;
            tokens.retain(|token| token.client_id.as_ref() == Some(client_id));
            Ok(tokens)
        }
    }
}

/// Returns the tokens with this name that were created at `since` or later, or do not say when.
pub async fn resolve_create(
    call: &Call<'_, impl Host>,
    scope: &Scope,
    name: &str,
    since: &str,
) -> Result<Vec<ServiceToken>, Box<Failure>> {
    let collection = call.collection(scope)?;
    arguments::name(name)?;
    let since = arguments::time("since", since)?;
    let created = |token: &ServiceToken| token.created_at.as_deref().and_then(Timestamp::from_rfc3339);
    let mut tokens = by_name(call, &collection, name).await?;
    tokens.retain(|token| created(token).is_none_or(|created| created >= since));
    Ok(tokens)
}

/// Returns the tokens with exactly this name, as a part of a call.
pub async fn by_name<H: Host>(
    call: &Call<'_, H>,
    collection: &Collection,
    name: &str,
) -> Result<Vec<ServiceToken>, Box<Failure>> {
    Ok(every(call, collection, Query { name: Some(name), ..Query::default() }).await?.value)
}
