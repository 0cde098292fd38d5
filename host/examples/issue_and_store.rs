//! Makes a token and keeps its client id and secret in a file that only this user can read; on Windows, who may read its
//! folder.
//!
//! `CLOUDFLARE_API_TOKEN=… CLOUDFLARE_ACCOUNT_ID=… cargo run --example issue_and_store -- "name of the token" secret.env`
//!
//! It can be started again at any time, by a supervisor in a crash loop, too, and there is one token in the end:
//! - Where the file is there, no token and no secret is made. A start does not rotate.
//! - The key of the issue is in a file before the first request. So a start after a crash or a lost answer goes on with the token that
//!   an earlier one has begun, and does not make a second.
//! - The secret is in its file, complete and synced, before the token gets its name.

use std::fs::{OpenOptions, read_to_string, remove_file, rename};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use cloudflare_access_host::{
    AccessTokens, Account, CreateParams, ErrorKind, ExposeSecret, IssueKey, IssuedToken, Outcome, Tokens,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(name), Some(file)) = (arguments.next(), arguments.next()) else {
        return Err("give the name of the token and the file for its secret".into());
    };
    let account = AccessTokens::from_environment()?.account(Account::from_environment()?);
    issue_and_store(&account, &name, Path::new(&file)).await
}

/// Makes the token unless its file is there.
pub(crate) async fn issue_and_store(
    account: &Tokens<Account>,
    name: &str,
    file: &Path,
) -> Result<(), Box<dyn std::error::Error>> {
    let key_file = beside(file, "key");
    if file.exists() && !key_file.exists() {
        return Ok(());
    }
    let key = key(&key_file)?;
    if !file.exists() {
        let issued = account.issue(CreateParams::named(name), &key).await.inspect_err(|error| {
            eprintln!(
                "{}",
                match error.outcome() {
                    Outcome::NotApplied => "nothing was made; start again when what is wrong has been put right",
                    Outcome::Unknown => "a token may have been made; start again to go on with it",
                    Outcome::Applied => "a token was made and its secret is lost; start again for another secret",
                }
            );
        })?;
        store(file, &issued)?;
    }
    match account.finish_issue(&key).await {
        Ok(_) => {}
        // An earlier start has finished it, and ended before it could remove the key.
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    Ok(remove_file(key_file)?)
}

/// The key of an earlier start, or a new one.
fn key(file: &Path) -> Result<IssueKey, Box<dyn std::error::Error>> {
    match read_to_string(file) {
        Ok(key) => Ok(key.parse()?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = IssueKey::random()?;
            write(file, key.as_str())?;
            Ok(key)
        }
        Err(error) => Err(error.into()),
    }
}

/// Two lines as a shell reads them. A secret with other characters than those of Cloudflare's is refused, since a shell would run it.
fn store(file: &Path, issued: &IssuedToken) -> io::Result<()> {
    let (id, secret) = (issued.token.client_id.as_deref().unwrap_or_default(), issued.client_secret.expose_secret());
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if !is_plain(id) || !is_plain(secret) {
        return Err(io::Error::other("the client id or the secret has characters that do not fit in the file"));
    }
    write(file, &format!("CF_ACCESS_CLIENT_ID={id}\nCF_ACCESS_CLIENT_SECRET={secret}\n"))
}

/// Writes a file that only this user can read; on Windows, who may read its folder. It has its name only when it is complete.
fn write(file: &Path, text: &str) -> io::Result<()> {
    let next = beside(file, "next");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut written = options.open(&next)?;
    written.write_all(text.as_bytes())?;
    written.sync_all()?;
    rename(next, file)?;
    #[cfg(unix)]
    std::fs::File::open(file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))?
        .sync_all()?;
    Ok(())
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}
