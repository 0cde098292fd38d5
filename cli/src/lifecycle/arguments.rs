//! The command line of these commands. Its help texts are also the man page's.

#![allow(clippy::doc_markdown, reason = "these comments are help texts, where backticks would be shown")]

use std::time::Duration;

use clap::{Args, Subcommand};
use cloudflare_access_host::{IssueProgress, TokenDuration};

use crate::arguments::{NewToken, Secret, Token};
use crate::words;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the tokens that expire soon or have expired, soonest first
    Expiring(Expiring),
    /// Let every token that expires soon live a year longer, with the same secret
    ///
    /// Goes on after a failure, shows one result per token, and exits with 11 if one was not renewed. A second run right after
    /// does nothing. Tokens that are switched off or never expire are left alone.
    RefreshExpiring(RefreshExpiring),
    /// Renew what expires soon, again and again until stopped
    ///
    /// Logs to standard error. A round that fails is logged, and the next one tries again. Ctrl-C and SIGTERM end it: with 0 if
    /// the last finished round renewed all that was due, with 11 if it did not. Only a set-up that cannot work in the first round
    /// ends it by itself. For cron, use refresh-expiring.
    Watch(Watch),
    /// End the old secret of a rotation now
    EndOverlap(EndOverlap),
    /// Let the old secret of a rotation pass for longer, or shorter
    ExtendOverlap(ExtendOverlap),
    /// List the tokens with exactly this name
    Find(Find),
    /// Make the token with this name if there is none, or bring it in line
    Ensure(Ensure),
    /// Make a token exactly once, whatever fails on the way
    ///
    /// If the time ends first, the message has a --resume to finish it with. For accounts only; --timeout gives it more time.
    Issue(Issue),
    /// List what a create may have made whose answer was lost
    ResolveCreate(ResolveCreate),
    /// Switch a token off; this also ends the old secret of a rotation, for good
    Disable(Disable),
    /// Switch a token on again
    Enable(Enable),
}

#[derive(Debug, Args)]
pub struct Expiring {
    /// How soon: 30d, 12h
    #[arg(long, value_parser = words::parse_duration, value_name = "DURATION")]
    pub within: Duration,
}

#[derive(Debug, Args)]
pub struct RefreshExpiring {
    /// How soon: 30d, 12h; at most 364d
    #[arg(long, value_parser = renewal_window, value_name = "DURATION")]
    pub within: Duration,
}

#[derive(Debug, Args)]
pub struct Watch {
    /// How soon: 30d, 12h; at most 364d
    #[arg(long, value_parser = renewal_window, value_name = "DURATION")]
    pub within: Duration,
    /// How often: 6h, 1d; more often than --within, so that a failure has several rounds to pass
    #[arg(long, value_parser = words::parse_some_time, value_name = "DURATION")]
    pub every: Duration,
}

#[derive(Debug, Args)]
pub struct EndOverlap {
    #[command(flatten)]
    pub token: Token,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct ExtendOverlap {
    #[command(flatten)]
    pub token: Token,
    /// How long from now the old secret still passes: 24h, 7d
    #[arg(long, value_parser = words::parse_some_time, value_name = "DURATION")]
    pub overlap: Duration,
}

#[derive(Debug, Args)]
pub struct Find {
    /// The name
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
    #[command(flatten)]
    pub secret: Secret,
}

#[derive(Debug, Args)]
pub struct Issue {
    #[command(flatten)]
    pub token: NewToken,
    /// Finish an issue that did not; the value is in its message
    #[arg(long, value_name = "PROGRESS")]
    pub resume: Option<IssueProgress>,
    #[command(flatten)]
    pub secret: Secret,
}

#[derive(Debug, Args)]
pub struct ResolveCreate {
    /// The name that the create was made with
    #[arg(long)]
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
}

#[derive(Debug, Args)]
pub struct Enable {
    #[command(flatten)]
    pub token: Token,
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
