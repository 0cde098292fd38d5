//! The command line of these commands. Its help texts are also the man page's.

#![allow(clippy::doc_markdown, reason = "these comments are help texts, where backticks would be shown")]

use std::time::Duration;

use clap::{Args, Subcommand};
use cloudflare_access_host::{IssueKey, RefreshParams, TokenDuration};

use crate::arguments::{DryRun, NewToken, Token};
use crate::destination::SecretArguments;
use crate::words;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the tokens that expire soon or have expired, soonest first
    #[command(after_help = "Examples:\n  access-tokens expiring --within 30d --fail")]
    Expiring(Expiring),
    /// Let every token that expires soon live a year longer, with the same secret
    ///
    /// Goes on after a failure, shows one result per token, and exits with 11 if one was not renewed. A second run right after
    /// does nothing. Tokens that are switched off or never expire are left alone, and so are those that have expired, unless
    /// --expired is given.
    #[command(after_help = "Examples:\n  access-tokens refresh-expiring --within 30d --dry-run")]
    RefreshExpiring(RefreshExpiring),
    /// Renew what expires soon, again and again until stopped
    ///
    /// Logs to standard error; with --output json, one JSON object per line. A round that fails is logged, and the next one tries again. Ctrl-C and SIGTERM end it: with 0 if
    /// the last finished round renewed all that was due, with 11 if it did not. Only a set-up that cannot work in the first round
    /// ends it by itself. For cron, use refresh-expiring.
    #[command(after_help = "Examples:\n  access-tokens watch --within 30d --every 6h")]
    Watch(Watch),
    /// End the old secret of a rotation now
    #[command(after_help = "Examples:\n  access-tokens end-overlap CI")]
    EndOverlap(EndOverlap),
    /// Let the old secret of a rotation pass for longer, or shorter
    #[command(after_help = "Examples:\n  access-tokens extend-overlap CI --overlap 7d")]
    ExtendOverlap(ExtendOverlap),
    /// List the tokens with exactly this name, or the one with this client id
    #[command(after_help = "Examples:\n  access-tokens find CI")]
    Find(Find),
    /// Make the token with this name if there is none, or bring it in line
    #[command(after_help = "Examples:\n  access-tokens ensure CI --duration 90d --secret-file ci.env")]
    Ensure(Ensure),
    /// Make a token in a way that can be repeated until it succeeds, whatever fails on the way
    ///
    /// The token is made under a working name with a key in it, its secret is written or shown, and then it gets its name. The same
    /// command with the same --key goes on at any time before that, on any machine: it finds the token and gives it a new secret,
    /// which ends the one before. For accounts only; --timeout gives it more time.
    #[command(after_help = "Examples:\n  access-tokens issue CI --secret-file ci.env")]
    Issue(Issue),
    /// Give a token that issue made its name, once its secret is stored
    #[command(after_help = "Examples:\n  access-tokens finish-issue KEY")]
    FinishIssue(FinishIssue),
    /// List what a create may have made whose answer was lost
    #[command(after_help = "Examples:\n  access-tokens resolve-create --name CI --since 2026-11-24T12:00:00Z")]
    ResolveCreate(ResolveCreate),
    /// Switch a token off; this also ends the old secret of a rotation, for good
    #[command(after_help = "Examples:\n  access-tokens disable CI")]
    Disable(Disable),
    /// Switch a token on again
    #[command(after_help = "Examples:\n  access-tokens enable CI")]
    Enable(Enable),
}

#[derive(Debug, Args)]
pub struct Expiring {
    /// How soon: 30d, 12h
    #[arg(long, value_parser = words::parse_duration, value_name = "DURATION")]
    pub within: Duration,
    /// Exit with 12 if a token that is on expires in this time or has expired, or shows no expiry that can be read
    #[arg(long)]
    pub fail: bool,
}

#[derive(Debug, Args)]
pub struct RefreshExpiring {
    #[command(flatten)]
    pub due: Due,
    #[command(flatten)]
    pub dry_run: DryRun,
}

