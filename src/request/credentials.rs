//! One complete credential.
//!
//! A mixture of several is refused, because the clients that pick one pick different ones. What is often pasted by
//! mistake around a credential (quotation marks, `Bearer`, a line break) is refused by the name of the option or
//! variable that holds it. No message repeats a value.

use crate::contract::types::{ApiKey, Credentials as GivenCredentials, ErrorKind};
use crate::failure::{Failure, Result};
use crate::request::Environment;
use crate::request::headers::check_value;
use crate::request::quoted::begins_with_bearer;

/// A shorter text is no secret, and may well be a part of an identifier or of any other text.
pub const SHORTEST_SECRET: usize = 4;
/// Several times what any API token has.
const LIMIT: usize = 4096;

const TOKEN: &str = "CLOUDFLARE_API_TOKEN";
const KEY: &str = "CLOUDFLARE_API_KEY";
const EMAIL: &str = "CLOUDFLARE_EMAIL";
const SERVICE_KEY: &str = "CLOUDFLARE_API_USER_SERVICE_KEY";

/// One complete credential, or the word of the host that it adds one. No `Debug`, which would show it.
#[derive(PartialEq, Eq)]
pub enum Credentials {
    ApiToken(String),
    ApiKey { email: String, key: String },
    Host,
}

impl Credentials {
    /// Checks the credentials of the options.
    pub fn given(given: GivenCredentials) -> Result<Self> {
        match given {
            GivenCredentials::ApiToken(token) => Ok(Self::ApiToken(check("credentials.api-token", token)?)),
            GivenCredentials::ApiKey(ApiKey { email, key }) => Ok(Self::ApiKey {
                email: check("credentials.api-key.email", email)?,
                key: check("credentials.api-key.key", key)?,
            }),
            GivenCredentials::Host => Ok(Self::Host),
        }
    }

    /// Takes the credential of the environment.
    pub fn from_environment(environment: &Environment) -> Result<Self> {
        let take = |name, value: &str| check(name, value.to_owned());
        let problem = match (environment.get(TOKEN)?, environment.get(KEY)?, environment.get(EMAIL)?) {
            (Some(token), None, _) => return Ok(Self::ApiToken(take(TOKEN, token)?)),
            (None, Some(key), Some(email)) => {
                return Ok(Self::ApiKey { email: take(EMAIL, email)?, key: take(KEY, key)? });
            }
            (Some(_), Some(_), _) => {
                format!("{TOKEN} and {KEY} are both set: unset one, since which one the API would take is not defined")
            }
            (None, Some(_), None) => format!("{KEY} is set without {EMAIL}: set both, or {TOKEN} alone"),
            (None, None, Some(_)) => format!("{EMAIL} is set without {KEY}: set both, or {TOKEN} alone"),
            (None, None, None) if environment.get(SERVICE_KEY)?.is_some() => {
                format!("only {SERVICE_KEY} is set, and service keys stopped working on 2026-09-30: set {TOKEN}")
            }
            (None, None, None) => {
                format!("no credential: set {TOKEN}, or {KEY} with {EMAIL}, or pass `endpoint.credentials`")
            }
        };
        Err(Failure::configuration(problem))
    }

    /// Refuses a text that becomes a part of a URL or of another header and holds the token or the key.
    pub fn refuse_in(&self, kind: ErrorKind, name: &str, text: &str) -> Result<()> {
        match self {
            Self::ApiToken(secret) | Self::ApiKey { key: secret, .. }
                if secret.len() >= SHORTEST_SECRET && text.contains(secret.as_str()) =>
            {
                Err(Failure::new(
                    kind,
                    format!("{name} holds the credential of the call, which would be shown with it"),
                ))
            }
            _ => Ok(()),
        }
    }

    /// Returns the texts that nothing may show.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let (first, second) = match self {
            Self::ApiToken(token) => (Some(token), None),
            Self::ApiKey { email, key } => (Some(key), Some(email)),
            Self::Host => (None, None),
        };
        first.into_iter().chain(second).map(String::as_str)
    }
}

