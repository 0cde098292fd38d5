//! A token by its id, or by its name where exactly one has it.

use std::fmt::Write;

use cloudflare_access_host::{ListAllParams, Scope, ServiceToken, Tokens};
use jiff::Timestamp;

use crate::failure::{Attempt, Failure};
use crate::progress::with_progress;

/// A token that a command is about.
#[derive(Debug)]
pub struct Found {
    pub id: String,
    /// How messages call it: the name and the id, or the id alone.
    pub label: String,
}

/// What is written like an id (a UUID) is taken for one, without a request. Anything else is looked up as a name.
pub async fn find<S: Clone + Into<Scope>>(tokens: &Tokens<S>, id_or_name: &str) -> Result<Found, Failure> {
    if is_uuid(id_or_name) {
        return Ok(Found { id: id_or_name.to_owned(), label: id_or_name.to_owned() });
    }
    let named = ListAllParams::new().name(id_or_name);
    let matches = with_progress("looking for the name", &Attempt::Read, tokens.list_all(named)).await?;
    match matches.as_slice() {
        [] => Err(Failure::not_found(format!("no token has the id or the name {id_or_name:?}"))
            .advice("`access-tokens list` shows all tokens of this account or zone.")),
        [token] => Ok(Found { id: token.id.clone(), label: format!("{id_or_name:?} ({})", token.id) }),
        several => Err(ambiguous(id_or_name, several)),
    }
}

fn ambiguous(name: &str, tokens: &[ServiceToken]) -> Failure {
    let mut advice = "Give one of their ids:".to_owned();
    for token in tokens {
        let created = token.created_at.as_deref().filter(|time| time.parse::<Timestamp>().is_ok());
        let created = created.unwrap_or("at an unknown time");
        let enabled = if token.enabled == Some(false) { ", switched off" } else { "" };
        write!(advice, "\n  {}  created {created}{enabled}", token.id).expect("writing to a string succeeds");
    }
    Failure::usage(format!("{} tokens have the name {name:?}", tokens.len())).advice(advice)
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
}
