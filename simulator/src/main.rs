//! The simulator as a program, for clients in other processes and other languages. It runs until Ctrl-C or SIGTERM.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use cloudflare_access_simulator::{
    API_TOKEN, Behaviour, CreateStatus, InactivityAction, ListBehaviour, Protection, RateLimit, SecretForm, Simulator,
    TokenShape,
};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The service-token API of Cloudflare Access in memory, and an application behind Access.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 8787)]
    port: u16,
    /// The address to listen on; one that is not loopback needs --allow-remote
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    /// Let other machines connect: they can read every secret of the simulator
    #[arg(long)]
    allow_remote: bool,
    /// Serve HTTPS with a new certificate, and write the certificate (PEM) to this file
    #[arg(long, value_name = "FILE")]
    tls: Option<PathBuf>,
    /// The API token to accept; any text without spaces
    #[arg(long, default_value = API_TOKEN)]
    api_token: String,
    /// Make ids and secrets the same in every run
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// A clock that stands at this time (RFC 3339) and moves by its control route alone
    #[arg(long, value_name = "TIME", value_parser = time)]
    clock: Option<OffsetDateTime>,
    #[command(flatten)]
    behaviour: BehaviourArguments,
}

/// What the control route `behaviour` can change, too.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(clap::Args)]
#[command(next_help_heading = "Behaviour")]
struct BehaviourArguments {
    /// How many tokens an account or a zone may have
    #[arg(long, value_name = "NUMBER", default_value_t = Behaviour::default().quota)]
    quota: usize,
    /// Refuse requests beyond a budget, then block: `real`, or REQUESTS/WINDOW/BLOCK with times in seconds, such as 1200/300/300
    #[arg(long, value_name = "BUDGET", value_parser = rate_limit)]
    rate_limit: Option<RateLimit>,
    /// Answer every call with code 9999
    #[arg(long)]
    access_disabled: bool,
    /// Accept API tokens under /zones/, too, which the description of the API does not promise
    #[arg(long)]
    zones_accept_api_tokens: bool,
    /// What lists of accounts make of their query
    #[arg(long, value_enum, default_value_t = Lists::Honoured)]
    account_lists: Lists,
    /// What lists of zones make of their query
    #[arg(long, value_enum, default_value_t = Lists::AllIgnored)]
    zone_lists: Lists,
    /// Tokens per page where the request does not say
    #[arg(long, value_name = "NUMBER", default_value_t = Behaviour::default().default_per_page)]
    per_page: u64,
    /// Answer a create with 200 in place of 201
    #[arg(long)]
    create_ok: bool,
    /// Show tokens as before August 2026, without `enabled` and without versions of secrets
    #[arg(long)]
    older_tokens: bool,
    /// Make secrets as before August 2026, 64 hexadecimal digits
    #[arg(long)]
    hexadecimal_secrets: bool,
    /// Remove tokens that have not passed for so many days
    #[arg(long, value_name = "DAYS")]
    inactivity_days: Option<u32>,
    /// Switch inactive tokens off in place of removing them
    #[arg(long, requires = "inactivity_days")]
    inactivity_disables: bool,
    /// How the application at /application is protected
    #[arg(long, value_enum, default_value_t = Application::Strict)]
    application: Application,
    /// How many seconds the application goes on refusing a new secret
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    learns_after: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Lists {
    Honoured,
    PageIgnored,
    AllIgnored,
}

#[derive(Clone, Copy, ValueEnum)]
enum Application {
    /// 401 without a pair, 403 with one that does not pass
    Strict,
    /// A redirect to the log-in page
    Login,
    /// Not protected
    Open,
}

impl From<Lists> for ListBehaviour {
    fn from(lists: Lists) -> Self {
        match lists {
            Lists::Honoured => Self::Honoured,
            Lists::PageIgnored => Self::PageIgnored,
            Lists::AllIgnored => Self::AllIgnored,
        }
    }
}

impl From<BehaviourArguments> for Behaviour {
    fn from(arguments: BehaviourArguments) -> Self {
        let mut behaviour = Self::default();
        behaviour.access_enabled = !arguments.access_disabled;
        behaviour.zones_refuse_api_tokens = !arguments.zones_accept_api_tokens;
        behaviour.account_lists = arguments.account_lists.into();
        behaviour.zone_lists = arguments.zone_lists.into();
        behaviour.default_per_page = arguments.per_page;
        behaviour.quota = arguments.quota;
        behaviour.rate_limit = arguments.rate_limit;
        behaviour.create_status = if arguments.create_ok { CreateStatus::Ok } else { CreateStatus::Created };
        behaviour.token_shape = if arguments.older_tokens { TokenShape::Older } else { TokenShape::Current };
        behaviour.secret_form =
            if arguments.hexadecimal_secrets { SecretForm::Hexadecimal } else { SecretForm::Checksummed };
        behaviour.inactivity_days = arguments.inactivity_days;
        if arguments.inactivity_disables {
            behaviour.inactivity_action = InactivityAction::Disable;
        }
        behaviour.application.protection = match arguments.application {
            Application::Strict => Protection::Strict,
            Application::Login => Protection::Login,
            Application::Open => Protection::Open,
        };
        behaviour.application.learns_after_seconds = arguments.learns_after;
        behaviour
    }
}

fn time(text: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339).map_err(|error| format!("{error}; write 2026-11-24T07:05:00Z"))
}

fn rate_limit(text: &str) -> Result<RateLimit, String> {
    if text == "real" {
        return Ok(RateLimit::REAL);
    }
    let rule = || format!("{text:?} is not REQUESTS/WINDOW/BLOCK, such as 1200/300/300");
    let [requests, window, block] = text.split('/').collect::<Vec<_>>()[..] else { return Err(rule()) };
    let seconds = |text: &str| text.parse().map_err(|_| rule());
    Ok(RateLimit {
        requests: requests.parse().map_err(|_| rule())?,
        window_seconds: seconds(window)?,
        block_seconds: seconds(block)?,
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let mut builder = Simulator::builder()
        .host(arguments.host)
        .port(arguments.port)
        .api_token(&arguments.api_token)
        .behaviour(arguments.behaviour.into());
    if arguments.allow_remote {
        builder = builder.allow_remote();
    }
    if let Some(seed) = arguments.seed {
        builder = builder.seed(seed);
    }
    if let Some(time) = arguments.clock {
        builder = builder.clock_stands_at(time);
    }
    if arguments.tls.is_some() {
        builder = builder.self_signed_tls()?;
    }
    let simulator = builder.start().await?;
    if let (Some(file), Some(certificate)) = (arguments.tls, simulator.certificate_pem()) {
        std::fs::write(file, certificate)?;
    }
    println!("{}", introduction(&simulator, &arguments.api_token));
    stopped().await?;
    simulator.stop().await;
    Ok(())
}

#[cfg(unix)]
async fn stopped() -> io::Result<()> {
    // What a container gets from whoever stops it.
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn stopped() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}

fn introduction(simulator: &Simulator, api_token: &str) -> String {
    let (origin, base_url, application) = (simulator.origin(), simulator.base_url(), simulator.application_url());
    let (account, zone) = (simulator.account().id(), simulator.zone().id());
    format!(
        "\
listening on {origin}

  CLOUDFLARE_BASE_URL={base_url}
  CLOUDFLARE_API_TOKEN={api_token}
  account     {account}
  zone        {zone}
  application {application}

try
  curl -H 'Authorization: Bearer {api_token}' {base_url}/accounts/{account}/access/service_tokens

The control routes are below {origin}/simulator/; the README lists them. Ctrl-C stops it."
    )
}
