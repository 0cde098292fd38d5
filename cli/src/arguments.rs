//! The command line, in clap's terms. Its help texts are also the man page's.

#![allow(clippy::doc_markdown, reason = "these comments are help texts, where backticks would be shown")]

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use cloudflare_access_host::{COMPONENT_SHA256, CreateParams, TokenDuration};

use crate::command_line::{command, quoted};
use crate::destination::{Names, SecretArguments};
use crate::{exit, lifecycle, rotation, words};

/// The help of the program: its commands in groups, then the options.
const HELP: &str = "\
{about-with-newline}
{usage-heading} {usage}

Tokens:
  list              List tokens, all pages
  get               Show one token
  find              List the tokens with exactly this name, or the one with this client id
  create            Make a token
  issue             Make a token in a way that can be repeated until it succeeds
  finish-issue      Give a token that issue made its name
  ensure            Make the token with this name if there is none, or bring it in line
  resolve-create    List what a create may have made whose answer was lost
  update            Change a token
  disable, enable   Switch a token off or on
  delete            Revoke a token for good

Secrets:
  rotate            Give a token a new secret
  rotations         List the rotations and new tokens that are not finished
  resume            Go on with what is not finished
  end-overlap       End the old secret of a rotation now
  extend-overlap    Let the old secret of a rotation pass for longer, or shorter
  verify            Try whether a pair opens an application behind Access

Expiry:
  expiring          List the tokens that expire soon or have expired
  refresh           Let a token live a year longer, with the same secret
  refresh-expiring  Let every token that expires soon live a year longer
  watch             Do that again and again until stopped

This program:
  auth status       Show which credential is used, and whether it can read
  demo              Walk a token through its life, against a simulator inside this program
  completions       Write a completion script for a shell
  man-page          Write the man page

Options of every command:
{options}{after-help}";

const EXAMPLES: &str = "\
Examples:
  access-tokens create CI --duration 90d --secret-file ci.env
  access-tokens rotate CI --overlap 24h --secret-file ci.next
  access-tokens verify --url https://app.example.com/ --secret-file ci.next
  access-tokens refresh-expiring --within 30d

`access-tokens COMMAND --help` says more of a command.

";

/// What `--version` shows: enough to know which source this is, and which component of which release it carries.
static LONG_VERSION: LazyLock<String> = LazyLock::new(|| {
    format!("{}\nrevision:  {}\ncomponent: sha256:{COMPONENT_SHA256}", env!("CARGO_PKG_VERSION"), env!("REVISION"))
});

/// Manage Cloudflare Access service tokens.
///
/// The credential comes from the environment, CLOUDFLARE_API_TOKEN or CLOUDFLARE_API_KEY with CLOUDFLARE_EMAIL, or from a file;
/// never from an argument, which other users of the machine could read. The account is --account or CLOUDFLARE_ACCOUNT_ID. Options come
/// before the environment, where a variable without a value counts as absent.
#[derive(Debug, Parser)]
#[command(
    name = "access-tokens",
    version,
    long_version = LONG_VERSION.as_str(),
    about,
    help_template = HELP,
    after_help = EXAMPLES.to_owned() + &exit::help(),
    max_term_width = 100
)]
pub struct Arguments {
    #[command(flatten)]
    pub connection: Connection,

    /// The form of the output
    #[arg(long, short, global = true, display_order = 90, help_heading = "Output", value_enum, default_value_t = Output::Table)]
    pub output: Output,

    /// Log what happens to standard error (twice: with the details); RUST_LOG overrides it
    #[arg(long, short, global = true, display_order = 91, help_heading = "Output", action = clap::ArgAction::Count)]
    pub verbose: u8,

    #[command(subcommand)]
    pub command: Command,
}

/// Where and as whom.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connection")]
pub struct Connection {
    /// The account whose tokens are meant, 32 hexadecimal digits [env: CLOUDFLARE_ACCOUNT_ID]
    #[arg(long, global = true, display_order = 101, value_name = "ID", conflicts_with = "zone")]
    pub account: Option<String>,

