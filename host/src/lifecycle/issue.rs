//! A create that happens exactly once, and what an unfinished one needs to be finished.

use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::bindings::lifecycle as contract;
use crate::bindings::lifecycle::Guest;
use crate::call::CallError;
use crate::error::{Error, Outcome};
use crate::operation::Operation;
use crate::tokens::{Account, Tokens};
use crate::types::{CreateParams, IssuedToken};

/// What stays as it is in a progress as text: what neither a shell nor a URL minds.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');
/// Between the working name and the id. Neither holds one, encoded.
const SEPARATOR: char = ':';

impl Tokens<Account> {
    /// Makes a token **exactly once**, whatever fails on the way, and returns its secret, which nothing returns again.
    ///
    /// [`create`](Tokens::create) cannot promise that: after a lost answer there may be a token whose secret nobody has. This
    /// creates under a working name that no other token has, `NAME (being issued, …)`, finds out after each failure what there is,
    /// and renames the token at the end. When all is well, it takes two requests.
    ///
    /// `progress` is that of an earlier call that did not finish, or none. The call goes on from there, as often as it takes:
    ///
    /// ```no_run
    /// # async fn example(account: cloudflare_access_host::Tokens<cloudflare_access_host::Account>) {
    /// use cloudflare_access_host::{CreateParams, IssuedToken, Outcome};
    ///
    /// let mut progress = None;
    /// let issued = loop {
    ///     match account.issue(CreateParams::named("CI"), progress).await {
    ///         Ok(issued) => break issued,
    ///         Err(failed) if failed.progress.is_none() => panic!("there is no token: {failed}"),
    ///         Err(failed) => progress = failed.progress, // which can be stored, as text
    ///     }
    /// };
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`IssueError`]. Dropping the future loses the progress; then look for a token whose name begins with the working name.
    pub async fn issue(
        &self,
        params: CreateParams,
        progress: Option<IssueProgress>,
    ) -> Result<IssuedToken, IssueError> {
        let (account, params) = (self.account_id(), params.into());
        let begun: Option<contract::IssueProgress> = progress.clone().map(Into::into);
        let operation = Operation::Issue { resumed: begun.is_some() };
        let issued = self.call_interface(operation, |guest: &Guest, store, options| {
            Box::pin(async move { guest.call_issue(store, &account, &params, begun.as_ref(), Some(options)).await })
        });
        issued.await.map(Into::into).map_err(|failure: IssueError| failure.of_a_call_with(progress))
    }
}

/// Where an unfinished [`issue`](Tokens::issue) stands. Hold on to it and hand it back unchanged; it is spent once the call has
/// succeeded.
///
/// As text it is one word of letters, digits and `-._%:`, to be stored or given on a command line, and read back by `parse`. It
/// is no secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct IssueProgress {
    /// The name under which the token is, or will be, until it is finished.
    pub working_name: String,
    /// The token, once it is known.
    pub token_id: Option<String>,
}

impl fmt::Display for IssueProgress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", utf8_percent_encode(&self.working_name, ENCODED))?;
        match &self.token_id {
            Some(id) => write!(formatter, "{SEPARATOR}{}", utf8_percent_encode(id, ENCODED)),
            None => Ok(()),
        }
    }
}

/// A text that is no [`IssueProgress`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not the progress of an `issue`; give it exactly as it was written, one word of letters, digits and -._%:"
)]
pub struct InvalidIssueProgress(String);

impl FromStr for IssueProgress {
    type Err = InvalidIssueProgress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (working_name, token_id) = match text.split_once(SEPARATOR) {
            Some((name, id)) => (decoded(name), Some(decoded(id))),
            None => (decoded(text), None),
        };
        let progress = working_name.and_then(|working_name| match token_id {
            None => Some(Self { working_name, token_id: None }),
            Some(token_id) => Some(Self { working_name, token_id: Some(token_id?) }),
        });
        // A text that a person has touched would name another token.
        progress.filter(|progress| progress.to_string() == text).ok_or_else(|| InvalidIssueProgress(text.to_owned()))
    }
}

fn decoded(part: &str) -> Option<String> {
    let text = percent_decode_str(part).decode_utf8().ok()?;
    (!text.is_empty()).then(|| text.into_owned())
}

/// Why an [`issue`](Tokens::issue) did not finish. `Display` is that of its error.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct IssueError {
    /// What went wrong. Its outcome is about the whole: `NotApplied` says that no token of this call exists, or, of a call that was
    /// given a progress, that it sent nothing and left all as it was.
    pub error: Error,
    /// What `issue` needs to go on. `None`: there is nothing to go on with, call it anew.
    ///
    /// `None` with outcome `Unknown` comes only of a component that failed itself: then there may be a token whose name
    /// begins with the working name; delete it.
    pub progress: Option<IssueProgress>,
}

impl IssueError {
    /// With the progress that is true for a call that was given this one.
    fn of_a_call_with(mut self, given: Option<IssueProgress>) -> Self {
        match given {
            // What this host says in the component's place leaves all as it was.
            Some(given) => _ = self.progress.get_or_insert(given),
            None if self.error.outcome == Outcome::NotApplied => self.progress = None,
            None => {}
        }
        self
    }
}

impl From<Error> for IssueError {
    fn from(error: Error) -> Self {
        Self { error, progress: None }
    }
}

impl CallError for IssueError {
    type Contract = contract::IssueError;

    fn error(&self) -> &Error {
        &self.error
    }

    fn with_error(self, error: Error) -> Self {
        Self { error, ..self }
    }
}

impl fmt::Display for IssueError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(formatter)
    }
}

impl std::error::Error for IssueError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(working_name: &str, token_id: Option<&str>) -> IssueProgress {
        IssueProgress { working_name: working_name.to_owned(), token_id: token_id.map(str::to_owned) }
    }

    #[test]
    fn a_progress_is_one_word_for_a_shell_and_reads_back_as_it_was() {
        for progress in [
            progress("CI (being issued, 0123)", None),
            progress("CI (being issued, 0123)", Some("f174e90a-fafe-4643-bbbc-4a0ed4fc8415")),
            progress("a: b; c & $d 'e' \"f\" * 100 % ünï 🙂\n", Some("x:y")),
        ] {
            let text = progress.to_string();
            assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || "-._%:".contains(c)), "{text}");
            assert_eq!(text.parse(), Ok(progress));
        }
        let whole = progress("CI (being issued, 0123)", Some("f174e90a"));
        assert_eq!(whole.to_string(), "CI%20%28being%20issued%2C%200123%29:f174e90a");
    }

    #[test]
    fn a_text_that_was_touched_is_refused() {
        for text in ["", ":", "CI:", ":id", "CI (being issued, 0123)", "%FF", "%2", "a%20b ", "a:b:c", "%41"] {
            let refused = text.parse::<IssueProgress>().unwrap_err();
            assert!(refused.to_string().contains("exactly as it was written"), "{refused}");
        }
    }
}
