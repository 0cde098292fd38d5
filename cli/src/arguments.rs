//! The command line, in clap's terms. Its help texts are also the man page's.

#![allow(clippy::doc_markdown, reason = "these comments are help texts, where backticks would be shown")]

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use cloudflare_access_host::{CreateParams, TokenDuration};

use crate::command_line::{command, quoted};
use crate::{exit, lifecycle, words};

/// Manage Cloudflare Access service tokens.
///
/// The credential comes from the environment, CLOUDFLARE_API_TOKEN or CLOUDFLARE_API_KEY with CLOUDFLARE_EMAIL, or from a file;
/// never from an argument, which other users of the machine could read. The account is --account or CLOUDFLARE_ACCOUNT_ID. Options come
/// before the environment, where a variable without a value counts as absent.
#[derive(Debug, Parser)]
#[command(name = "access-tokens", version, about, after_help = exit::help(), max_term_width = 100)]
pub struct Arguments {
    #[command(flatten)]
    pub connection: Connection,

    /// The form of the output
    #[arg(long, short, global = true, value_enum, default_value_t = Output::Table)]
    pub output: Output,

    /// Log what happens to standard error (twice: with the details); RUST_LOG overrides it
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,

    #[command(subcommand)]
    pub command: Command,
}

/// Where and as whom.
#[derive(Debug, Clone, Default, Args)]
pub struct Connection {
    /// The account whose tokens are meant, 32 hexadecimal digits [env: CLOUDFLARE_ACCOUNT_ID]
    #[arg(long, global = true, value_name = "ID", conflicts_with = "zone")]
    pub account: Option<String>,

    /// The zone whose tokens are meant, instead of an account [env: CLOUDFLARE_ZONE_ID]
    #[arg(long, global = true, value_name = "ID")]
    pub zone: Option<String>,

    /// A file with the API token alone, or with lines such as CLOUDFLARE_API_TOKEN=…; - is standard input [env:
    /// CLOUDFLARE_CREDENTIALS_FILE]
    #[arg(long, global = true, value_name = "FILE")]
    pub credentials_file: Option<PathBuf>,

    /// Where the API is, if not at Cloudflare [env: CLOUDFLARE_BASE_URL or CLOUDFLARE_API_BASE_URL; or
    /// CLOUDFLARE_COMPLIANCE_REGION=fedramp_high]
    #[arg(long, global = true, value_name = "URL")]
    pub base_url: Option<String>,

    /// Certificate authorities (PEM) to trust besides the platform's
    #[arg(long, global = true, value_name = "FILE")]
    pub ca_certificates: Option<PathBuf>,

    /// Time for all API calls of the command together, such as 30s or 2m; with watch, of each round
    #[arg(long, global = true, value_parser = words::parse_timeout, value_name = "DURATION", default_value = "60s")]
    pub timeout: Duration,

    /// How often a failure that may be repeated is repeated, 0 to 10
    #[arg(long, global = true, value_name = "NUMBER")]
    pub max_retries: Option<u32>,
}

impl Connection {
    /// Returns a command line about the same tokens, to be pasted.
    pub fn command(&self, arguments: &[&str]) -> String {
        command(arguments) + &self.options()
    }

    /// What another command line needs to mean the same tokens: the options that were given, each after a space. The environment
    /// says the rest in both.
    pub fn options(&self) -> String {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.to_string_lossy().into_owned());
        let given = [
            ("--account", self.account.clone()),
            ("--zone", self.zone.clone()),
            ("--credentials-file", path(&self.credentials_file)),
            ("--base-url", self.base_url.clone()),
            ("--ca-certificates", path(&self.ca_certificates)),
        ];
        given
            .into_iter()
            .filter_map(|(option, value)| Some((option, value?)))
            .fold(String::new(), |options, (option, value)| options + " " + option + " " + &quoted(&value))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Aligned, for a person
    Table,
    /// For scripts; stable, the names are the API's
    Json,
    /// `CF_ACCESS_CLIENT_ID=…` lines for a shell; for commands that give one token
    Env,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List tokens, all pages
    List(List),
    /// Show one token
    Get(Get),
    /// Make a token; issue does it in a way that can be repeated
    Create(Create),
    /// Change a token
    Update(Update),
    /// Revoke a token for good
    Delete(Delete),
    /// Let a token live a year longer, with the same secret
    Refresh(Refresh),
    /// Give a token a new secret
    Rotate(Rotate),
    #[command(flatten)]
    Lifecycle(lifecycle::arguments::Command),
    /// Walk a token through its life, against a simulator inside this program
    Demo,
    /// Write a completion script for a shell to standard output
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the man page to standard output
    #[command(name = "man-page")]
    ManPage,
}

