//! A create that can be repeated until it succeeds, in two steps: `issue`, then `finish_issue`.

use crate::client::operation::Operation;
use crate::client::scope::Account;
use crate::client::tokens::Tokens;
use crate::engine::bindings::lifecycle::Guest;
use crate::error::Error;
use crate::types::IssueKey;
use crate::types::{CreateParams, IssuedToken, ServiceToken};

impl Tokens<Account> {
    /// Makes a token under a working name, in a way that can be repeated until it succeeds, and returns its secret. Store the secret,
    /// then call [`finish_issue`](Self::finish_issue), which gives the token its name.
    ///
    /// [`create`](Tokens::create) cannot promise that: after a lost answer there may be a token whose secret nobody has. Here the
    /// same call with the same key, at any time before `finish_issue` and from any host, finds the token by its working name, `NAME
    /// [issue:KEY]`, **gives it a new secret, which ends the one returned before**, and deletes other tokens under that name. So
    /// neither a crash nor a lost answer loses or doubles a token. Use a key from one caller at a time.
    ///
    /// ```no_run
    /// # async fn example(account: cloudflare_access_host::Tokens<cloudflare_access_host::Account>)
    /// # -> Result<(), Box<dyn std::error::Error>> {
    /// use cloudflare_access_host::{CreateParams, IssueKey};
    ///
    /// let key = IssueKey::new("deploy-2026-11")?; // the same one after a crash
    /// let issued = account.issue(CreateParams::named("deploy"), &key).await?;
    /// store(&issued.token.id, &issued.client_secret)?;
    /// account.finish_issue(&key).await?;
    /// # Ok(()) }
    /// # fn store(_: &str, _: &cloudflare_access_host::SecretString) -> Result<(), std::io::Error> { Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error`]. A failure that can pass is tried again until the time of the call ends. Then the same call goes on: outcome
    /// `NotApplied` says that this call made nothing, the others that there may be, or is, a token or a secret that nobody has.
    pub async fn issue(&self, params: CreateParams, key: &IssueKey) -> Result<IssuedToken, Error> {
        let (account, params, key) = (self.account_id(), params.into(), key.to_string());
        let issued = self.call_interface(Operation::Issue, |guest: &Guest, store, options| {
            Box::pin(async move { guest.call_issue(store, &account, &params, &key, Some(options)).await })
        });
        issued.await.map(Into::into)
    }

    /// Gives a token that [`issue`](Self::issue) made its name, after its secret has been stored. Secret and id stay as they are.
    ///
    /// # Errors
    ///
    /// [`Error`]: `NotFound` where no token is being issued under the key, which may be finished already; `Conflict` where several
    /// are: call `issue` with the key again, which leaves one, and store its secret. With outcome `Unknown` the token may have its
    /// name; make the call again.
    pub async fn finish_issue(&self, key: &IssueKey) -> Result<ServiceToken, Error> {
        let (account, key) = (self.account_id(), key.to_string());
        let token = self.call_interface(Operation::FinishIssue, |guest: &Guest, store, options| {
            Box::pin(async move { guest.call_finish_issue(store, &account, &key, Some(options)).await })
        });
        token.await.map(Into::into)
    }
}
