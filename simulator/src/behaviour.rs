//! How the API behaves where deployments of it differ, where it has changed, and where Cloudflare documents nothing.
//!
//! One type for the builder, the flags of the program and the control route, so that whatever one can choose, the others can.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ListBehaviour;

/// What can be chosen of the behaviour of the API and of the application behind Access. As JSON, a missing field has its default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Behaviour {
    /// Whether Access is enabled for the account. If not, every call gets code 9999. Default: true.
    pub access_enabled: bool,
    /// Whether an API token is refused under `/zones/` (405, code 10000). Default: true, since the description of the API lists only the
    /// global key there.
    pub zones_refuse_api_tokens: bool,
    /// What lists under `/accounts/` make of their query. Default: they honour it.
    pub account_lists: ListBehaviour,
    /// What lists under `/zones/` make of their query. Default: nothing, since the description of the API has no query there.
    pub zone_lists: ListBehaviour,
    /// Tokens per page where the request does not say, at least 1. Default: 1000.
    pub default_per_page: u64,
    /// How many tokens an account or a zone may have. Default: 50.
    pub quota: usize,
    /// When requests are refused with 429. Default: never.
    pub rate_limit: Option<RateLimit>,
    /// The status of the answer to a `create`. Default: 201.
    pub create_status: CreateStatus,
    /// Which fields answers show of a token. Default: all.
    pub token_shape: TokenShape,
    /// The form of new secrets. Default: the current one.
    pub secret_form: SecretForm,
    /// Removes or disables tokens that are older than this many days and have not passed for as long, unless they are in use, at the next
    /// request. Default: none.
    pub inactivity_days: Option<u32>,
    /// What becomes of an inactive token. Default: it is deleted.
    pub inactivity_action: InactivityAction,
    /// The application behind Access, at `/application` of the simulator.
    pub application: Application,
}

/// A budget of requests, by the clock of the simulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// How many requests pass in a window.
    pub requests: u32,
    /// How long a window lasts. It begins with the first request after the one before it.
    pub window_seconds: u64,
    /// For how long everything is refused once the budget is exceeded. The real API blocks for five minutes.
    pub block_seconds: u64,
}

impl RateLimit {
    /// The budget of the real API: 1200 requests in five minutes, then five minutes without an answer but 429.
    pub const REAL: Self = Self { requests: 1200, window_seconds: 300, block_seconds: 300 };
}

/// The status of the answer to a `create`. Both were seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "u16", try_from = "u16")]
pub enum CreateStatus {
    /// 200 OK, as the examples of Cloudflare's documentation have it.
    Ok,
    /// 201 Created, as the description of the API says.
    #[default]
    Created,
}

impl From<CreateStatus> for u16 {
    fn from(status: CreateStatus) -> Self {
        match status {
            CreateStatus::Ok => 200,
            CreateStatus::Created => 201,
        }
    }
}

impl TryFrom<u16> for CreateStatus {
    type Error = String;

    fn try_from(status: u16) -> Result<Self, String> {
        match status {
            200 => Ok(Self::Ok),
            201 => Ok(Self::Created),
            other => Err(format!("create is answered with 200 or 201, not {other}")),
        }
    }
}

/// Which fields answers show of a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenShape {
    /// All fields of the current description.
    #[default]
    Current,
    /// As before August 2026: neither `enabled`, nor `client_secret_version`, nor `previous_client_secret_expires_at`.
    Older,
}

/// The form of new client secrets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretForm {
    /// `cfast_`, 40 letters and digits, and a checksum.
    #[default]
    Checksummed,
    /// 64 hexadecimal digits, as before August 2026.
    Hexadecimal,
}

/// What becomes of a token that has not been used for long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InactivityAction {
    /// It is deleted.
    #[default]
    Delete,
    /// It is switched off, and its previous secret ends.
    Disable,
}

/// The application behind Access that `/application` plays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Application {
    /// What becomes of a request without a pair that passes.
    pub protection: Protection,
    /// How long Access goes on refusing a secret after the API has made it, by the clock of the simulator.
    pub learns_after_seconds: u64,
}

/// How an application is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protection {
    /// Strict service token authentication, which new organizations have: 401 without a pair, 403 with one that does not pass.
    #[default]
    Strict,
    /// A redirect (302) to the log-in page, for whoever does not pass.
    Login,
    /// None: everybody gets in.
    Open,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            access_enabled: true,
            zones_refuse_api_tokens: true,
            account_lists: ListBehaviour::Honoured,
            zone_lists: ListBehaviour::AllIgnored,
            default_per_page: 1000,
            quota: 50,
            rate_limit: None,
            create_status: CreateStatus::Created,
            token_shape: TokenShape::Current,
            secret_form: SecretForm::Checksummed,
            inactivity_days: None,
            inactivity_action: InactivityAction::Delete,
            application: Application::default(),
        }
    }
}

impl Behaviour {
    /// Returns the behaviour with the fields of a JSON object in place of its own. Objects in it are replaced whole.
    ///
    /// # Errors
    /// It is no object, has a field that there is not, or a value of another type.
    pub(crate) fn with(&self, changes: Value) -> Result<Self, serde_json::Error> {
        let mut fields = serde_json::to_value(self)?;
        match (&mut fields, changes) {
            (Value::Object(fields), Value::Object(changes)) => fields.extend(changes),
            (fields, changes) => *fields = changes,
        }
        serde_json::from_value(fields)
    }
}
