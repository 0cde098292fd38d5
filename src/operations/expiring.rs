//! Which tokens expire, and the renewal of those that do.

use crate::contract::lifecycle::{Clock, ExpiringToken, ExpiryReport, RefreshParams, RefreshReport, RefreshedToken};
use crate::contract::types::ServiceToken;
use crate::exchange::concurrent::all;
use crate::exchange::{Call, Host};
use crate::failure::Result;
use crate::operations::{list_all, service_tokens};
use crate::request::{Query, arguments};
use crate::timestamp::Timestamp;

/// Clocks that differ by no more than this are taken for equal.
const TOLERANCE_SECONDS: u64 = 60;

/// Reports which tokens expire within this many seconds, or have expired.
pub async fn expiring(call: &Call<'_, impl Host>, within_seconds: u32) -> Result<ExpiryReport> {
    report(call, Query::default(), within_seconds).await
}

/// Refreshes every enabled token that is due. Each has a result of its own.
pub async fn refresh(call: &Call<'_, impl Host>, params: &RefreshParams) -> Result<RefreshReport> {
    arguments::refresh(params)?;
    let query = Query { name: params.name.as_deref(), ..Query::default() };
    let ExpiryReport { now, expiring, .. } = report(call, query, params.within_seconds).await?;
    let is_due = |due: &ExpiringToken| params.include_expired || due.seconds_left > 0;
    let due = expiring.into_iter().filter(is_due).map(|due| refresh_one(call, due.token));
    Ok(RefreshReport { now, tokens: all(due.collect()).await })
}

async fn refresh_one(call: &Call<'_, impl Host>, token: ServiceToken) -> RefreshedToken {
    let refreshed = match call.reported(&token) {
        Ok(target) => service_tokens::refresh(call, target).await,
        Err(failure) => Err(failure),
    };
    let refreshed = refreshed.map_err(|failure| call.error(*failure));
    RefreshedToken { id: token.id, name: token.name, refreshed }
}

