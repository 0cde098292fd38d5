//! `ensure`: the one token with a name, made or brought in line.

use crate::arguments::{self, Collection};
use crate::bindings::exports::cloudflare::access::lifecycle::{EnsuredChange, EnsuredToken};
use crate::bindings::exports::cloudflare::access::types::{
    CreateParams, Error, ErrorKind, RequestOptions, Scope, ServiceToken,
};
use crate::call::Call;
use crate::host::Host;
use crate::lifecycle::find;
use crate::operations::check_creation;
use crate::request::Body;
use crate::steps;
use crate::text::{decimal, joined};

/// How many of several tokens with one name the error tells apart.
const IDS_SHOWN: usize = 5;

pub fn ensure(
    host: &impl Host,
    scope: &Scope,
    params: &CreateParams,
    options: Option<RequestOptions>,
) -> Result<EnsuredToken, Box<Error>> {
    let collection = Collection::of(scope)?;
    check_creation(params)?;
    let call = Call::begin(host, collection, options)?;
    let mut tokens = find::within(&call, &params.name)?;
    match (tokens.pop(), tokens.is_empty()) {
        (None, _) => {
            let issued = steps::create(&call, params.into())?;
            Ok(EnsuredToken { token: issued.token, change: EnsuredChange::Created(issued.client_secret) })
        }
        (Some(token), true) => brought_in_line(&call, token, params),
        (Some(last), false) => {
            tokens.push(last);
            Err(call.error_of_its_own("ensure", ErrorKind::Conflict, &several(&call, &tokens)))
        }
    }
}

/// That there are several, and the ids of the first of them.
fn several<H: Host>(call: &Call<'_, H>, tokens: &[ServiceToken]) -> String {
    let mut what = joined(&[&decimal(tokens.len()), " tokens have this name: "]);
    for token in tokens.iter().take(IDS_SHOWN) {
        what.push_str(if call.may_show_id(&token.id) { &token.id } else { "one without a usable id" });
        what.push_str(", ");
    }
    what.push_str(if tokens.len() > IDS_SHOWN { "and others" } else { "" });
    joined(&[what.trim_end_matches(", "), "; name one by its id"])
}

/// Changes what is given and differs.
fn brought_in_line<H: Host>(
    call: &Call<'_, H>,
    token: ServiceToken,
    params: &CreateParams,
) -> Result<EnsuredToken, Box<Error>> {
    let duration = params.duration.as_deref().filter(|wanted| !is_same_duration(token.duration.as_deref(), wanted));
    // An answer without the field is one of an older API, where every token is enabled.
    let enabled = params.enabled.filter(|wanted| token.enabled.unwrap_or(true) != *wanted);
    if duration.is_none() && enabled.is_none() {
        return Ok(EnsuredToken { token, change: EnsuredChange::Unchanged });
    }
    let id = call.id_of_answer("ensure", &token.id)?;
    let change = Body { duration, enabled, ..Body::default() };
    let updated = steps::update(call, &id, change)?;
    Ok(EnsuredToken { token: updated.token, change: EnsuredChange::Updated })
}

/// Whether two durations are equally long: `24h` and `1440m` are.
fn is_same_duration(current: Option<&str>, wanted: &str) -> bool {
    let Some(current) = current else { return false };
    let length = |duration: &str| arguments::go_nanoseconds(duration);
    current == wanted || (length(current).is_some() && length(current) == length(wanted))
}
