//! Parameters with nothing in them, requests as text, and times as checks.

use std::time::Duration;

use cloudflare_access_simulator::{RecordedRequest, Simulator};

use crate::lifecycle::RefreshParams;
use crate::types::{CreateParams, Header, ListAllParams, ListPageParams, RequestOptions, UpdateParams};

/// A token with this name and all defaults.
#[must_use]
pub fn named(name: &str) -> CreateParams {
    CreateParams {
        name: name.to_owned(),
        duration: None,
        enabled: None,
        client_secret_version: None,
        previous_client_secret_expires_at: None,
    }
}

/// Changes nothing.
#[must_use]
pub fn unchanged() -> UpdateParams {
    UpdateParams {
        name: None,
        duration: None,
        enabled: None,
        client_secret_version: None,
        previous_client_secret_expires_at: None,
    }
}

/// The first page, by the API's defaults.
#[must_use]
pub fn first_page() -> ListPageParams {
    ListPageParams { name: None, search: None, page: None, per_page: None }
}

/// All tokens, by the API's defaults.
#[must_use]
pub fn everything() -> ListAllParams {
    ListAllParams { name: None, search: None, per_page: None }
}

/// Every token that expires within these seconds, or has expired.
#[must_use]
pub fn due_within(within_seconds: u32) -> RefreshParams {
    RefreshParams { within_seconds, name: None, include_expired: true }
}

/// No option: credential and base URL are those of the environment.
#[must_use]
pub fn by_default() -> RequestOptions {
    RequestOptions { endpoint: None, timeout_ms: None, attempt_timeout_ms: None, max_retries: None, headers: None }
}

/// A header of the options.
#[must_use]
pub fn header(name: impl Into<String>, value: impl Into<String>) -> Header {
    Header { name: name.into(), value: value.into() }
}

/// A request as it was on the wire, line by line. The port of the simulator becomes `PORT`, and an id of a token `ID`.
#[must_use]
pub fn on_the_wire(request: &RecordedRequest, token_id: &str) -> String {
    let mut text = format!("{} {}\n", request.method, request.target());
    for (name, value) in &request.headers {
        let value = String::from_utf8_lossy(value);
        let value = if name == "host" {
            value.split(':').next().unwrap_or_default().to_owned() + ":PORT"
        } else {
            value.into()
        };
        text.extend([name.as_str(), ": ", &value, "\n"]);
    }
    text.push('\n');
    text.push_str(&String::from_utf8_lossy(&request.body));
    if token_id.is_empty() { text } else { text.replace(token_id, "ID") }
}

/// The moment so long from now by the simulator's clock, as a check: a time that was computed from now until the check.
pub struct MomentFrom<'a> {
    simulator: &'a Simulator,
    ahead: Duration,
    earliest: String,
}

impl<'a> MomentFrom<'a> {
    /// Before what is to be checked happens.
    #[must_use]
    pub fn now(simulator: &'a Simulator, ahead: Duration) -> Self {
        Self { simulator, ahead, earliest: simulator.timestamp_in(ahead) }
    }

    /// Whether it is that moment, give or take what has passed since.
    #[must_use]
    pub fn is(&self, time: &str) -> bool {
        // RFC 3339 in UTC sorts as text.
        (self.earliest.as_str()..=self.simulator.timestamp_in(self.ahead).as_str()).contains(&time)
    }
}
