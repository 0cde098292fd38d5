//! `verify`: whether the pair of a service token opens an application behind Access.
//!
//! The URL is asked twice. Without the pair Access must refuse it, or the answer with the pair would prove nothing; with the pair
//! anything but Access's refusal passes. Access refuses with 401 or 403, or, without strict service token authentication, with a
//! redirect to the log-in page. No redirect is followed, so the pair goes to no other origin, and over plain HTTP only to this machine.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use cloudflare_access_host::{ExposeSecret, SecretString};
use http::header::{HeaderValue, LOCATION};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::Empty;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::CertificateDer;
use rustls_platform_verifier::Verifier;
use serde_json::json;
use url::{Host, Url};

use crate::arguments::{Connection, Output, Verify};
use crate::destination::{Contents, Names};
use crate::environment::variable;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::settings::extra_roots;
use crate::signals;

const USER_AGENT: &str = concat!("access-tokens/", env!("CARGO_PKG_VERSION"));

/// What an application answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// Access refuses.
    Refused(StatusCode),
    /// Anything else.
    Other(StatusCode),
}

impl Answer {
    fn of(status: StatusCode, headers: &HeaderMap) -> Self {
        let is_refusal = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        let to_log_in = status.is_redirection() && headers.get(LOCATION).is_some_and(is_log_in);
        if is_refusal || to_log_in { Self::Refused(status) } else { Self::Other(status) }
    }

    fn status(self) -> u16 {
        match self {
            Self::Refused(status) | Self::Other(status) => status.as_u16(),
        }
    }
}

/// Whether a redirect leads to the log-in page of Access: of a team's domain, or on the application's own.
fn is_log_in(location: &HeaderValue) -> bool {
    let Ok(location) = location.to_str() else { return false };
    match Url::parse(location) {
        Ok(url) => {
            let is_of_a_team = url.host_str().is_some_and(|host| host.ends_with(".cloudflareaccess.com"));
            is_of_a_team || url.path().starts_with("/cdn-cgi/access/")
        }
        Err(_) => location.starts_with("/cdn-cgi/access/"),
    }
}

/// What a machine sends.
struct Pair {
    client_id: String,
    secret: SecretString,
}

pub async fn verify(connection: &Connection, output: Output, verify: Verify) -> Result<(), Failure> {
    output::refuse_env(output, "verify")?;
    let url = checked(&verify.url)?;
    let pair = pair(&verify)?;
    let client = client(connection)?;
    signals::listen(signals::Hangup::Stops)?;
    let calls = async {
        let without = client.ask(&url, None).await?;
        match without {
            Answer::Refused(_) => Ok((without, client.ask(&url, Some(&pair)).await?)),
            Answer::Other(status) if status.is_server_error() => Err(no_answer(&format!("it answered {status}"))),
            Answer::Other(status) => Err(Failure::new(
                Exit::NotProtected,
                format!(
                    "the URL answers {status} without a pair: Access does not protect it, so nothing can be verified"
                ),
            )),
        }
    };
    let (without, with) = tokio::select! {
        biased;
        answers = calls => answers?,
        _ = signals::stopped() => return Err(Failure::interrupted("interrupted; nothing was changed")),
        () = tokio::time::sleep(connection.timeout) => return Err(no_answer("the time ran out")),
    };
    match with {
        Answer::Refused(status) => Err(Failure::new(
            Exit::AccessRefused,
            format!("Access refuses the pair: {status}; without it, {}", without.status()),
        )
        .advice(
            "The secret may be wrong or have ended, the token may be off or have expired, or no Service Auth policy of the application \
             names it. A new secret can take a moment to be known everywhere.",
        )),
        Answer::Other(status) => output::write(&match output {
            Output::Json => {
                let result = json!({"passes": true, "with_pair": with.status(), "without_pair": without.status()});
                format!("{result:#}\n")
            }
            Output::Table | Output::Env => format!(
                "The pair passes: {} with it, {} without.\n",
                status.as_u16(),
                without.status()
            ),
        }),
    }
}

/// The URL, if a secret may be sent to it.
fn checked(text: &str) -> Result<Url, Failure> {
    let url = Url::parse(text).map_err(|error| {
        Failure::usage(format!("--url is not a URL ({error}); write it like https://app.example.com/"))
    })?;
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    };
    match url.scheme() {
        _ if !url.username().is_empty() || url.password().is_some() => {
            Err(Failure::usage("--url has a user name or a password in it; leave them out"))
        }
        "https" => Ok(url),
        "http" if is_loopback => Ok(url),
        scheme => Err(Failure::usage(format!(
            "--url has the scheme {scheme}; the pair is sent over https only, or over http to a loopback address"
        ))),
    }
}

