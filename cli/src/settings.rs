//! From arguments and environment to an `AccessTokens` and a scope.

use std::path::Path;

use cloudflare_access_host::{AccessTokens, Account, BaseUrl, CallOptions, Credentials, InvalidBaseUrl, Scope};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::api::Api;
use crate::arguments::Connection;
use crate::failure::Failure;
use crate::message::tell;

/// Logs to standard error. Without `--verbose` or `RUST_LOG` only what this program logs itself, which is what `watch` does: the
/// messages of the other commands say what a person needs.
pub fn start_logging(verbose: u8) {
    let default = match verbose {
        0 => "access_tokens=info",
        1 => "access_tokens=info,cloudflare_access_host=info",
        _ => "access_tokens=debug,cloudflare_access_host=debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_span_events(FmtSpan::CLOSE)
        .with_writer(anstream::stderr)
        // It would say so on standard error, and panic there.
        .log_internal_errors(false)
        .init();
}

/// The account or the zone; exactly one of them.
fn scope(connection: &Connection) -> Result<Scope, Failure> {
    match (&connection.account, &connection.zone) {
        (Some(account), None) => Ok(Scope::Account(account.clone())),
        (None, Some(zone)) => Ok(Scope::Zone(zone.clone())),
        (None, None) => {
            Err(Failure::usage("no account: give --account or set CLOUDFLARE_ACCOUNT_ID (or --zone for a zone)"))
        }
        (Some(_), Some(_)) => Err(Failure::usage(
            "both an account and a zone: give only one of --account and --zone, and look at CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_ZONE_ID",
        )),
    }
}

/// The tokens that are meant.
pub fn tokens(connection: &Connection) -> Result<Api<Scope>, Failure> {
    let scope = scope(connection)?;
    Ok(Api::new(access_tokens(connection)?.scope(scope), connection))
}

/// The tokens that are meant, for an operation that only accounts have.
pub fn account(connection: &Connection, operation: &str) -> Result<Api<Account>, Failure> {
    match scope(connection)? {
        Scope::Account(id) => Ok(Api::new(access_tokens(connection)?.account(id), connection)),
        Scope::Zone(_) => Err(Failure::usage(format!("the API has {operation} for accounts only; give --account"))),
    }
}

/// Everything that the connection arguments say.
fn access_tokens(connection: &Connection) -> Result<AccessTokens, Failure> {
    let file = connection.credentials_file.as_deref().map(|path| Ok::<_, Failure>((path, read(path)?))).transpose()?;
    let credentials = match &file {
        Some((path, text)) => credentials_of_file(path, text)?,
        None => Credentials::from_environment().map_err(|error| {
            Failure::configuration(&error).advice("Or put the token into a file and give --credentials-file.")
        })?,
    };
    let mut options = CallOptions::new().timeout(connection.timeout);
    if let Some(retries) = connection.max_retries {
        options = options.max_retries(retries);
    }
    let mut builder = AccessTokens::builder().credentials(credentials).options(options);
    let in_file = |name: &str| file.as_ref().and_then(|(_, text)| variable(text, name));
    if let Some(url) = base_url(connection, in_file).map_err(|error| Failure::configuration(&error))? {
        builder = builder.base_url(url);
    }
    builder = builder.from_environment()?;
    for certificate in extra_roots(connection.ca_certificates.as_deref())? {
        builder = builder.extra_root(certificate);
    }
    Ok(builder.build()?)
}

/// The base URL of the argument, or else that of the variables, each of which the file with the credential may set for the
/// environment.
fn base_url(
    connection: &Connection,
    in_file: impl Fn(&str) -> Option<String>,
) -> Result<Option<BaseUrl>, InvalidBaseUrl> {
    let variable = |name: &str| in_file(name).or_else(|| std::env::var(name).ok());
    let Some(url) = connection.base_url.as_deref().filter(|url| !url.is_empty()) else {
        return BaseUrl::from_variables(variable);
    };
    let url = BaseUrl::new(url)?;
    url.check_region("--base-url", variable)?;
    Ok(Some(url))
}

fn read(credentials_file: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(credentials_file)
        .map_err(|error| wrong_file(credentials_file, &format!("cannot be read: {error}")))?;
    warn_if_others_can_read(credentials_file);
    Ok(text)
}

fn credentials_of_file(path: &Path, text: &str) -> Result<Credentials, Failure> {
    if !text.contains('=') {
        return Ok(Credentials::api_token(text.trim()));
    }
    Credentials::from_variables(|wanted| variable(text, wanted))
        .map_err(|error| wrong_file(path, &format!("has no usable credential: {error}")))
}

fn wrong_file(path: &Path, what: &str) -> Failure {
    Failure::configuration(&format!("the credentials file {} {what}", path.display()))
}

/// The value of a line `NAME=value`, `export NAME=value` or `NAME="value"`.
fn variable(text: &str, wanted: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let line = line.trim();
        let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
        let value = value.trim();
        let unquoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
        (name.trim() == wanted).then(|| unquoted.unwrap_or(value).to_owned())
    })
}

#[cfg(unix)]
fn warn_if_others_can_read(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    if std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0) {
        tell(format_args!("warning: other users can read {}; `chmod 600` it", path.display()));
    }
}

#[cfg(not(unix))]
fn warn_if_others_can_read(_: &Path) {}

fn extra_roots(path: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let Some(path) = path else { return Ok(Vec::new()) };
    let wrong = |what: String| Failure::configuration(&format!("the certificate file {} {what}", path.display()));
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| wrong(format!("cannot be read: {error}")))?;
    if certificates.is_empty() {
        return Err(wrong("has no certificate in it".to_owned()));
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_hold_variables_as_a_shell_has_them() {
        let text = "# comment\nexport CLOUDFLARE_EMAIL='me@example.com'\nCLOUDFLARE_API_KEY = \"abc\" \n";
        assert_eq!(variable(text, "CLOUDFLARE_EMAIL").as_deref(), Some("me@example.com"));
        assert_eq!(variable(text, "CLOUDFLARE_API_KEY").as_deref(), Some("abc"));
        assert_eq!(variable(text, "CLOUDFLARE_API_TOKEN"), None);
    }
}
