//! A token by its id, by its client id, or by its name where exactly one has it.

use std::fmt::Write;

use cloudflare_access_host::{Scope, Selector, ServiceToken, Tokens};
use jiff::Timestamp;

use crate::api::Api;
use crate::failure::{Attempt, Failure};

/// A token that a command is about.
#[derive(Debug)]
pub struct Found {
    pub id: String,
    /// How messages call it: the name or the client id, and the id; or the id alone.
    pub label: String,
    /// The token, where it was found in a list.
    pub token: Option<ServiceToken>,
}

/// Finds the one token that an argument names: by its id, else by its client id, else by its exact name. What is written like an id (a
/// UUID) is taken for one, without a request.
pub async fn find<S: Clone + Into<Scope>>(api: &Api<S>, argument: &str) -> Result<Found, Failure> {
    if is_uuid(argument) {
        return Ok(Found { id: argument.to_owned(), label: argument.to_owned(), token: None });
    }
    let mut matches = find_all(api, argument).await?;
    match (matches.pop(), matches.is_empty()) {
        (None, _) => Err(not_found(api, argument)),
        (Some(token), true) => Ok(Found { id: token.id.clone(), label: label(argument, &token), token: Some(token) }),
        (Some(last), false) => {
            matches.push(last);
            Err(ambiguous(argument, &matches))
        }
    }
}

fn not_found<S: Clone + Into<Scope>>(api: &Api<S>, argument: &str) -> Failure {
    let what = if is_like_a_client_id(argument) { "client id or the name" } else { "id, the client id or the name" };
    Failure::not_found(format!("no token has the {what} {argument:?}"))
        .advice(format!("List all tokens of this account or zone:\n  {}", api.command(&["list"])))
}

/// How messages call a token that was named like this.
pub fn label(argument: &str, token: &ServiceToken) -> String {
    format!("{argument:?} ({})", token.id)
}

/// Finds the tokens with a client id, or else with a name.
pub async fn find_all<S: Clone + Into<Scope>>(
    api: &Api<S>,
    client_id_or_name: &str,
) -> Result<Vec<ServiceToken>, Failure> {
    if is_like_a_client_id(client_id_or_name) {
        let search = async |tokens: Tokens<S>| tokens.find(Selector::client_id(client_id_or_name)).await;
        let found = api.call("looking for the client id", &Attempt::Read, search).await?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    find_by_name(api, client_id_or_name).await
}

/// Finds the tokens with exactly this name.
pub async fn find_by_name<S: Clone + Into<Scope>>(api: &Api<S>, name: &str) -> Result<Vec<ServiceToken>, Failure> {
    let search = async |tokens: Tokens<S>| tokens.find(Selector::name(name)).await;
    api.call("looking for the name", &Attempt::Read, search).await
}

/// Several tokens fit where one is needed.
pub fn ambiguous(argument: &str, tokens: &[ServiceToken]) -> Failure {
    let mut advice = "Give one of their ids:".to_owned();
    for token in tokens {
        let created = token.created_at.as_deref().filter(|time| time.parse::<Timestamp>().is_ok());
        let created = created.unwrap_or("at an unknown time");
        let enabled = if token.enabled == Some(false) { ", switched off" } else { "" };
        write!(advice, "\n  {}  created {created}{enabled}", token.id).expect("writing to a string succeeds");
    }
    let what = if is_like_a_client_id(argument) { "client id or name" } else { "name" };
    Failure::usage(format!("{} tokens have the {what} {argument:?}", tokens.len())).advice(advice)
}

/// Whether a text is written like a client id: 32 hexadecimal digits, then `.access` and perhaps a domain.
fn is_like_a_client_id(text: &str) -> bool {
    text.split_once('.').is_some_and(|(number, rest)| {
        let is_access = rest == "access" || rest.starts_with("access.");
        is_access && number.len() == 32 && number.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

fn is_uuid(text: &str) -> bool {
    let dashes = [8, 13, 18, 23];
    text.len() == 36
        && text.bytes().enumerate().all(
            |(index, byte)| {
                if dashes.contains(&index) { byte == b'-' } else { byte.is_ascii_hexdigit() }
            },
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_uuid_is_taken_for_an_id() {
        assert!(is_uuid("f174e90a-fafe-4643-bbbc-4a0ed4fc8415"));
        for name in [
            "",
            "CI",
            "f174e90a-fafe-4643-bbbc-4a0ed4fc841",
            "f174e90afafe4643bbbc4a0ed4fc8415aaaa",
            "88bf3b6d86161464f6509f7219099e57.access",
        ] {
            assert!(!is_uuid(name), "{name}");
        }
    }

    #[test]
    fn only_what_is_written_like_a_client_id_is_looked_for_as_one() {
        assert!(is_like_a_client_id("88bf3b6d86161464f6509f7219099e57.access"));
        assert!(is_like_a_client_id("88bf3b6d86161464f6509f7219099e57.access.example.com"));
        for name in [
            "",
            ".access",
            "CI.access",
            "88bf3b6d86161464f6509f7219099e57.accessory",
            "88bf3b6d86161464f6509f7219099e57",
            "g8bf3b6d86161464f6509f7219099e57.access",
        ] {
            assert!(!is_like_a_client_id(name), "{name}");
        }
    }
}
