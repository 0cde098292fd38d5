//! Which tokens a renewal would refresh, for `--dry-run`.

use cloudflare_access_host::{Account, Error, ExpiringToken, RefreshParams, TimeLeft, Tokens};

/// Lists the tokens that are due, soonest first.
pub async fn due(account: Tokens<Account>, params: &RefreshParams) -> Result<Vec<ExpiringToken>, Error> {
    let mut due = account.expiring(params.within).await?.expiring;
    due.retain(|due| {
        let has_name = params.name.is_none() || params.name == due.token.name;
        let has_time = !matches!(due.time_left, TimeLeft::Expired(_) | TimeLeft::Remaining(std::time::Duration::ZERO));
        has_name && (params.include_expired || has_time)
    });
    Ok(due)
}
