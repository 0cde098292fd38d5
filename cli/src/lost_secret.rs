//! A change that makes a secret, and what to do when its answer is lost.
//!
//! A token has two secrets at most. After a rotation whose secret is lost, machines still use the one before it, and another
//! rotation ends that one at once. So the advice is never to rotate once more, but to look: what the token shows tells whether
//! anything has happened, and until when the old secret passes. The command looks by itself in the time that it has left.

use cloudflare_access_host::{Error, Outcome, Scope, ServiceToken, Tokens};
use jiff::{SignedDuration, Timestamp};

use crate::api::Api;
use crate::arguments::Connection;
use crate::command_line::this_command;
use crate::failure::{Attempt, Failure};
use crate::words::relative;

/// What the advice gives machines to take up a new secret.
const MORE_TIME: (SignedDuration, &str) = (SignedDuration::from_hours(7 * 24), "7d");

/// How the secret is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// By `rotate`.
    Rotation,
    /// By an `update` with a higher version.
    Version,
}

/// A change that makes a secret, on a token as it was before.
#[derive(Debug, Clone)]
pub struct SecretChange {
    kind: Kind,
    id: String,
    before: Seen,
    /// Whether the old secret was to end at once.
    ends_old_secret: bool,
    /// The command line that began it.
    this_command: String,
    /// What other commands need to mean the same token.
    connection: Connection,
}

/// What tells whether a token has another secret.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    version: Option<u32>,
    previous_ends: Option<String>,
    updated_at: Option<String>,
}

impl From<&ServiceToken> for Seen {
    fn from(token: &ServiceToken) -> Self {
        Self {
            version: token.client_secret_version,
            previous_ends: token.previous_client_secret_expires_at.clone(),
            updated_at: token.updated_at.clone(),
        }
    }
}

/// What a look at the token showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finding {
    /// It is as it was before.
    Unchanged,
    /// It has another secret.
    Replaced,
    /// It has had more than one other secret: somebody else has made one, too.
    ReplacedAgain,
    /// It does not show enough to tell.
    Unclear,
}

impl SecretChange {
    /// Notes how the token is before the change.
    pub fn of(kind: Kind, token: &ServiceToken, ends_old_secret: bool, connection: &Connection) -> Self {
        Self {
            kind,
            id: token.id.clone(),
            before: Seen::from(token),
            ends_old_secret,
            this_command: this_command(),
            connection: connection.clone(),
        }
    }

    /// Makes the change. Where its answer is lost, looks at the token, and the failure says what it shows.
    pub async fn carry_out<S: Clone + Into<Scope>, T>(
        self,
        what: &'static str,
        api: &Api<S>,
        change: impl AsyncFnOnce(Tokens<S>) -> Result<T, Error>,
    ) -> Result<T, Failure> {
        let attempt = Attempt::NewSecret(self.clone());
        match api.try_change(what, &attempt, change).await? {
            Ok(done) => Ok(done),
            Err(error) => Err(self.failed(api, &error).await?),
        }
    }

    /// Looks at the token after a change whose answer was lost. The failure says what it shows.
    pub async fn failed<S: Clone + Into<Scope>>(&self, api: &Api<S>, error: &Error) -> Result<Failure, Failure> {
        let attempt = Attempt::NewSecret(self.clone());
        if let (Outcome::Applied, Some(time)) = (error.outcome, parsed(error.previous_secret_expires_at())) {
            let lost = self.if_lost("The token has a new secret", time, Timestamp::now());
            return Ok(Failure::of_call(error, Some(lost)));
        }
        let look = async |tokens: Tokens<S>| tokens.get(&self.id).await;
        let advice = match api.look("looking at the token", &attempt, look).await? {
            Some(token) => self.after_a_look(error, &token, Timestamp::now()),
            None => self.without_a_look_after(error),
        };
        Ok(Failure::of_call(error, Some(advice)))
    }

    /// The new secret of an earlier run is lost, and the old one passes until a time.
    pub fn lost_before(&self, until: Option<&str>) -> String {
        match parsed(until) {
            Some(end) => self.if_lost("The token has a new secret", end, Timestamp::now()),
            None => self.without_a_look(Outcome::Applied),
        }
    }

    /// What to do where nobody has looked: how to look, and how to read what is there.
    pub fn without_a_look(&self, outcome: Outcome) -> String {
        self.how_to_look(outcome, None)
    }

    /// The same after an error, which may tell until when the old secret passes.
    fn without_a_look_after(&self, error: &Error) -> String {
        self.how_to_look(error.outcome, time(error.previous_secret_expires_at()))
    }

