//! `ensure`: the one token with a name, made or brought in line.

use crate::bindings::exports::cloudflare::access::lifecycle::Ensured;
use crate::bindings::exports::cloudflare::access::types::{CreateParams, ErrorKind, Scope, ServiceToken};
use crate::exchange::call::Call;
use crate::exchange::host::Host;
use crate::operations::{find, steps};
use crate::request::ids::{Collection, ReportedId};
use crate::request::requests::Fields;
use crate::request::{arguments, go_duration};
use crate::response::failure::Failure;

/// The most ids that a message lists.
const SHOWN: usize = 10;

/// Makes sure that there is exactly one token with the name of `params`.
pub async fn ensure(call: &Call<'_, impl Host>, scope: &Scope, params: &CreateParams) -> Result<Ensured, Box<Failure>> {
    let collection = call.collection(scope)?;
    arguments::create_params(params)?;
    let mut tokens = find::by_name(call, &collection, &params.name).await?;
    match (tokens.pop(), tokens.is_empty()) {
        (None, _) => Ok(Ensured::Created(steps::create(call, &collection, &params.into()).await?)),
        (Some(token), true) => bring_in_line(call, &collection, token, params).await,
        (Some(last), false) => {
            tokens.push(last);
            let message = format!("{} tokens have this name: {}; name one by its id", tokens.len(), ids(call, &tokens));
            Err(call.failure(ErrorKind::Conflict, message))
        }
    }
}

/// Returns the ids of tokens as a message shows them.
pub fn ids(call: &Call<'_, impl Host>, tokens: &[ServiceToken]) -> String {
    let shown = tokens.iter().take(SHOWN).map(|token| String::from(call.clean(&token.id)));
    let mut ids = shown.collect::<Vec<_>>().join(", ");
    if tokens.len() > SHOWN {
        ids.push_str(", \u{2026}");
    }
    ids
}

/// Returns the id of a token of an answer, for another request.
pub fn reported<'a>(call: &Call<'_, impl Host>, token: &'a ServiceToken) -> Result<ReportedId<'a>, Box<Failure>> {
    ReportedId::of(token).ok_or_else(|| {
        let message =
            format!("the API shows a token with the id \"{}\", which no request can name", call.clean(&token.id));
        call.failure(ErrorKind::InvalidResponse, message)
    })
}

/// Changes what is given and differs.
async fn bring_in_line<H: Host>(
    call: &Call<'_, H>,
    collection: &Collection,
    token: ServiceToken,
    params: &CreateParams,
) -> Result<Ensured, Box<Failure>> {
    let duration = params.duration.as_deref().filter(|wanted| !is_same_duration(token.duration.as_deref(), wanted));
    // An answer without the field is one of an older API, where every token is enabled.
    let enabled = params.enabled.filter(|wanted| token.enabled.unwrap_or(true) != *wanted);
    if duration.is_none() && enabled.is_none() {
        return Ok(Ensured::Unchanged(token));
    }
    let fields = Fields { duration, enabled, ..Fields::default() };
    let id = reported(call, &token)?;
    Ok(Ensured::Updated(steps::update(call, collection, id.target(), &fields).await?.token))
}

/// Returns whether two durations are equally long: `24h` and `1440m` are.
fn is_same_duration(current: Option<&str>, wanted: &str) -> bool {
    let Some(current) = current else { return false };
    let length = go_duration::nanoseconds(current);
    current == wanted || (length.is_some() && length == go_duration::nanoseconds(wanted))
}
