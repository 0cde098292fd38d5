//! `disable` and `enable`.

use crate::bindings::exports::cloudflare::access::types::{Scope, ServiceToken};
use crate::exchange::call::Call;
use crate::exchange::host::Host;
use crate::operations::steps;
use crate::request::ids::TokenId;
use crate::request::requests::Fields;
use crate::response::failure::Failure;

/// Switches a token on or off.
pub async fn switch(
    call: &Call<'_, impl Host>,
    scope: &Scope,
    id: &str,
    enabled: bool,
) -> Result<ServiceToken, Box<Failure>> {
    let (collection, id) = (call.collection(scope)?, TokenId::new(id)?);
    let fields = Fields { enabled: Some(enabled), ..Fields::default() };
    Ok(steps::update(call, &collection, id.target(), &fields).await?.token)
}
