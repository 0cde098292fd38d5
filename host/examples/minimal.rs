//! Lists the service tokens of an account and when they expire. Changes nothing.
//!
//! `CLOUDFLARE_API_TOKEN=… CLOUDFLARE_ACCOUNT_ID=… cargo run --example minimal`

use cloudflare_access_host::{AccessTokens, Account, ListAllParams};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let account = AccessTokens::from_environment()?.account(Account::from_environment()?);
    for token in account.list_all(ListAllParams::new()).await? {
        let name = token.name.unwrap_or_default();
        // The name is text that anybody with access to the account has chosen: escaped, it cannot write to a terminal.
        println!("{}  {}  {}", token.id, token.expires_at.unwrap_or_default(), name.escape_debug());
    }
    Ok(())
}
