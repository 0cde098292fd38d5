//! `disable` and `enable`.

use crate::contract::types::{Scope, ServiceToken};
use crate::exchange::{Call, Host};
use crate::operations::steps;
use crate::request::{BodyFields, TokenId};
use crate::response::Result;

/// Switches a token on or off.
pub async fn switch(call: &Call<'_, impl Host>, scope: &Scope, id: &str, enabled: bool) -> Result<ServiceToken> {
    let (collection, id) = (call.collection(scope)?, TokenId::new(id)?);
    let fields = BodyFields { enabled: Some(enabled), ..BodyFields::default() };
    Ok(steps::update(call, &collection, id.target(), &fields).await?.token)
}
