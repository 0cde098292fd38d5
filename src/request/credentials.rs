//! One complete credential.
//!
//! A mixture of several is refused, because the clients that pick one pick different ones. No message repeats a value.
//! What is often pasted by mistake around a credential (quotation marks, `Bearer`, a line break) is refused before
//! anything is sent, by the name of the option or variable that holds it.

use crate::contract::types::Credentials as GivenCredentials;
use crate::request::headers::check_value;
use crate::request::{Environment, Invalid, Secret};

/// Several times what any API token has.
const LIMIT: usize = 4096;

const TOKEN: &str = "CLOUDFLARE_API_TOKEN";
const KEY: &str = "CLOUDFLARE_API_KEY";
const EMAIL: &str = "CLOUDFLARE_EMAIL";
const SERVICE_KEY: &str = "CLOUDFLARE_API_USER_SERVICE_KEY";

/// One complete credential, or the word of the host that it adds one.
#[derive(Debug, PartialEq, Eq)]
pub enum Credentials {
    ApiToken(Secret),
    ApiKey { email: String, key: Secret },
    Host,
}

impl Credentials {
    /// Checks the credentials of the options.
    pub fn given(given: GivenCredentials) -> Result<Self, Invalid> {
        match given {
            GivenCredentials::ApiToken(token) => Self::api_token("credentials.api-token", token),
            GivenCredentials::ApiKey(pair) => {
                Self::api_key(("credentials.api-key.email", pair.email), ("credentials.api-key.key", pair.key))
            }
            GivenCredentials::Host => Ok(Self::Host),
        }
    }

    /// Takes the credential of the environment.
    pub fn from_environment(environment: &Environment) -> Result<Self, Invalid> {
        let refuse = |message: String| Err(Invalid::configuration(message));
        match (environment.get(TOKEN), environment.get(KEY), environment.get(EMAIL)) {
            (Some(token), None, _) => Self::api_token(TOKEN, token.to_owned()),
            (None, Some(key), Some(email)) => Self::api_key((EMAIL, email.to_owned()), (KEY, key.to_owned())),
            (Some(_), Some(_), _) => refuse(format!(
                "{TOKEN} and {KEY} are both set: unset one, since which one the API would take is not defined"
            )),
            (None, Some(_), None) => refuse(format!("{KEY} is set without {EMAIL}: set both, or {TOKEN} alone")),
            (None, None, Some(_)) => refuse(format!("{EMAIL} is set without {KEY}: set both, or {TOKEN} alone")),
            (None, None, None) if environment.get(SERVICE_KEY).is_some() => refuse(format!(
                "only {SERVICE_KEY} is set, and service keys stopped working on 2026-09-30: set {TOKEN}"
            )),
            (None, None, None) => {
                refuse(format!("no credential: set {TOKEN}, or {KEY} with {EMAIL}, or pass `endpoint.credentials`"))
            }
        }
    }

    fn api_token(source: &str, token: String) -> Result<Self, Invalid> {
        check(source, &token)?;
        Ok(Self::ApiToken(Secret::new(token)))
    }

    fn api_key((email_source, email): (&str, String), (key_source, key): (&str, String)) -> Result<Self, Invalid> {
        check(email_source, &email)?;
        check(key_source, &key)?;
        Ok(Self::ApiKey { email, key: Secret::new(key) })
    }

    /// Adds the texts that nothing may show to a list.
    pub fn add_secrets<'a>(&'a self, secrets: &mut Vec<&'a str>) {
        match self {
            Self::ApiToken(token) => secrets.push(token.reveal()),
            Self::ApiKey { email, key } => secrets.extend([key.reveal(), email]),
            Self::Host => {}
        }
    }
}

/// Checks a part of a credential, which becomes the value of a header.
fn check(source: &str, value: &str) -> Result<(), Invalid> {
    let refuse = |what: &str| Err(Invalid::configuration(format!("{source} {what}")));
    if value.is_empty() {
        return refuse("is empty");
    }
    if value.len() > LIMIT {
        return Err(Invalid::configuration(format!("{source} is longer than {LIMIT} bytes")));
    }
    let first_word = value.split_ascii_whitespace().next().unwrap_or_default();
    if first_word.eq_ignore_ascii_case("bearer") {
        return refuse("begins with \"Bearer\": give the token alone");
    }
    if value.starts_with(['"', '\'', '`']) || value.ends_with(['"', '\'', '`']) {
        return refuse("has quotation marks around it: give the text between them");
    }
    check_value(source, value)?;
    if value.contains(' ') {
        return refuse("has a space in it: give the credential alone, without a name or a prefix");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::types::ApiKey;

    fn from(variables: &[(&str, &str)]) -> Result<Credentials, Invalid> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Credentials::from_environment(&Environment::new(variables.iter().map(owned).collect()))
    }

    fn token(text: &str) -> Credentials {
        Credentials::ApiToken(Secret::new(text.into()))
    }

    #[test]
    fn one_complete_credential_of_the_environment_is_taken() {
        let key = || Credentials::ApiKey { email: "a@b.example".into(), key: Secret::new("k3y".into()) };
        for (variables, credentials) in [
            (&[(TOKEN, "t0ken")][..], token("t0ken")),
            (&[(TOKEN, "t0ken\r\n")], token("t0ken")),
            (&[(TOKEN, "\u{feff}t0ken ")], token("t0ken")),
            (&[(TOKEN, "t0ken"), (EMAIL, "a@b.example")], token("t0ken")),
            (&[(TOKEN, "t0ken"), (KEY, "\n")], token("t0ken")),
            (&[(KEY, "k3y"), (EMAIL, "a@b.example")], key()),
        ] {
            assert_eq!(from(variables), Ok(credentials));
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
            let message = from(variables).expect_err("accepted").message;
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
            let message = from(&[(TOKEN, value)]).expect_err("accepted").message;
            assert!(message.starts_with(expected), "{message}");
            assert!(!message.contains("s3cret"), "{message}");
        }
    }

    #[test]
    fn credentials_of_the_options_are_taken_as_they_are() {
        let given = |token: &str| Credentials::given(GivenCredentials::ApiToken(token.into()));
        assert_eq!(given("t0ken"), Ok(token("t0ken")));
        for (value, expected) in [("", "is empty"), ("t0ken\n", "after 5 good ones"), (" t0ken", "has a space in it")] {
            let message = given(value).expect_err("accepted").message;
            assert!(message.starts_with("credentials.api-token") && message.contains(expected), "{message}");
        }
        let pair = ApiKey { email: String::new(), key: "k3y".into() };
        let message = Credentials::given(GivenCredentials::ApiKey(pair)).expect_err("accepted").message;
        assert_eq!(message, "credentials.api-key.email is empty");
    }
}