/// Checks a part of a credential, which becomes the value of a header.
fn check(source: &str, value: String) -> Result<String> {
    let is_quotation_mark = |character| matches!(character, '"' | '\'' | '`');
    let problem = if value.is_empty() {
        "is empty"
    } else if value.len() > LIMIT {
        "is longer than 4096 bytes"
    } else if begins_with_bearer(&value) {
        "begins with \"Bearer\": give the token alone"
    } else if value.starts_with(is_quotation_mark) || value.ends_with(is_quotation_mark) {
        "has quotation marks around it: give the text between them"
    } else {
        check_value(source, &value)?;
        if !value.contains(' ') {
            return Ok(value);
        }
        "has a space in it: give the credential alone, without a name or a prefix"
    };
    Err(Failure::configuration(format!("{source} {problem}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::types::ApiKey;

    fn from(variables: &[(&str, &str)]) -> Result<Credentials> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Credentials::from_environment(&Environment(variables.iter().map(owned).collect()))
    }

    fn token(text: &str) -> Credentials {
        Credentials::ApiToken(text.into())
    }

    #[test]
    fn one_complete_credential_of_the_environment_is_taken() {
        let key = || Credentials::ApiKey { email: "a@b.example".into(), key: "k3y".into() };
        for (variables, credentials) in [
            (&[(TOKEN, "t0ken")][..], token("t0ken")),
            (&[(TOKEN, "t0ken\r\n")], token("t0ken")),
            (&[(TOKEN, "\u{feff}t0ken ")], token("t0ken")),
            (&[(TOKEN, "t0ken"), (EMAIL, "a@b.example")], token("t0ken")),
            (&[(TOKEN, "t0ken"), (KEY, "\n")], token("t0ken")),
            (&[(KEY, "k3y"), (EMAIL, "a@b.example")], key()),
        ] {
            assert!(from(variables).expect("accepted") == credentials);
        }
    }

    #[test]
    fn every_wrong_mixture_is_refused_by_its_names_and_without_its_values() {
        for (variables, expected) in [
            (&[][..], "no credential: set CLOUDFLARE_API_TOKEN, or CLOUDFLARE_API_KEY with CLOUDFLARE_EMAIL"),
            (&[(TOKEN, "")], "no credential"),
            (&[(KEY, "s3cret")], "CLOUDFLARE_API_KEY is set without CLOUDFLARE_EMAIL"),
            (&[(EMAIL, "s3cret")], "CLOUDFLARE_EMAIL is set without CLOUDFLARE_API_KEY"),
            (&[(TOKEN, "s3cret"), (KEY, "s3cret")], "are both set"),
            (&[(TOKEN, "s3cret"), (KEY, "s3cret"), (EMAIL, "s3cret")], "are both set"),
            (&[(SERVICE_KEY, "s3cret")], "service keys stopped working on 2026-09-30"),
            (&[(TOKEN, "s3\ncret")], "CLOUDFLARE_API_TOKEN has a character that no header can carry, after 2 good"),
            (&[(KEY, "s3cret"), (EMAIL, "s3cret\r\nx: y")], "CLOUDFLARE_EMAIL has a character"),
        ] {
            let message = from(variables).err().expect("accepted").error.message;
            assert!(message.contains(expected), "{message}");
            assert!(!message.contains("s3cret"), "{message}");
        }
    }

    #[test]
    fn what_is_pasted_around_a_credential_is_refused_by_the_name_of_its_variable() {
        for (value, expected) in [
            ("\"s3cret\"", "CLOUDFLARE_API_TOKEN has quotation marks around it"),
            ("'s3cret'", "CLOUDFLARE_API_TOKEN has quotation marks around it"),
            ("s3cret\"", "CLOUDFLARE_API_TOKEN has quotation marks around it"),
            ("Bearer s3cret", "CLOUDFLARE_API_TOKEN begins with \"Bearer\""),
            ("BEARER  s3cret", "CLOUDFLARE_API_TOKEN begins with \"Bearer\""),
            ("Bearer\ts3cret", "CLOUDFLARE_API_TOKEN begins with \"Bearer\""),
            ("bearer", "CLOUDFLARE_API_TOKEN begins with \"Bearer\""),
            ("Authorization: s3cret", "CLOUDFLARE_API_TOKEN has a space in it"),
            ("\u{201c}s3cret\u{201d}", "CLOUDFLARE_API_TOKEN has a character that no header can carry"),
        ] {
            let message = from(&[(TOKEN, value)]).err().expect("accepted").error.message;
            assert!(message.starts_with(expected), "{message}");
            assert!(!message.contains("s3cret"), "{message}");
        }
    }

    #[test]
    fn credentials_of_the_options_are_taken_as_they_are() {
        let given = |token: &str| Credentials::given(GivenCredentials::ApiToken(token.into()));
        assert!(given("t0ken").expect("accepted") == token("t0ken"));
        for (value, expected) in [("", "is empty"), ("t0ken\n", "after 5 good ones"), (" t0ken", "has a space in it")] {
            let message = given(value).err().expect("accepted").error.message;
            assert!(message.starts_with("credentials.api-token") && message.contains(expected), "{message}");
        }
        let pair = ApiKey { email: String::new(), key: "k3y".into() };
        let message = Credentials::given(GivenCredentials::ApiKey(pair)).err().expect("accepted").error.message;
        assert_eq!(message, "credentials.api-key.email is empty");
    }
}
