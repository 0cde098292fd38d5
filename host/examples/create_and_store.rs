//! Makes a token and keeps its secret in a new file that only this user can read.
//!
//! `CLOUDFLARE_API_TOKEN=… CLOUDFLARE_ACCOUNT_ID=… cargo run --example create_and_store`

use std::fs::{File, OpenOptions};
use std::io::{self, Write};

use cloudflare_access_host::{AccessTokens, Account, CreateParams, ExposeSecret, Outcome};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let account = AccessTokens::from_environment()?.account(Account::from_environment()?);
    // Opened before the token is made: the API shows the secret once, and it needs a place then.
    let mut file = create_private("ci.secret")?;
    match account.create(CreateParams::named("CI pipeline")).await {
        Ok(issued) => {
            writeln!(file, "CF_ACCESS_CLIENT_ID={}", issued.token.client_id.unwrap_or_default())?;
            writeln!(file, "CF_ACCESS_CLIENT_SECRET={}", issued.client_secret.expose_secret())?;
        }
        Err(error) => match error.outcome {
            Outcome::NotApplied => eprintln!("nothing was made: {error}"),
            Outcome::Unknown => eprintln!("look for the token before you make it again: {error}"),
            Outcome::Applied => eprintln!("there is a token whose secret is lost, rotate or delete it: {error}"),
        },
    }
    Ok(())
}

/// Creates a file that only this user can read; on Windows, who may read its folder.
fn create_private(path: &str) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
