//! Who asks: one credential, kept on the host.
//!
//! The component is told `credentials::host` and is never given it; [`AccessHooks`](crate::hooks::AccessHooks) adds the headers
//! as a request leaves, and only to requests for the API's service tokens. `Debug` shows the kind and nothing of the value.

use std::fmt;

use crate::secret::{ExposeSecret, SecretString};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};

pub(crate) const X_AUTH_EMAIL: HeaderName = HeaderName::from_static("x-auth-email");
pub(crate) const X_AUTH_KEY: HeaderName = HeaderName::from_static("x-auth-key");

const TOKEN_VARIABLE: &str = "CLOUDFLARE_API_TOKEN";
const KEY_VARIABLE: &str = "CLOUDFLARE_API_KEY";
const EMAIL_VARIABLE: &str = "CLOUDFLARE_EMAIL";

/// A credential of the API: an API token, or the global API key of a user.
///
/// A token is the better choice. It needs the permission "Access: Service Tokens Read" to list and get, and "Access:
/// Service Tokens Write" for everything.
#[derive(Clone)]
pub struct Credentials(Kind);

#[derive(Clone)]
enum Kind {
    ApiToken(SecretString),
    ApiKey { email: String, key: SecretString },
}

/// An error for a credential that is missing or cannot be used. Names variables, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCredentials {
    /// The environment has none.
    #[error("no credential: set {TOKEN_VARIABLE}, or {KEY_VARIABLE} with {EMAIL_VARIABLE}")]
    Missing,
    /// The environment has a global key without the e-mail address of its user.
    #[error("{KEY_VARIABLE} is set without {EMAIL_VARIABLE}; set both, or {TOKEN_VARIABLE} alone")]
    Incomplete,
    /// The environment has two kinds at once.
    #[error("both {TOKEN_VARIABLE} and {KEY_VARIABLE} are set; unset one, so that it is clear which is used")]
    Ambiguous,
    /// A value that no request header can carry.
    #[error("{0} is empty or has characters that a request header cannot carry (a line break, perhaps, at its end)")]
    NotAHeader(&'static str),
    /// An environment variable that is not Unicode.
    #[error("{0} is not valid Unicode")]
    NotUnicode(&'static str),
}

impl Credentials {
    /// Makes a credential of an API token, sent as `Authorization: Bearer`.
    pub fn api_token(token: impl Into<SecretString>) -> Self {
        Self(Kind::ApiToken(token.into()))
    }

    /// Makes a credential of the global API key of a user, sent as `X-Auth-Key` and `X-Auth-Email`.
    pub fn api_key(email: impl Into<String>, key: impl Into<SecretString>) -> Self {
        Self(Kind::ApiKey { email: email.into(), key: key.into() })
    }

    /// Reads the one complete credential of the process's environment: `CLOUDFLARE_API_TOKEN`, or `CLOUDFLARE_API_KEY` with
    /// `CLOUDFLARE_EMAIL`. An empty variable counts as absent, and an e-mail address beside a token is no second credential.
    ///
    /// # Errors
    ///
    /// [`InvalidCredentials`] when there is none, half of one, or two kinds at once.
    pub fn from_environment() -> Result<Self, InvalidCredentials> {
        for name in [TOKEN_VARIABLE, KEY_VARIABLE, EMAIL_VARIABLE] {
            if let Err(std::env::VarError::NotUnicode(_)) = std::env::var(name) {
                return Err(InvalidCredentials::NotUnicode(name));
            }
        }
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// Reads the credential from variables that are kept elsewhere, such as in a file: `read` gives the value of a name.
    ///
    /// # Errors
    ///
    /// As [`from_environment`](Self::from_environment).
    pub fn from_variables(read: impl Fn(&str) -> Option<String>) -> Result<Self, InvalidCredentials> {
        let read = |name| read(name).filter(|value| !value.is_empty());
        match (read(TOKEN_VARIABLE), read(KEY_VARIABLE), read(EMAIL_VARIABLE)) {
            (Some(_), Some(_), _) => Err(InvalidCredentials::Ambiguous),
            (Some(token), None, _) => Ok(Self::api_token(token)),
            (None, Some(key), Some(email)) => Ok(Self::api_key(email, key)),
            (None, Some(_), None) => Err(InvalidCredentials::Incomplete),
            (None, None, _) => Err(InvalidCredentials::Missing),
        }
    }

    /// The headers that prove it, marked as sensitive.
    pub(crate) fn headers(&self) -> Result<CredentialHeaders, InvalidCredentials> {
        let pairs = match &self.0 {
            Kind::ApiToken(token) => {
                let token = token.expose_secret();
                check(token, "the API token")?;
                vec![(AUTHORIZATION, sensitive(&format!("Bearer {token}"), "the API token")?)]
            }
            Kind::ApiKey { email, key } => {
                check(email, "the e-mail address")?;
                check(key.expose_secret(), "the API key")?;
                vec![
                    (X_AUTH_EMAIL, sensitive(email, "the e-mail address")?),
                    (X_AUTH_KEY, sensitive(key.expose_secret(), "the API key")?),
                ]
            }
        };
        Ok(CredentialHeaders(pairs))
    }
}

fn check(value: &str, what: &'static str) -> Result<(), InvalidCredentials> {
    let usable = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic());
    usable.then_some(()).ok_or(InvalidCredentials::NotAHeader(what))
}

fn sensitive(value: &str, what: &'static str) -> Result<HeaderValue, InvalidCredentials> {
    let mut value = HeaderValue::try_from(value).map_err(|_| InvalidCredentials::NotAHeader(what))?;
    value.set_sensitive(true);
    Ok(value)
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.0 {
            Kind::ApiToken(_) => "ApiToken([redacted])",
            Kind::ApiKey { .. } => "ApiKey([redacted])",
        })
    }
}