/// The pair of the file, or else of the environment.
fn pair(verify: &Verify) -> Result<Pair, Failure> {
    let (names, others) = (Names::of_scripts(), Names::of_wrangler());
    let (place, id, secret) = if let Some(path) = &verify.secret_file {
        let place = format!("the secret file {}", path.display());
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::configuration(&format!("{place} cannot be read: {error}")))?;
        let contents = Contents::of(&text, &names);
        (place, contents.client_id, contents.client_secret)
    } else {
        let [id, secret] = [(&names.client_id, &others.client_id), (&names.client_secret, &others.client_secret)]
            .map(|(name, other)| variable(name)?.map_or_else(|| variable(other), |value| Ok(Some(value))));
        ("the environment".to_owned(), id?, secret?.map(SecretString::from))
    };
    match (id, secret) {
        (Some(client_id), Some(secret)) => Ok(Pair { client_id, secret }),
        _ => Err(Failure::configuration(&format!(
            "{place} has no pair: {} and {} are needed; set them, or give --secret-file FILE",
            names.client_id, names.client_secret
        ))),
    }
}

/// A client that follows no redirect.
struct Asking(
    Client<hyper_rustls::HttpsConnector<hyper_util::client::legacy::connect::HttpConnector>, Empty<&'static [u8]>>,
);

fn client(connection: &Connection) -> Result<Asking, Failure> {
    let wrong = |error: rustls::Error| Failure::configuration(&format!("TLS cannot be set up: {error}"));
    let provider = Arc::new(default_provider());
    let roots = extra_roots(connection.ca_certificates.as_deref())?;
    let roots = roots.iter().map(|root| CertificateDer::from(root.as_der().to_vec()));
    let verifier = Verifier::new_with_extra_roots(roots, Arc::clone(&provider)).map_err(wrong)?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(wrong)?
        .dangerous() // rustls' word for any verifier but its own; this one asks the platform
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    let connector = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().build();
    Ok(Asking(Client::builder(TokioExecutor::new()).pool_idle_timeout(Duration::from_secs(5)).build(connector)))
}

impl Asking {
    async fn ask(&self, url: &Url, pair: Option<&Pair>) -> Result<Answer, Failure> {
        let mut request = Request::get(url.as_str()).header("user-agent", USER_AGENT);
        if let Some(pair) = pair {
            for (name, value) in [
                ("cf-access-client-id", pair.client_id.as_str()),
                ("cf-access-client-secret", pair.secret.expose_secret()),
            ] {
                let mut value = HeaderValue::try_from(value).map_err(|_| {
                    Failure::configuration(&format!(
                        "the value for {name} has characters that no request header can carry"
                    ))
                })?;
                value.set_sensitive(true);
                request = request.header(name, value);
            }
        }
        let request =
            request.body(Empty::new()).map_err(|error| Failure::usage(format!("--url cannot be asked: {error}")))?;
        let answer = self.0.request(request).await.map_err(|error| {
            let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
            no_answer(&causes.last().map(ToString::to_string).unwrap_or_default())
        })?;
        Ok(Answer::of(answer.status(), answer.headers()))
    }
}

fn no_answer(why: &str) -> Failure {
    Failure::new(Exit::NoAnswer, format!("no usable answer from the application: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_of_access_is_told_from_other_answers() {
        for (status, location, is_refused) in [
            (401, None, true),
            (403, None, true),
            (302, Some("https://team.cloudflareaccess.com/cdn-cgi/access/login/app?kid=1"), true),
            (302, Some("/cdn-cgi/access/login/app"), true),
            (302, Some("https://app.example.com/home"), false),
            (302, Some("https://cloudflareaccess.com.example.com/"), false),
            (302, None, false),
            (200, None, false),
            (404, None, false),
            (500, None, false),
        ] {
            let headers = location.map(|location| (LOCATION, HeaderValue::from_static(location)));
            let answer = Answer::of(StatusCode::from_u16(status).unwrap(), &headers.into_iter().collect());
            assert_eq!(matches!(answer, Answer::Refused(_)), is_refused, "{status} {location:?}");
        }
    }

    #[test]
    fn a_secret_goes_over_https_or_to_this_machine() {
        for url in ["https://app.example.com/a?b=c", "http://127.0.0.1:1/", "http://[::1]/", "http://localhost/"] {
            assert!(checked(url).is_ok(), "{url}");
        }
        for url in ["http://app.example.com/", "app.example.com", "ftp://a/", "https://u:p@a/", "http://localhost.a/"] {
            assert!(checked(url).is_err(), "{url}");
        }
    }
}