#[derive(Debug, Args)]
pub struct List {
    /// Only tokens with exactly this name
    #[arg(long)]
    pub name: Option<String>,
    /// Only tokens that match this text, by the API's own rule
    #[arg(long)]
    pub search: Option<String>,
    /// Tokens per request; the API's default is best
    #[arg(long, value_name = "NUMBER")]
    pub per_page: Option<u32>,
}

#[derive(Debug, Args)]
pub struct Get {
    #[command(flatten)]
    pub token: Token,
}

/// Which token.
#[derive(Debug, Args)]
pub struct Token {
    /// Its id, its client id, or its name if no other token has the same
    #[arg(value_name = "TOKEN")]
    pub token: String,
}

/// Whether anything is changed.
#[derive(Debug, Clone, Copy, Args)]
pub struct DryRun {
    /// Print what would be sent, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Where a new secret goes. It is shown once.
#[derive(Debug, Args)]
pub struct Secret {
    /// Write the client id and the secret to a new file that only you can read, and nowhere else
    #[arg(long, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
    /// Show the secret below the table
    #[arg(long, conflicts_with = "secret_file")]
    pub show_secret: bool,
}

#[derive(Debug, Args)]
pub struct Create {
    #[command(flatten)]
    pub token: NewToken,
    #[command(flatten)]
    pub secret: Secret,
    #[command(flatten)]
    pub dry_run: DryRun,
}

/// What a token is made from.
#[derive(Debug, Args)]
pub struct NewToken {
    /// Its name, at most 350 characters
    pub name: String,
    /// How long it lives: 90d, 8760h, forever [the API's default: a year]
    #[arg(long, value_parser = words::parse_token_duration)]
    pub duration: Option<TokenDuration>,
    /// Make it switched off
    #[arg(long)]
    pub disabled: bool,
    /// The version to count its secrets from [the API's default: 1]
    #[arg(long, value_name = "NUMBER")]
    pub client_secret_version: Option<u32>,
    /// The time, in RFC 3339, that the API takes for a previous secret here too
    #[arg(long, value_name = "TIME")]
    pub previous_client_secret_expires_at: Option<String>,
}

impl From<NewToken> for CreateParams {
    fn from(token: NewToken) -> Self {
        let mut params = Self::named(token.name);
        params.duration = token.duration;
        params.enabled = token.disabled.then_some(false);
        params.client_secret_version = token.client_secret_version;
        params.previous_client_secret_expires_at = token.previous_client_secret_expires_at;
        params
    }
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true))]
pub struct Update {
    #[command(flatten)]
    pub token: Token,
    /// Its new name
    #[arg(long, group = "change")]
    pub name: Option<String>,
    /// How long it lives from now: 90d, 8760h, forever
    #[arg(long, value_parser = words::parse_token_duration, group = "change")]
    pub duration: Option<TokenDuration>,
    /// Switch it on or off; off also ends a previous secret
    #[arg(long, group = "change", value_name = "true|false")]
    pub enabled: Option<bool>,
    /// A number above the current one makes a new secret
    #[arg(long, group = "change", value_name = "NUMBER")]
    pub client_secret_version: Option<u32>,
    /// Until when the previous secret passes, in RFC 3339
    #[arg(long, group = "change", value_name = "TIME")]
    pub previous_client_secret_expires_at: Option<String>,
    /// Do not ask, even where machines are locked out
    #[arg(long, short)]
    pub yes: bool,
    #[command(flatten)]
    pub secret: Secret,
    #[command(flatten)]
    pub dry_run: DryRun,
}

#[derive(Debug, Args)]
pub struct Delete {
    #[command(flatten)]
    pub token: Token,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
    #[command(flatten)]
    pub dry_run: DryRun,
}

#[derive(Debug, Args)]
pub struct Refresh {
    #[command(flatten)]
    pub token: Token,
    #[command(flatten)]
    pub dry_run: DryRun,
}

#[derive(Debug, Args)]
pub struct Rotate {
    #[command(flatten)]
    pub token: Token,
    /// How long the old secret still passes: 24h, 7d. Without it, the old secret ends now
    #[arg(long, visible_alias = "grace", value_parser = words::parse_some_time, value_name = "DURATION")]
    pub overlap: Option<Duration>,
    /// Until when the old secret still passes, in RFC 3339
    #[arg(long, conflicts_with = "overlap", value_name = "TIME")]
    pub previous_expires_at: Option<String>,
    /// Rotate even while an overlap is running: the older of the two secrets that pass ends now
    #[arg(long, requires = "overlap")]
    pub end_running_overlap: bool,
    /// Do not ask, even where machines are locked out
    #[arg(long, short)]
    pub yes: bool,
    #[command(flatten)]
    pub secret: Secret,
    #[command(flatten)]
    pub dry_run: DryRun,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
