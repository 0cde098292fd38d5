//! `verify`: whether the pair of a service token opens an application behind Access.
//!
//! The URL is asked twice. Without the pair Access must refuse it, or the answer with the pair would prove nothing; with the pair
//! anything but Access's refusal passes. Access refuses with 401 or 403, or, without strict service token authentication, with a
//! redirect to the log-in page. No redirect is followed, so the pair goes to no other origin, and over plain HTTP only to this machine.
//!
//! The requests go out as those to the API do: through the proxy of the environment, with the same roots and limits.

use bytes::Bytes;
use cloudflare_access_host::egress::Addresses;
use cloudflare_access_host::transport::{Transport, TransportConfig};
use cloudflare_access_host::{BaseUrl, ExposeSecret, Pair, SecretString};
use http::header::{HeaderValue, LOCATION};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use serde_json::json;
use url::Url;

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
pub enum Answer {
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

pub async fn verify(connection: &Connection, output: Output, verify: Verify) -> Result<(), Failure> {
    output::refuse_env(output, "verify")?;
    let (url, origin) = checked(&verify.url, "--url")?;
    let pair = pair(&verify)?;
    let client = Asking::new(&origin, connection)?;
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

/// The URL of an option and its origin, if a secret may be sent to it.
pub fn checked(text: &str, option: &str) -> Result<(Url, BaseUrl), Failure> {
    let url = Url::parse(text).map_err(|error| {
        Failure::usage(format!("{option} is not a URL ({error}); write it like https://app.example.com/"))
    })?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Failure::usage(format!("{option} has a user name or a password in it; leave them out")));
    }
    let origin = BaseUrl::new(&url.origin().ascii_serialization()).map_err(|_| {
        Failure::usage(format!(
            "{option} has the scheme {}; the pair is sent over https only, or over http to a loopback address",
            url.scheme()
        ))
    })?;
    Ok((url, origin))
}

/// The pair of the file, or else of the environment.
fn pair(verify: &Verify) -> Result<Pair, Failure> {
    let (names, others) = (&verify.secret_names, Names::of_wrangler());
    let (place, id, secret) = if let Some(path) = &verify.secret_file {
        let place = format!("the secret file {}", path.display());
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::configuration(&format!("{place} cannot be read: {error}")))?;
        let contents = Contents::of(&text, names);
        (place, contents.client_id, contents.client_secret)
    } else {
        let [id, secret] = [(&names.client_id, &others.client_id), (&names.client_secret, &others.client_secret)]
            .map(|(name, other)| variable(name)?.map_or_else(|| variable(other), |value| Ok(Some(value))));
        ("the environment".to_owned(), id?, secret?.map(SecretString::from))
    };
    match (id, secret) {
        (Some(client_id), Some(secret)) => Ok(Pair::new(client_id, secret)),
        _ => Err(Failure::configuration(&format!(
            "{place} has no pair: {} and {} are needed; set them, or give --secret-file FILE",
            names.client_id, names.client_secret
        ))),
    }
}

/// A client that follows no redirect.
#[derive(Debug)]
pub struct Asking(Transport);

impl Asking {
    /// A client for an application, which may be at any address: it is often in a private network.
    pub fn new(origin: &BaseUrl, connection: &Connection) -> Result<Self, Failure> {
        let config =
            TransportConfig::for_base_url(origin).extra_roots(extra_roots(connection.ca_certificates.as_deref())?);
        let config = if origin.is_loopback() { config } else { config.addresses(Addresses::Any) };
        Ok(Self(Transport::new(config)?))
    }

    /// Asks for a URL, with a pair where one is given.
    pub async fn ask(&self, url: &Url, pair: Option<&Pair>) -> Result<Answer, Failure> {
        let mut request = Request::get(url.as_str()).header("user-agent", USER_AGENT);
        if let Some(pair) = pair {
            for (name, value) in [
                ("cf-access-client-id", pair.client_id.as_str()),
                ("cf-access-client-secret", pair.client_secret.expose_secret()),
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
        let request = request
            .body(Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync())
            .map_err(|error| Failure::usage(format!("--url cannot be asked: {error}")))?;
        let answer = self.0.send(request, None, || ()).await.map_err(|error| no_answer(&error.to_string()))?;
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
            assert!(checked(url, "--url").is_ok(), "{url}");
        }
        for url in ["http://app.example.com/", "app.example.com", "ftp://a/", "https://u:p@a/", "http://localhost.a/"] {
            assert!(checked(url, "--url").is_err(), "{url}");
        }
    }
}
