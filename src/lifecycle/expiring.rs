//! Which tokens expire, and the renewal of those that do.

use crate::arguments::Collection;
use crate::bindings::exports::cloudflare::access::lifecycle::{
    ExpiringToken, ExpiryReport, RefreshReport, RefreshedToken,
};
use crate::bindings::exports::cloudflare::access::types::{Error, RequestOptions, Scope, ServiceToken};
use crate::call::Call;
use crate::concurrent::all;
use crate::error::Invalid;
use crate::host::Host;
use crate::lifecycle::clock;
use crate::order::{order, put_in_order};
use crate::request::Query;
use crate::text::decimal;
use crate::{list_all, moment, steps};

/// `refresh` gives 365 days; a day between is enough for clocks that differ.
const LONGEST_WINDOW: u64 = 364 * 86_400;

pub fn expiring(
    host: &impl Host,
    scope: &Scope,
    within_seconds: u64,
    options: Option<RequestOptions>,
) -> Result<ExpiryReport, Box<Error>> {
    let collection = Collection::of(scope)?;
    let mut call = Call::begin(host, collection, options)?;
    call.ask_for_time();
    report(&call, within_seconds)
}

pub fn refresh_expiring(
    host: &impl Host,
    account_id: &str,
    within_seconds: u64,
    options: Option<RequestOptions>,
) -> Result<RefreshReport, Box<Error>> {
    let collection = Collection::of_account(account_id)?;
    if within_seconds > LONGEST_WINDOW {
        let why = ", 364 days, since refreshing gives a year; else every run would refresh every token";
        let parts = ["within-seconds is ", &decimal(within_seconds), ": at most ", &decimal(LONGEST_WINDOW), why];
        return Err(Invalid::argument(&parts).into());
    }
    let mut call = Call::begin(host, collection, options)?;
    call.ask_for_time();
    let ExpiryReport { now, clock, expiring, .. } = report(&call, within_seconds)?;
    let due = expiring.into_iter().map(|due| refreshed(&call, due.token)).collect();
    Ok(RefreshReport { now, clock, tokens: host.block_on(all(due)) })
}

async fn refreshed<H: Host>(call: &Call<'_, H>, token: ServiceToken) -> RefreshedToken {
    let refreshed = match call.id_of_answer("refresh-expiring", &token.id) {
        Ok(id) => steps::refresh(call, &id).await,
        Err(error) => Err(error),
    };
    RefreshedToken { id: token.id, name: token.name, refreshed: refreshed.map_err(|error| *error) }
}

fn report<H: Host>(call: &Call<'_, H>, within_seconds: u64) -> Result<ExpiryReport, Box<Error>> {
    let tokens = list_all::within(call, Query::default())?;
    let (now, clock) = clock::now(call);
    let mut report = ExpiryReport {
        now: moment::text(now).unwrap_or_default(),
        clock,
        expiring: Vec::new(),
        disabled: Vec::new(),
        forever: Vec::new(),
        unreadable: Vec::new(),
        later: 0,
    };
    let window = i64::try_from(within_seconds).unwrap_or(i64::MAX);
    for token in tokens {
        sort(token, now, window, &mut report);
    }
    soonest_first(&mut report.expiring);
    soonest_first(&mut report.disabled);
    Ok(report)
}

fn soonest_first(tokens: &mut [ExpiringToken]) {
    let seconds = |index: usize| tokens.get(index).map(|token| token.seconds_left);
    let order = order(tokens.len(), &|first, second| seconds(first) < seconds(second));
    put_in_order(tokens, &order);
}

/// Puts a token into the list that it belongs to.
fn sort(token: ServiceToken, now: i64, window: i64, report: &mut ExpiryReport) {
    if token.duration.as_deref() == Some("forever") {
        return report.forever.push(token);
    }
    let Some(expires) = token.expires_at.as_deref().and_then(moment::parse) else {
        return report.unreadable.push(token);
    };
    let seconds_left = expires.saturating_sub(now);
    if seconds_left > window {
        report.later = report.later.saturating_add(1);
    } else if token.enabled == Some(false) {
        report.disabled.push(ExpiringToken { token, seconds_left });
    } else {
        report.expiring.push(ExpiringToken { token, seconds_left });
    }
}