    /// What to do where the rotation was refused, since it would have ended a secret that machines may use.
    pub fn over_a_running_overlap(&self) -> String {
        format!(
            "Wait until the overlap is over; or, once no machine uses the old secret any longer, end it:\n  {}\n--end-running-overlap rotates all the same, and locks out every machine that still uses the old secret.",
            self.connection.command(&["end-overlap", &self.id])
        )
    }

    fn how_to_look(&self, outcome: Outcome, previous_ends: Option<String>) -> String {
        let was = match (self.before.version, time(self.before.updated_at.as_deref())) {
            (Some(version), Some(updated)) => format!("secret version {version} and was updated at {updated}"),
            (Some(version), None) => format!("secret version {version}"),
            (None, Some(updated)) => format!("that it was updated at {updated}"),
            (None, None) => "what it showed before".to_owned(),
        };
        let (has, lost) = if outcome == Outcome::Applied {
            ("has", "The new secret".to_owned())
        } else {
            let unchanged =
                format!("If it still shows {was}, nothing has happened, and the command can be run once more.");
            ("may have", format!("{unchanged} Otherwise the new secret"))
        };
        let end = previous_ends.unwrap_or_else(|| "the time beside \"previous secret\"".to_owned());
        format!(
            "The token {has} a new secret that nobody has. Look at the token before you do anything else:\n  {}\n\
             {lost} is lost, the old one passes until {end}, and another rotation ends it at once.",
            self.get()
        )
    }

    /// What to do, by what the token shows now.
    fn after_a_look(&self, error: &Error, token: &ServiceToken, now: Timestamp) -> String {
        match self.finding(error.outcome, &token.into()) {
            // After any other status the API may still be at work: the edge gives up on it with one of its own.
            Finding::Unchanged => self.if_unchanged(error.status.is_some_and(|status| (200..300).contains(&status))),
            Finding::Replaced => self.if_replaced(token, now),
            Finding::ReplacedAgain => format!(
                "The token has had more than one new secret since this command began, so somebody else rotates it, too. The secret from \
                 before has ended. Look at the token, and find out who has its current secret before you rotate it:\n  {}",
                self.get()
            ),
            Finding::Unclear => format!(
                "The token may have a new secret that nobody has; what it shows does not tell. Another rotation ends the secret \
                 before the current one at once. Look at it before you decide:\n  {}",
                self.get()
            ),
        }
    }

    fn finding(&self, outcome: Outcome, after: &Seen) -> Finding {
        let is_told = self.before.version.is_some() || self.before.updated_at.is_some();
        match (self.before.version, after.version) {
            (Some(before), Some(after)) if after > before.saturating_add(1) && self.kind == Kind::Rotation => {
                Finding::ReplacedAgain
            }
            _ if outcome == Outcome::Applied => Finding::Replaced,
            (Some(before), Some(after)) if before != after => Finding::Replaced,
            _ if is_told && self.before == *after => Finding::Unchanged,
            _ => Finding::Unclear,
        }
    }

    fn if_unchanged(&self, is_answered: bool) -> String {
        let version = self.before.version.map(|version| format!(", with secret version {version}")).unwrap_or_default();
        let again = &self.this_command;
        if is_answered {
            return format!(
                "A look at the token shows it as it was before{version}: nothing has happened. Run the command once more:\n  {again}"
            );
        }
        format!(
            "A look at the token shows it as it was before{version}: nothing has happened so far. The API may still be at work on \
             the request, so look once more in a minute:\n  {}\nIf it is still as before, run the command once more:\n  {again}",
            self.get()
        )
    }

    fn if_replaced(&self, token: &ServiceToken, now: Timestamp) -> String {
        let version = token.client_secret_version.map(|version| format!(" (version {version})")).unwrap_or_default();
        let lost = format!("The token has a new secret{version} that nobody has");
        match overlap(token, now) {
            Some(end) => self.if_lost(&format!("The token has a new secret{version}"), end, now),
            None if !self.ends_old_secret && token.previous_client_secret_expires_at.is_none() => format!(
                "{lost}, and it does not show until when the old one passes. Another rotation ends the old one at once: decide \
                 when machines can take up the secret that it makes. Look at the token:\n  {}",
                self.get()
            ),
            None => format!(
                "{lost}, and the old one has ended: no secret passes that anybody has, so another rotation locks nobody out. {}",
                self.next_secret(token.client_secret_version)
            ),
        }
    }