async fn report(call: &Call<'_, impl Host>, query: Query<'_>, within_seconds: u32) -> Result<ExpiryReport> {
    let (tokens, head) = list_all::with_head(call, query).await?;
    let (now, host) = (call.time_of_day(&head), Timestamp(call.host.wall_clock()));
    let is_host_right = now.seconds_since(host).unsigned_abs() <= TOLERANCE_SECONDS;
    let mut report = ExpiryReport {
        now: now.to_rfc3339(),
        clock: if is_host_right { Clock::Host } else { Clock::Server },
        expiring: Vec::new(),
        disabled: Vec::new(),
        forever: Vec::new(),
        unreadable: Vec::new(),
        later: 0,
    };
    for token in tokens {
        add(&mut report, token, now, within_seconds);
    }
    for list in [&mut report.expiring, &mut report.disabled] {
        list.sort_by_key(|token| token.seconds_left);
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::lifecycle::Clock;
    use crate::contract::types::{ErrorKind, Outcome, RequestOptions};
    use crate::exchange::scripted_host::{Reply, ScriptedHost, Sent, options};
    use crate::request::Function;

    /// It is 2026-11-24T10:00:00Z.
    const TOKENS: &str = r#"[{"id":"soon","expires_at":"2026-11-24T11:00:00Z"},
        {"id":"past","expires_at":"2026-11-24T09:59:59Z"},
        {"id":"now","expires_at":"2026-11-24T10:00:00Z"},{"id":"later","expires_at":"2026-11-24T11:00:01Z"},
        {"id":"off","expires_at":"2026-11-24T10:30:00Z","enabled":false},
        {"id":"ever","duration":"forever","enabled":false,"expires_at":"2026-11-24T10:30:00Z"},{"id":"none"},
        {"id":"odd","expires_at":"soon"},
        {"id":"old","expires_at":"0001-01-01T00:00:00Z"}]"#;

    fn ids(tokens: &[ExpiringToken]) -> Vec<&str> {
        tokens.iter().map(|token| token.token.id.as_str()).collect()
    }

    fn report_of(host: &ScriptedHost, within_seconds: u32) -> ExpiryReport {
        let run = host.run(Function::Expiring, options(), async |call| expiring(call, within_seconds).await);
        run.expect("a report")
    }

    fn refresh_of(host: &ScriptedHost, params: &RefreshParams, options: RequestOptions) -> RefreshReport {
        let run = host.run(Function::RefreshExpiring, options, async |call| refresh(call, params).await);
        run.expect("a report")
    }

    /// The id in `…/service_tokens/<id>/refresh`.
    fn id_of(sent: &Sent) -> &str {
        sent.url.rsplit('/').nth(1).unwrap_or_default()
    }

    fn params() -> RefreshParams {
        RefreshParams { within_seconds: 3600, name: None, include_expired: false }
    }

    #[test]
    fn every_token_is_in_the_list_that_it_belongs_to() {
        let report = report_of(&ScriptedHost::with_rule(|_| Reply::result(TOKENS)), 3600);
        assert_eq!((report.now.as_str(), report.clock), ("2026-11-24T10:00:00Z", Clock::Host));
        assert_eq!(ids(&report.expiring), ["old", "past", "now", "soon"]);
        let seconds: Vec<i32> = report.expiring.iter().map(|token| token.seconds_left).collect();
        assert_eq!(seconds, [i32::MIN, -1, 0, 3600]);
        assert_eq!(ids(&report.disabled), ["off"]);
        assert_eq!((report.forever.len(), report.unreadable.len(), report.later), (1, 2, 1));
    }

    #[test]
    fn seconds_beyond_their_type_are_its_limit() {
        let far = Reply::result(r#"[{"id":"1","expires_at":"2126-11-24T10:00:00Z"}]"#);
        let report = report_of(&ScriptedHost::with_replies([far]), u32::MAX);
        assert_eq!(report.expiring[0].seconds_left, i32::MAX);
    }

    #[test]
    fn the_date_of_the_answer_counts_and_a_clock_of_the_host_that_is_wrong_is_told() {
        for (date, clock, now) in [
            ("Tue, 24 Nov 2026 10:01:00 GMT", Clock::Host, "2026-11-24T10:01:00Z"),
            ("Tue, 24 Nov 2026 10:01:01 GMT", Clock::Server, "2026-11-24T10:01:01Z"),
            ("Mon, 23 Nov 2026 10:00:00 GMT", Clock::Server, "2026-11-23T10:00:00Z"),
            ("yesterday", Clock::Host, "2026-11-24T10:00:00Z"),
        ] {
            let host = ScriptedHost::with_replies([Reply::result("[]").with_header("date", date)]);
            let report = report_of(&host, 0);
            assert_eq!((report.clock, report.now.as_str()), (clock, now), "{date}");
        }
    }

    #[test]
    fn tokens_that_are_due_are_refreshed_and_expired_ones_only_if_asked() {
        let due = r#"[{"id":"soon","name":"n","expires_at":"2026-11-24T11:00:00Z"},
            {"id":"past","expires_at":"2026-11-24T09:00:00Z"},{"id":"now","expires_at":"2026-11-24T10:00:00Z"},
            {"id":"off","enabled":false,"expires_at":"2026-11-24T10:30:00Z"}]"#;
        for (include_expired, name, expected) in [
            (false, None, vec!["GET", "POST /soon/refresh"]),
            (true, None, vec!["GET", "POST /past/refresh", "POST /now/refresh", "POST /soon/refresh"]),
            (true, Some("n"), vec!["GET ?name=n", "POST /soon/refresh"]),
        ] {
            let host = ScriptedHost::with_rule(move |sent| {
                let id = id_of(sent);
                if sent.line().starts_with("GET") {
                    Reply::result(due)
                } else {
                    Reply::result(&format!(r#"{{"id":"{id}"}}"#))
                }
            });
            let params = RefreshParams { include_expired, name: name.map(str::to_owned), ..params() };
            let report = refresh_of(&host, &params, options());
            assert_eq!(host.lines(), expected);
            assert!(report.tokens.iter().all(|token| token.refreshed.is_ok()));
        }
    }

    fn list_of_due(count: usize) -> Reply {
        let token = |id| format!(r#"{{"id":"{id}","expires_at":"2026-11-24T10:30:00Z"}}"#);
        Reply::result(&format!("[{}]", (0..count).map(token).collect::<Vec<_>>().join(",")))
    }

    #[test]
    fn each_token_has_a_result_of_its_own_and_its_error_names_the_function() {
        let host = ScriptedHost::with_rule(|sent| match sent.line().as_str() {
            "GET" => list_of_due(8),
            "POST /3/refresh" => Reply::refusal(403, 9999),
            _ => Reply::result(&format!(r#"{{"id":"{}"}}"#, id_of(sent))).after(20),
        });
        let report = refresh_of(&host, &params(), options());
        assert_eq!((report.tokens.len(), host.most_under_way()), (8, 6));
        for token in &report.tokens {
            assert_eq!(token.refreshed.is_ok(), token.id != "3");
        }
        let error = report.tokens[3].refreshed.as_ref().expect_err("refused");
        assert!(error.message.starts_with("refresh-expiring: 403 Forbidden"), "{}", error.message);
        assert_eq!((error.kind, error.token_id.as_deref()), (ErrorKind::Forbidden, Some("3")));
    }

    #[test]
    fn a_token_for_which_the_time_did_not_suffice_was_not_refreshed() {
        let host = ScriptedHost::with_rule(|sent| match sent.line().as_str() {
            "GET" => list_of_due(7),
            _ => Reply::result(&format!(r#"{{"id":"{}"}}"#, id_of(sent))).after(1000),
        });
        let options = RequestOptions { timeout_ms: Some(1000), attempt_timeout_ms: Some(1000), ..options() };
        let report = refresh_of(&host, &params(), options);
        assert!(report.tokens[..6].iter().all(|token| token.refreshed.is_ok()));
        let error = report.tokens[6].refreshed.as_ref().expect_err("too late");
        assert_eq!((error.kind, error.outcome), (ErrorKind::Timeout, Outcome::NotApplied));
    }

    #[test]
    fn a_window_of_a_year_is_refused_before_anything_is_sent() {
        let host = ScriptedHost::default();
        let params = RefreshParams { within_seconds: 364 * 86_400 + 1, ..params() };
        let run = host.run(Function::RefreshExpiring, options(), async |call| refresh(call, &params).await);
        let error = run.expect_err("accepted");
        assert!(
            error.message.starts_with("refresh-expiring: within-seconds is 31449601: at most 31449600"),
            "{}",
            error.message
        );
    }
}
