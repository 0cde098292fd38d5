//! How to carry a call out. Everything has a default, so most calls say nothing.

use std::fmt;
use std::time::Duration;

use crate::Credentials;
use crate::engine::progress::CallProgress;

/// The contract's own default for a whole call.
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(1);
/// The longest timeout that the contract can express: `u32::MAX` milliseconds, about 49 days.
const LONGEST_TIMEOUT: Duration = Duration::from_millis(u32::MAX as u64);

/// Options of one call or of all calls of a handle: time limits, retries, request headers, another credential.
#[derive(Clone, Default)]
pub struct CallOptions {
    pub(crate) credentials: Option<Credentials>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) attempt_timeout: Option<Duration>,
    pub(crate) max_retries: Option<u32>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) progress: Option<CallProgress>,
}

impl CallOptions {
    /// Returns the default options.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets another credential than the one of the [`AccessTokens`](crate::AccessTokens); kept on the host just the same.
    #[must_use]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Sets the time limit of the whole call: connecting, every attempt, the waits between them, reading every answer. 60 seconds by default;
    /// at least a millisecond. More than 49 days count as 49 days.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets the time limit of one attempt, within the timeout. By default half of it for what may be repeated, all of it for what is sent only
    /// once, a sixth within [`issue`](crate::Tokens::issue), which finds out.
    #[must_use]
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = Some(timeout);
        self
    }

    /// Sets how often a request is sent again after a failure that allows it: 0 to 10, by default 2.
    #[must_use]
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.max_retries = Some(retries);
        self
    }

    /// Adds a request header. Names that the component or HTTP sets itself are refused when the call is made.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets where the call records what it has sent, to be asked when the future of the call was dropped.
    #[must_use]
    pub fn progress(mut self, progress: &CallProgress) -> Self {
        self.progress = Some(progress.clone());
        self
    }

    /// Returns these options, with those of `defaults` for what they leave open. Headers of both are sent.
    #[must_use]
    pub fn or(&self, defaults: &Self) -> Self {
        Self {
            credentials: self.credentials.clone().or_else(|| defaults.credentials.clone()),
            timeout: self.timeout.or(defaults.timeout),
            attempt_timeout: self.attempt_timeout.or(defaults.attempt_timeout),
            max_retries: self.max_retries.or(defaults.max_retries),
            headers: defaults.headers.iter().chain(&self.headers).cloned().collect(),
            progress: self.progress.clone().or_else(|| defaults.progress.clone()),
        }
    }

    pub(crate) fn timeout_or_default(&self) -> Duration {
        self.timeout.unwrap_or(DEFAULT_TIMEOUT).min(LONGEST_TIMEOUT)
    }
}

impl fmt::Debug for CallOptions {
    /// Header values stay out: one of them may be a credential for a proxy.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("CallOptions")
            .field("credentials", &self.credentials)
            .field("timeout", &self.timeout)
            .field("attempt_timeout", &self.attempt_timeout)
            .field("max_retries", &self.max_retries)
            .field("headers", &self.headers.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("progress", &self.progress)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_a_call_come_before_those_of_the_handle() {
        let defaults = CallOptions::new().timeout(Duration::from_secs(9)).max_retries(1).header("a", "1");
        let options = CallOptions::new().timeout(Duration::from_secs(3)).header("b", "2").or(&defaults);
        assert_eq!(options.timeout, Some(Duration::from_secs(3)));
        assert_eq!(options.max_retries, Some(1));
        assert_eq!(options.headers, [("a".into(), "1".into()), ("b".into(), "2".into())]);
    }

    #[test]
    fn debug_shows_no_header_value() {
        let shown = format!("{:?}", CallOptions::new().header("x-proxy-secret", "hunter2"));
        assert!(shown.contains("x-proxy-secret") && !shown.contains("hunter2"), "{shown}");
    }
}