/// Which tokens are due.
#[derive(Debug, Args)]
pub struct Due {
    /// How soon: 30d, 12h; at most 364d
    #[arg(long, value_parser = renewal_window, value_name = "DURATION")]
    pub within: Duration,
    /// Only tokens with exactly this name
    #[arg(long)]
    pub name: Option<String>,
    /// Tokens that have expired, too: they pass again
    #[arg(long)]
    pub expired: bool,
}

impl From<Due> for RefreshParams {
    fn from(due: Due) -> Self {
        let mut params = Self::within(due.within).include_expired(due.expired);
        params.name = due.name;
        params
    }
}

#[derive(Debug, Args)]
pub struct Watch {
    #[command(flatten)]
    pub due: Due,
    /// How often: 6h, 1d; more often than --within, so that a failure has several rounds to pass
    #[arg(long, value_parser = words::parse_some_time, value_name = "DURATION")]
    pub every: Duration,
    #[command(flatten)]
    pub dry_run: DryRun,
}

#[derive(Debug, Args)]
pub struct EndOverlap {
    #[command(flatten)]
    pub token: Token,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
    #[command(flatten)]
    pub dry_run: DryRun,
}

#[derive(Debug, Args)]
pub struct ExtendOverlap {
    #[command(flatten)]
    pub token: Token,
    /// How long from now the old secret still passes: 24h, 7d
    #[arg(long, value_parser = words::parse_some_time, value_name = "DURATION")]
    pub overlap: Duration,
    #[command(flatten)]
    pub dry_run: DryRun,
}

#[derive(Debug, Args)]
pub struct Find {
    /// The name, or the client id
    #[arg(value_name = "NAME_OR_CLIENT_ID")]
    pub name: String,
}

#[derive(Debug, Args)]
pub struct Ensure {
    /// Its name, at most 350 characters
    pub name: String,
    /// How long it lives: 90d, 8760h, forever [for a new one, the API's default: a year]
    #[arg(long, value_parser = words::parse_token_duration)]
    pub duration: Option<TokenDuration>,
    /// Whether it is switched on [for a new one: true]
    #[arg(long, value_name = "true|false")]
    pub enabled: Option<bool>,
    /// Do not ask, even where a token that is on is switched off
    #[arg(long, short)]
    pub yes: bool,
    #[command(flatten)]
    pub dry_run: DryRun,
    #[command(flatten)]
    pub secret: SecretArguments,
}

#[derive(Debug, Args)]
pub struct Issue {
    #[command(flatten)]
    pub token: NewToken,
    /// The key to issue it under, 1 to 64 of A-Z a-z 0-9 . _ - [default: a random one, shown before anything is sent]
    #[arg(long)]
    pub key: Option<IssueKey>,
    #[command(flatten)]
    pub dry_run: DryRun,
    #[command(flatten)]
    pub secret: SecretArguments,
}

#[derive(Debug, Args)]
pub struct FinishIssue {
    /// The key that the token was issued under
    pub key: IssueKey,
    #[command(flatten)]
    pub dry_run: DryRun,
}

#[derive(Debug, Args)]
pub struct ResolveCreate {
    /// The name that the create was made with
    #[arg(long, allow_hyphen_values = true)]
    pub name: String,
    /// A time before the create, in RFC 3339; earlier by what the clocks may differ
    #[arg(long, value_name = "TIME")]
    pub since: String,
}

#[derive(Debug, Args)]
pub struct Disable {
    #[command(flatten)]
    pub token: Token,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
    #[command(flatten)]
    pub dry_run: DryRun,
}

#[derive(Debug, Args)]
pub struct Enable {
    #[command(flatten)]
    pub token: Token,
    #[command(flatten)]
    pub dry_run: DryRun,
}

/// A window that leaves a day of the year that a refresh gives, as the component demands.
fn renewal_window(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_hours(364 * 24);
    match words::parse_duration(text)? {
        within if within > LONGEST => {
            Err("at most 364d: a refresh gives a year, so every run would refresh every token".to_owned())
        }
        within => Ok(within),
    }
}