    /// The zone whose tokens are meant, instead of an account [env: CLOUDFLARE_ZONE_ID]
    #[arg(long, global = true, display_order = 102, value_name = "ID")]
    pub zone: Option<String>,

    /// A file with the API token alone, or with lines such as CLOUDFLARE_API_TOKEN=…; - is standard input [env:
    /// CLOUDFLARE_CREDENTIALS_FILE]
    #[arg(long, global = true, display_order = 103, value_name = "FILE")]
    pub credentials_file: Option<PathBuf>,

    /// Where a new secret is kept until it is delivered; a folder that is yours alone, on a disk that lasts [default:
    /// access-tokens/rotations in XDG_STATE_HOME or ~/.local/state]
    #[arg(long, global = true, display_order = 110, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,

    /// Where the API is, if not at Cloudflare [env: CLOUDFLARE_BASE_URL or CLOUDFLARE_API_BASE_URL; or
    /// CLOUDFLARE_COMPLIANCE_REGION=fedramp_high]
    #[arg(long, global = true, display_order = 104, value_name = "URL")]
    pub base_url: Option<String>,

    /// Certificate authorities (PEM) to trust besides the platform's
    #[arg(long, global = true, display_order = 105, value_name = "FILE")]
    pub ca_certificates: Option<PathBuf>,

    /// Reach the API at addresses that are not public, too: a gateway in a private network [env:
    /// CLOUDFLARE_ALLOW_PRIVATE_ADDRESSES=true]
    #[arg(long, global = true, display_order = 106)]
    pub allow_private_addresses: bool,

    /// Time for all API calls of the command together, such as 30s or 2m; with watch, of each round
    #[arg(long, global = true, display_order = 107, value_parser = words::parse_timeout, value_name = "DURATION", default_value = "60s")]
    pub timeout: Duration,

    /// How often a failure that may be repeated is repeated, 0 to 10
    #[arg(long, global = true, display_order = 108, value_name = "NUMBER")]
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
            ("--state-dir", path(&self.state_dir)),
            ("--base-url", self.base_url.clone()),
            ("--ca-certificates", path(&self.ca_certificates)),
        ];
        let options = given
            .into_iter()
            .filter_map(|(option, value)| Some((option, value?)))
            .fold(String::new(), |options, (option, value)| options + " " + option + " " + &quoted(&value));
        options + if self.allow_private_addresses { " --allow-private-addresses" } else { "" }
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
    #[command(after_help = "Examples:\n  access-tokens list --unused-since 90d --enabled")]
    List(List),
    /// Show one token
    #[command(
        after_help = "Examples:\n  access-tokens get CI\n  access-tokens get 88bf3b6d86161464f6509f7219099e57.access"
    )]
    Get(Get),
    /// Make a token; issue does it in a way that can be repeated
    #[command(after_help = "Examples:\n  access-tokens create CI --duration 90d --secret-file ci.env")]
    Create(Create),
    /// Change a token
    #[command(after_help = "Examples:\n  access-tokens update CI --duration 90d")]
    Update(Update),
    /// Revoke a token for good
    #[command(after_help = "Examples:\n  access-tokens delete CI --dry-run")]
    Delete(Delete),
    /// Let a token live a year longer, with the same secret
    #[command(after_help = "Examples:\n  access-tokens refresh CI")]
    Refresh(Refresh),
    /// Give a token a new secret
    ///
    /// With --overlap the rotation can be stopped at any point: the same command goes on with it, and so does resume. What is about to
    /// be done and the new secret, until it is delivered, are kept in the state folder.
    #[command(
        after_help = "Examples:\n  access-tokens rotate CI --overlap 24h --secret-file ci.next\n  access-tokens rotate CI --overlap 24h --secret-file ci.env --replace --verify https://app.example.com/"
    )]
    Rotate(Rotate),
    #[command(flatten)]
    Rotation(rotation::arguments::Command),
    #[command(flatten)]
    Lifecycle(lifecycle::arguments::Command),
    /// Show the credential that is used
    #[command(subcommand)]
    Auth(Auth),
    /// Try whether a service token opens an application behind Access
    ///
    /// The URL is asked without the pair, which Access must refuse, and then with it. Ends with 0 if the pair passes, with 13 if Access
    /// refuses it, with 14 if the URL needs no pair, and with 8 without an answer. No redirect is followed. A proxy of the environment is used as
    /// for the API: HTTPS_PROXY, except for the hosts in NO_PROXY and for loopback.
    #[command(after_help = "Examples:\n  access-tokens verify --url https://app.example.com/ --secret-file ci.env")]
    Verify(Verify),
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

