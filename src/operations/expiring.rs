//! Which tokens expire, and the renewal of those that do.

use crate::bindings::exports::cloudflare::access::lifecycle::{
    ExpiringToken, ExpiryReport, RefreshParams, RefreshReport, RefreshedToken,
};
use crate::bindings::exports::cloudflare::access::types::{Scope, ServiceToken};
use crate::exchange::call::Call;
use crate::exchange::concurrent::all;
use crate::exchange::host::Host;
use crate::operations::ensure::reported;
use crate::operations::list_all::every;
use crate::operations::{clock, steps};
use crate::request::arguments;
use crate::request::ids::Collection;
use crate::request::requests::Query;
use crate::response::failure::Failure;
use crate::timestamp::Timestamp;

/// Reports which tokens expire within this many seconds, or have expired.
pub async fn expiring(
    call: &Call<'_, impl Host>,
    scope: &Scope,
    within_seconds: u32,
) -> Result<ExpiryReport, Box<Failure>> {
    let collection = call.collection(scope)?;
    report(call, &collection, Query::default(), within_seconds).await
}

/// Refreshes every enabled token that is due. Each has a result of its own.
pub async fn refresh<H: Host>(
    call: &Call<'_, H>,
    account: &str,
    params: &RefreshParams,
) -> Result<RefreshReport, Box<Failure>> {
    let collection = call.account(account)?;
    arguments::refresh_params(params)?;
    let query = Query { name: params.name.as_deref(), ..Query::default() };
    let ExpiryReport { now, expiring, .. } = report(call, &collection, query, params.within_seconds).await?;
    let is_due = |due: &ExpiringToken| params.include_expired || due.seconds_left > 0;
    let due = expiring.into_iter().filter(is_due).map(|due| refresh_one(call, &collection, due.token));
    Ok(RefreshReport { now, tokens: all(due.collect()).await })
}

async fn refresh_one<H: Host>(call: &Call<'_, H>, collection: &Collection, token: ServiceToken) -> RefreshedToken {
    let refreshed = match reported(call, &token) {
        Ok(id) => steps::refresh(call, collection, id.target()).await,
        Err(failure) => Err(failure),
    };
    RefreshedToken { id: token.id, name: token.name, refreshed: refreshed.map_err(|failure| call.named(*failure)) }
}

async fn report<H: Host>(
    call: &Call<'_, H>,
    collection: &Collection,
    query: Query<'_>,
    within_seconds: u32,
) -> Result<ExpiryReport, Box<Failure>> {
    let tokens = every(call, collection, query).await?;
    let (now, clock) = clock::now(call, tokens.server_time);
    let mut report = ExpiryReport {
        now: now.to_rfc3339().unwrap_or_default(),
        clock,
        expiring: Vec::new(),
        disabled: Vec::new(),
        forever: Vec::new(),
        unreadable: Vec::new(),
        later: 0,
    };
    for token in tokens.value {
        add(&mut report, token, now, within_seconds);
    }
    report.expiring.sort_by_key(|token| token.seconds_left);
    report.disabled.sort_by_key(|token| token.seconds_left);
    Ok(report)
}

/// Adds a token to the list that it belongs to.
fn add(report: &mut ExpiryReport, token: ServiceToken, now: Timestamp, within_seconds: u32) {
    if token.duration.as_deref() == Some("forever") {
        return report.forever.push(token);
    }
    let Some(expires) = token.expires_at.as_deref().and_then(Timestamp::from_rfc3339) else {
        return report.unreadable.push(token);
    };
    let seconds_left = expires.seconds_since(now);
    if seconds_left > within_seconds.into() {
        report.later = report.later.saturating_add(1);
        return;
    }
    let limit = if seconds_left < 0 { i32::MIN } else { i32::MAX };
    let seconds_left = i32::try_from(seconds_left).unwrap_or(limit);
    let list = if token.enabled == Some(false) { &mut report.disabled } else { &mut report.expiring };
    list.push(ExpiringToken { token, seconds_left });
}
