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
}

/// Finds the one token that an argument names. What is written like an id (a UUID) is taken for one, without a request.
pub async fn find<S: Clone + Into<Scope>>(api: &Api<S>, argument: &str) -> Result<Found, Failure> {
    if is_uuid(argument) {
        return Ok(Found { id: argument.to_owned(), label: argument.to_owned() });
    }
    let matches = find_all(api, argument).await?;
    match matches.as_slice() {
        [] => Err(Failure::not_found(format!("no token has the id, the client id or the name {argument:?}"))
            .advice(format!("List all tokens of this account or zone:\n  {}", api.command(&["list"])))),
        [token] => Ok(Found { id: token.id.clone(), label: label(argument, token) }),
        several => Err(ambiguous(argument, several)),
    }
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

fn ambiguous(argument: &str, tokens: &[ServiceToken]) -> Failure {
    let mut advice = "Give one of their ids:".to_owned();
    for token in tokens {
        let created = token.created_at.as_deref().filter(|time| time.parse::<Timestamp>().is_ok());
        let created = created.unwrap_or("at an unknown time");
        let enabled = if token.enabled == Some(false) { ", switched off" } else { "" };
        write!(advice, "\n  {}  created {created}{enabled}", token.id).expect("writing to a string succeeds");
    }
    Failure::usage(format!("{} tokens have the name {argument:?}", tokens.len())).advice(advice)
}

fn is_like_a_client_id(text: &str) -> bool {
    text.strip_suffix(".access")
        .is_some_and(|number| number.len() == 32 && number.bytes().all(|byte| byte.is_ascii_hexdigit()))
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
        for name in
            ["", ".access", "CI.access", "88bf3b6d86161464f6509f7219099e57", "g8bf3b6d86161464f6509f7219099e57.access"]
        {
            assert!(!is_like_a_client_id(name), "{name}");
        }
    }
}