    /// The new secret is lost, and the old one passes until a time.
    fn if_lost(&self, has: &str, end: Timestamp, now: Timestamp) -> String {
        let more_time = if end.duration_since(now) < MORE_TIME.0 { self.more_time() } else { String::new() };
        let passes = old_secret_passes(end, now);
        format!("{has} that nobody has. {passes} Look at the token:\n  {}{more_time}", self.get())
    }

    fn more_time(&self) -> String {
        let extend = self.connection.command(&["extend-overlap", &self.id, "--overlap", MORE_TIME.1]);
        format!("\nLet the old secret pass for longer:\n  {extend}")
    }

    fn next_secret(&self, version: Option<u32>) -> String {
        match (self.kind, version) {
            (Kind::Rotation, _) => format!("Run the command once more:\n  {}", self.this_command),
            (Kind::Version, Some(version)) => {
                format!("Run the command once more with --client-secret-version {}.", version.saturating_add(1))
            }
            (Kind::Version, None) => "Run the command once more with a higher --client-secret-version.".to_owned(),
        }
    }

    fn get(&self) -> String {
        self.connection.command(&["get", &self.id])
    }
}

/// When the old secret of a token that has just got a new one ends, if it was given any time. The API's times are compared with each
/// other, since this machine's clock may be off.
fn overlap(token: &ServiceToken, now: Timestamp) -> Option<Timestamp> {
    let begin = parsed(token.updated_at.as_deref()).unwrap_or(now);
    parsed(token.previous_client_secret_expires_at.as_deref()).filter(|end| *end > begin)
}

fn old_secret_passes(end: Timestamp, now: Timestamp) -> String {
    format!(
        "The old secret passes until {end} ({}). Another rotation ends it at once, for every machine that uses it: decide when \
         they can take up the secret that it makes.",
        relative(&end.to_string(), now)
    )
}

fn parsed(time: Option<&str>) -> Option<Timestamp> {
    time?.parse().ok()
}

/// A time of the API as it may be shown: text that is none is not.
fn time(text: Option<&str>) -> Option<String> {
    parsed(text).map(|time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPDATED: &str = "2026-11-24T12:00:00Z";

    fn seen(version: Option<u32>, previous_ends: Option<&str>, updated_at: Option<&str>) -> Seen {
        Seen { version, previous_ends: previous_ends.map(str::to_owned), updated_at: updated_at.map(str::to_owned) }
    }

    fn change(before: Seen) -> SecretChange {
        SecretChange {
            kind: Kind::Rotation,
            id: "f174e90a-fafe-4643-bbbc-4a0ed4fc8415".to_owned(),
            before,
            ends_old_secret: false,
            this_command: "access-tokens rotate CI --overlap 24h".to_owned(),
            connection: Connection::default(),
        }
    }

    #[test]
    fn only_a_token_that_shows_all_as_before_is_unchanged() {
        let (before, later) = (seen(Some(1), None, Some(UPDATED)), Some("2026-11-24T12:00:01Z"));
        for (before, after, finding) in [
            (before.clone(), before.clone(), Finding::Unchanged),
            (before.clone(), seen(Some(2), later, later), Finding::Replaced),
            (before.clone(), seen(Some(3), later, later), Finding::ReplacedAgain),
            (before.clone(), seen(Some(1), later, Some(UPDATED)), Finding::Unclear),
            (before.clone(), seen(Some(1), None, later), Finding::Unclear),
            (before.clone(), seen(None, None, Some(UPDATED)), Finding::Unclear),
            (seen(None, None, Some(UPDATED)), seen(None, None, Some(UPDATED)), Finding::Unchanged),
            (seen(None, None, None), seen(None, None, None), Finding::Unclear),
        ] {
            assert_eq!(change(before).finding(Outcome::Unknown, &after), finding, "{after:?}");
            // What the API says that it did is done, whatever it shows.
            assert_eq!(change(after.clone()).finding(Outcome::Applied, &after), Finding::Replaced);
        }
    }

    #[test]
    fn without_a_look_no_advice_names_a_command_that_changes_anything() {
        for before in [seen(Some(1), None, Some(UPDATED)), seen(None, None, None), seen(Some(3), None, Some("soon"))] {
            for outcome in [Outcome::Unknown, Outcome::Applied] {
                let advice = change(before.clone()).without_a_look(outcome);
                assert_eq!(advice.matches("access-tokens ").count(), 1, "{advice}");
                assert!(advice.contains("access-tokens get f174e90a-fafe-4643-bbbc-4a0ed4fc8415"), "{advice}");
            }
        }
    }
}