/// A credential in the form in which it leaves.
#[derive(Clone)]
pub(crate) struct CredentialHeaders(Vec<(HeaderName, HeaderValue)>);

impl CredentialHeaders {
    /// Puts the credential in place of whatever the request has under these names.
    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.0 {
            headers.insert(name, value.clone());
        }
    }

    /// What must not be shown, by the header that carries it: the token or the key, and the address beside a key.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = (&HeaderName, &str)> {
        self.0.iter().filter_map(|(name, value)| {
            let value = value.to_str().ok()?;
            Some((name, value.strip_prefix("Bearer ").unwrap_or(value)))
        })
    }
}

impl fmt::Debug for CredentialHeaders {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CredentialHeaders([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(variables: &[(&str, &str)]) -> Result<Credentials, InvalidCredentials> {
        Credentials::from_variables(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_environment_must_hold_exactly_one_complete_credential() {
        assert!(matches!(from(&[(TOKEN_VARIABLE, "t")]), Ok(Credentials(Kind::ApiToken(_)))));
        assert!(matches!(from(&[(TOKEN_VARIABLE, "t"), (EMAIL_VARIABLE, "e")]), Ok(Credentials(Kind::ApiToken(_)))));
        assert!(matches!(from(&[(KEY_VARIABLE, "k"), (EMAIL_VARIABLE, "e")]), Ok(Credentials(Kind::ApiKey { .. }))));
        assert_eq!(from(&[]).unwrap_err(), InvalidCredentials::Missing);
        assert_eq!(from(&[(TOKEN_VARIABLE, "")]).unwrap_err(), InvalidCredentials::Missing);
        assert_eq!(from(&[(EMAIL_VARIABLE, "e")]).unwrap_err(), InvalidCredentials::Missing);
        assert_eq!(from(&[(KEY_VARIABLE, "k")]).unwrap_err(), InvalidCredentials::Incomplete);
        assert_eq!(from(&[(TOKEN_VARIABLE, "t"), (KEY_VARIABLE, "k")]).unwrap_err(), InvalidCredentials::Ambiguous);
    }

    #[test]
    fn a_value_that_no_header_can_carry_is_refused() {
        for token in ["", "with space", "line\nbreak", "line\r\nX-Evil: 1", "nul\0", "é"] {
            assert!(
                matches!(Credentials::api_token(token).headers(), Err(InvalidCredentials::NotAHeader(_))),
                "{token:?}"
            );
        }
    }

    #[test]
    fn debug_shows_nothing_of_a_credential() {
        let credentials = [Credentials::api_token("hunter2"), Credentials::api_key("me@example.com", "hunter2")];
        for credential in credentials {
            let shown = format!("{credential:?} {:?}", credential.headers().unwrap());
            assert!(!shown.contains("hunter2") && !shown.contains("me@example.com"), "{shown}");
            for (_, value) in credential.headers().unwrap().0 {
                assert!(value.is_sensitive());
            }
        }
    }

    #[test]
    fn a_header_of_the_request_gives_way_to_the_credential() {
        let mut headers = HeaderMap::new();
        headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer of-the-guest"));
        headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer second"));
        Credentials::api_token("real").headers().unwrap().apply(&mut headers);
        let values: Vec<_> = headers.get_all(AUTHORIZATION).iter().collect();
        assert_eq!(values, ["Bearer real"]);
    }
}
