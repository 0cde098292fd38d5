//! Makes a token and prints what a machine needs to pass Access.
//!
//! `CLOUDFLARE_API_TOKEN=… CLOUDFLARE_ACCOUNT_ID=… cargo run --example minimal -- "name of the token"`

use cloudflare_access_host::{AccessTokens, CreateParams, ExposeSecret};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args().nth(1).ok_or("give the name of the new token")?;
    let access = AccessTokens::from_environment()?;
    let account = access.account(std::env::var("CLOUDFLARE_ACCOUNT_ID")?);
    let issued = account.create(CreateParams::named(name)).await?;
    println!("CF_ACCESS_CLIENT_ID={}", issued.token.client_id.unwrap_or_default());
    println!("CF_ACCESS_CLIENT_SECRET={}", issued.client_secret.expose_secret());
    Ok(())
}
