//! A change that may make a token, and what to do when its answer is lost: look for the token before anything is made again.
//!
//! What finds it is the name and a time before the change. The time is the API's, which a request after the failure gives; this
//! machine's clock may be off.

use std::time::Instant;

use cloudflare_access_host::{Error, Outcome, Scope, Tokens};
use jiff::{SignedDuration, Timestamp, Unit};

use crate::api::{Api, before};
use crate::arguments::Connection;
use crate::failure::{Attempt, Failure};

/// How much earlier than the change the look begins, for what clocks may differ.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// How the token is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// By `create`.
    Create,
    /// By `ensure`, which makes one only where there is none.
    Ensure,
}

/// A change that may make a token, from its beginning.
#[derive(Debug, Clone)]
pub struct NewToken {
    kind: Kind,
    name: String,
    begun: Instant,
    connection: Connection,
}

impl NewToken {
    /// Notes what begins now.
    pub fn begin(kind: Kind, name: &str, connection: &Connection) -> Self {
        Self { kind, name: name.to_owned(), begun: Instant::now(), connection: connection.clone() }
    }

    /// Makes the change. Where its answer is lost, asks for the API's time, for advice that finds what was made.
    pub async fn carry_out<S: Clone + Into<Scope>, T>(
        self,
        what: &'static str,
        api: &Api<S>,
        change: impl AsyncFnOnce(Tokens<S>) -> Result<T, Error>,
    ) -> Result<T, Failure> {
        let attempt = Attempt::NewToken(self.clone());
        match api.try_change(what, &attempt, change).await? {
            Ok(done) => Ok(done),
            Err(error) => Err(self.failed(api, &error).await?),
        }
    }

    /// Asks for the API's time after a change whose answer was lost, for advice that finds what was made.
    pub async fn failed<S: Clone + Into<Scope>>(&self, api: &Api<S>, error: &Error) -> Result<Failure, Failure> {
        let attempt = Attempt::NewToken(self.clone());
        if error.outcome == Outcome::Applied && error.token_id.is_some() {
            return Ok(attempt.failed(error));
        }
        let time = api.time(&attempt).await?;
        Ok(Failure::of_call(error, Some(self.how_to_look(time))))
    }

    /// What to do where the API has not told its time.
    pub fn without_a_look(&self) -> String {
        self.how_to_look(None)
    }

    /// What to do with a token that was made and whose secret is lost.
    pub fn if_lost(&self, id: &str) -> String {
        format!(
            "The token exists and its secret is lost. Get a new one:\n  {}\nOr delete the token:\n  {}",
            self.connection.command(&["rotate", id]),
            self.connection.command(&["delete", id])
        )
    }

    fn how_to_look(&self, time: Option<Timestamp>) -> String {
        let since = before(time.unwrap_or_else(Timestamp::now), self.begun, TOLERANCE);
        let since = since.round(Unit::Second).unwrap_or(since).to_string();
        let look = self.connection.command(&["resolve-create", "--name", &self.name, "--since", &since]);
        let clock = if time.is_some() {
            ""
        } else {
            "\nThe time is by this machine's clock, since the API has not told its own. Take an earlier one where the clock may be fast."
        };
        match self.kind {
            Kind::Create => format!(
                "The token may exist, with a secret that nobody has. Look for it before you create it again:\n  {look}{clock}"
            ),
            Kind::Ensure => format!(
                "If there was no such token, one may have been made, with a secret that nobody has. Look for it:\n  {look}{clock}\nIf \
                 there was one, it may have been changed; ensuring it again does no harm."
            ),
        }
    }
}

/// What to do after a look, by what it found. `again` is the look's own command.
pub fn after_a_look(ids: &[&str], again: &str, connection: &Connection) -> String {
    match ids {
        [] => format!(
            "No token with this name has been made since that time, so far. A create that got no answer may still be under way: look \
             once more in a minute, and create it again only if there is none then.\n  {again}"
        ),
        [id] => format!(
            "Nobody has its secret, unless others use the name. Get one:\n  {}\nOr delete the token:\n  {}",
            connection.command(&["rotate", id]),
            connection.command(&["delete", id])
        ),
        ids => {
            let rotate = ids.iter().map(|id| format!("\n  {}", connection.command(&["rotate", id])));
            let delete = ids.iter().map(|id| format!("\n  {}", connection.command(&["delete", id])));
            format!(
                "Nobody has their secrets, unless others use the name. Get a secret for one of them:{}\nAnd delete the others:{}",
                rotate.collect::<String>(),
                delete.collect::<String>()
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection() -> Connection {
        Connection { account: Some("a $1".to_owned()), ..Connection::default() }
    }

    #[test]
    fn the_look_begins_before_the_change_by_the_clock_of_the_api() {
        let create = NewToken::begin(Kind::Create, "it's", &connection());
        let advice = create.how_to_look("2026-11-24T12:00:00Z".parse().ok());
        let begin = r"  access-tokens resolve-create --name 'it'\''s' --since 2026-11-24T11:";
        let line = advice.lines().find(|line| line.starts_with(begin)).unwrap_or_else(|| panic!("{advice}"));
        assert!(line.ends_with(" --account 'a $1'"), "{advice}");
        assert!(!advice.contains("this machine's clock"), "{advice}");
        assert!(create.without_a_look().contains("by this machine's clock"));
    }

    #[test]
    fn after_a_look_each_token_has_its_commands_and_none_is_no_promise() {
        let none = after_a_look(&[], "access-tokens resolve-create …", &connection());
        assert!(none.contains("may still be under way") && none.contains("\n  access-tokens resolve-create"), "{none}");
        for ids in [&["one"][..], &["one", "two"]] {
            let advice = after_a_look(ids, "", &connection());
            for command in ["rotate", "delete"] {
                let lines = advice.matches(&format!("\n  access-tokens {command} ")).count();
                assert_eq!(lines, ids.len(), "{advice}");
            }
        }
    }
}