#[derive(Debug, Subcommand)]
pub enum Auth {
    /// Show which credential is used, where it comes from, for which account, and whether it can read
    ///
    /// One request. Whether the credential can write is not known without writing.
    Status,
}

#[derive(Debug, Args)]
pub struct Verify {
    /// The application: https, or http on a loopback address
    #[arg(long, value_name = "URL")]
    pub url: String,
    /// A file with the pair, as --secret-file of another command wrote it [default: CF_ACCESS_CLIENT_ID and
    /// CF_ACCESS_CLIENT_SECRET of the environment]
    #[arg(long, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
    /// The names of the client id and the secret in the file or the environment, where they are not those that scripts or wrangler
    /// read
    #[arg(long, value_name = "CLIENT_ID_NAME,CLIENT_SECRET_NAME", default_value_t = Names::of_scripts(), hide_default_value = true)]
    pub secret_names: Names,
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
    /// Only tokens that are switched on
    #[arg(long, conflicts_with = "disabled")]
    pub enabled: bool,
    /// Only tokens that are switched off
    #[arg(long)]
    pub disabled: bool,
    /// Only tokens that have not been used for this long, or never, and are at least so old: 90d
    #[arg(long, value_parser = words::parse_duration, value_name = "DURATION")]
    pub unused_since: Option<Duration>,
    /// Only tokens that expire within this time, or have expired: 30d, 0s
    #[arg(long, value_parser = words::parse_duration, value_name = "DURATION")]
    pub expires_within: Option<Duration>,
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

#[derive(Debug, Args)]
pub struct Create {
    #[command(flatten)]
    pub token: NewToken,
    #[command(flatten)]
    pub dry_run: DryRun,
    #[command(flatten)]
    pub secret: SecretArguments,
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
    pub dry_run: DryRun,
    #[command(flatten)]
    pub secret: SecretArguments,
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
    /// Refused, since there is no secret to keep
    #[arg(long, hide = true)]
    pub secret_file: Option<PathBuf>,
    /// Refused, too
    #[arg(long, hide = true)]
    pub show_secret: bool,
    #[command(flatten)]
    pub dry_run: DryRun,
}

#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option of its own")]
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
    /// Try the new pair at this application before it is delivered; one that does not pass is delivered nowhere
    #[arg(long, value_name = "URL")]
    pub verify: Option<String>,
    /// How long a pair that does not pass yet is tried again; Access takes a moment to learn of a new secret
    #[arg(long, requires = "verify", value_parser = words::parse_duration, value_name = "DURATION", default_value = "60s")]
    pub verify_within: Duration,
    /// End the old secret once every destination has the new one
    #[arg(long, requires = "overlap")]
    pub end_overlap: bool,
    /// Only if its secret is older than this: 90d. An unfinished rotation is gone on with all the same
    #[arg(long, requires = "overlap", value_parser = words::parse_some_time, value_name = "DURATION")]
    pub if_older_than: Option<Duration>,
    /// Rotate even where a new secret is lost and machines still use the old one, which ends now; --yes does not mean this
    #[arg(long, requires = "overlap")]
    pub accept_lockout: bool,
    /// Do not ask, even where machines are locked out
    #[arg(long, short)]
    pub yes: bool,
    #[command(flatten)]
    pub dry_run: DryRun,
    #[command(flatten)]
    pub secret: SecretArguments,
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
