//! From arguments and environment to an `AccessTokens` and a scope.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cloudflare_access_host::{AccessTokens, Account, BaseUrl, CallOptions, Certificate, Runtime, Scope};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::api::Api;
use crate::arguments::{Connection, Output};
use crate::credential::Source;
use crate::environment::{some, variable};
use crate::failure::Failure;
use crate::signals;

const ACCOUNT_ID: &str = "CLOUDFLARE_ACCOUNT_ID";
const ZONE_ID: &str = "CLOUDFLARE_ZONE_ID";
const PRIVATE_ADDRESSES: &str = "CLOUDFLARE_ALLOW_PRIVATE_ADDRESSES";
const CREDENTIALS_FILE: &str = "CLOUDFLARE_CREDENTIALS_FILE";

/// Logs to standard error, as JSON where the output is: one object per line. Without `--verbose` or `RUST_LOG` only what this program logs itself, which is what `watch` does: the
/// messages of the other commands say what a person needs.
pub fn start_logging(verbose: u8, output: Output) {
    let default = match verbose {
        0 => "access_tokens=info",
        1 => "access_tokens=info,cloudflare_access_host=debug",
        _ => "access_tokens=debug,cloudflare_access_host=trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_span_events(FmtSpan::CLOSE)
        .with_writer(anstream::stderr)
        // It would say so on standard error, and panic there.
        .log_internal_errors(false);
    match output {
        Output::Json => log.json().flatten_event(true).init(),
        Output::Table | Output::Env => log.init(),
    }
}

/// The account or the zone: that of the options, or else the one of the environment.
pub fn scope(connection: &Connection) -> Result<Scope, Failure> {
    let given = |option: &str, value: &Option<String>| match value.as_deref().map(some) {
        Some(None) => Err(Failure::usage(format!("{option} is empty"))),
        value => Ok(value.flatten()),
    };
    let (account, zone) = (given("--account", &connection.account)?, given("--zone", &connection.zone)?);
    let (account, zone) = match (account, zone) {
        (None, None) => (variable(ACCOUNT_ID)?, variable(ZONE_ID)?),
        given => given,
    };
    match (account, zone) {
        (Some(account), None) => Ok(Scope::Account(account)),
        (None, Some(zone)) => Ok(Scope::Zone(zone)),
        (None, None) => {
            let failure =
                Failure::usage("no account: give --account or set CLOUDFLARE_ACCOUNT_ID (or --zone for a zone)");
            Err(match variable("CF_ACCOUNT_ID") {
                Ok(Some(_)) => failure.advice(format!(
                    "CF_ACCOUNT_ID is set, and this command reads {ACCOUNT_ID}:\n  export {ACCOUNT_ID}=\"$CF_ACCOUNT_ID\""
                )),
                _ => failure,
            })
        }
        (Some(_), Some(_)) => Err(Failure::usage(format!(
            "both an account and a zone: {ACCOUNT_ID} and {ZONE_ID} are set; give --account or --zone, which come before them"
        ))),
    }
}

/// The tokens that are meant.
pub fn tokens(connection: &Connection) -> Result<Api<Scope>, Failure> {
    let scope = scope(connection)?;
    tokens_in(scope, connection, &credential_source(connection)?)
}

/// The tokens of a scope, with a credential whose source has been read.
pub fn tokens_in(scope: Scope, connection: &Connection, source: &Source) -> Result<Api<Scope>, Failure> {
    let access = access_tokens(connection, source, None)?;
    let base_url = access.base_url().to_string();
    Ok(Api::new(access.scope(scope.clone()), scope, base_url, connection))
}

/// The tokens that are meant, for an operation that only accounts have.
pub fn account(connection: &Connection, operation: &str) -> Result<Api<Account>, Failure> {
    account_in(None, connection, operation)
}

/// The same in a runtime that is there already. All settings are read anew.
pub fn account_in(
    runtime: Option<&Runtime>,
    connection: &Connection,
    operation: &str,
) -> Result<Api<Account>, Failure> {
    match scope(connection)? {
        Scope::Account(id) => {
            let access = access_tokens(connection, &credential_source(connection)?, runtime)?;
            let base_url = access.base_url().to_string();
            Ok(Api::new(access.account(id.clone()), Scope::Account(id), base_url, connection))
        }
        Scope::Zone(_) => Err(Failure::usage(format!("the API has {operation} for accounts only; give --account"))),
    }
}

/// Where the credential comes from.
pub fn credential_source(connection: &Connection) -> Result<Source, Failure> {
    let file = match &connection.credentials_file {
        Some(path) => Some(path.clone()),
        None => variable(CREDENTIALS_FILE)?.map(PathBuf::from),
    };
    Source::read(file.as_deref())
}

/// Everything that the connection arguments say.
fn access_tokens(connection: &Connection, source: &Source, runtime: Option<&Runtime>) -> Result<AccessTokens, Failure> {
    let mut options = CallOptions::new().timeout(connection.timeout);
    if let Some(retries) = connection.max_retries {
        options = options.max_retries(retries);
    }
    let mut builder = AccessTokens::builder().credentials(source.credentials()?).options(options);
    if let Some(runtime) = runtime {
        builder = builder.runtime(runtime.clone());
    }
    if let Some(url) = base_url(connection, source)? {
        builder = builder.base_url(url);
    }
    builder = builder.allow_private_addresses(allows_private_addresses(connection)?);
    let access = builder.extra_roots(extra_roots(connection.ca_certificates.as_deref())?).build()?;
    // Nothing has been made yet, and from here on no signal leaves anything half done. What is read above may block.
    signals::listen(signals::Hangup::Stops)?;
    Ok(access)
}

/// Whether the API may be at an address that is not public: by the option, or else by the environment.
fn allows_private_addresses(connection: &Connection) -> Result<bool, Failure> {
    match variable(PRIVATE_ADDRESSES)?.as_deref() {
        _ if connection.allow_private_addresses => Ok(true),
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(Failure::configuration(&format!("{PRIVATE_ADDRESSES} is neither true nor false"))),
    }
}

/// The base URL of the argument, or else that of the variables, each of which the file with the credential may set for the
/// environment.
fn base_url(connection: &Connection, source: &Source) -> Result<Option<BaseUrl>, Failure> {
    let mut variables = BTreeMap::new();
    for name in ["CLOUDFLARE_BASE_URL", "CLOUDFLARE_API_BASE_URL", "CLOUDFLARE_COMPLIANCE_REGION"] {
        variables.insert(name, source.variable(name)?);
    }
    let variable = |name: &str| variables.get(name).cloned().flatten();
    let url = match connection.base_url.as_deref().and_then(some) {
        None => BaseUrl::from_variables(variable),
        Some(url) => BaseUrl::new(&url).and_then(|url| url.check_region("--base-url", variable).map(|()| Some(url))),
    };
    url.map_err(|error| Failure::configuration(&error))
}

/// The certificate authorities of a file.
pub fn extra_roots(path: Option<&Path>) -> Result<Vec<Certificate>, Failure> {
    let Some(path) = path else { return Ok(Vec::new()) };
    let wrong = |what: String| Failure::configuration(&format!("the certificate file {} {what}", path.display()));
    let pem = std::fs::read(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    Certificate::from_pem(&pem).map_err(|error| wrong(format!("cannot be used: {error}")))
}
