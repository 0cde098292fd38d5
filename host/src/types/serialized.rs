//! How the types of this crate are written where serde would write them in a way of its own.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::error::Error;
use crate::secret::{ExposeSecret, SecretString};
use crate::types::ServiceToken;

/// In plain text: a secret that is left out of what is stored is lost.
impl Serialize for SecretString {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose_secret())
    }
}

impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.details().serialize(serializer)
    }
}

/// Whole seconds.
pub(crate) fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(duration.as_secs())
}

/// Whole milliseconds.
#[allow(clippy::ref_option, reason = "serde gives the field like this")]
pub(crate) fn milliseconds<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    let milliseconds = duration.map(|duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
    milliseconds.serialize(serializer)
}

/// An object with one field, `token` or `error`.
pub(crate) fn token_or_error<S: Serializer>(
    result: &Result<ServiceToken, Error>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match result {
        Ok(token) => serializer.serialize_newtype_variant("Refreshed", 0, "token", token),
        Err(error) => serializer.serialize_newtype_variant("Refreshed", 1, "error", error),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::error::{ApiError, ApiErrorCause, Details, ErrorKind, Outcome};
    use crate::transport::{TransportError, TransportPhase};
    use crate::types::{
        Clock, Deletion, Ensured, ExpiringToken, ExpiryReport, IssuedToken, JsonField, OverlappingToken, RefreshReport,
        RefreshedToken, TimeLeft, TokenPage, UpdatedToken,
    };

    fn token() -> ServiceToken {
        ServiceToken {
            id: "id".into(),
            client_id: Some("client.access".into()),
            name: Some("CI".into()),
            duration: Some("8760h".into()),
            enabled: Some(true),
            expires_at: Some("2027-11-24T12:00:00Z".into()),
            created_at: Some("2026-11-24T12:00:00Z".into()),
            updated_at: None,
            last_seen_at: None,
            client_secret_version: Some(2),
            previous_client_secret_expires_at: None,
            additional_fields: vec![JsonField { name: "labels".into(), json: r#"{"a": 1.0}"#.into() }],
        }
    }

    fn token_json() -> Value {
        json!({
            "id": "id", "client_id": "client.access", "name": "CI", "duration": "8760h", "enabled": true,
            "expires_at": "2027-11-24T12:00:00Z", "created_at": "2026-11-24T12:00:00Z", "updated_at": null,
            "last_seen_at": null, "client_secret_version": 2, "previous_client_secret_expires_at": null,
            "additional_fields": [{"name": "labels", "json": "{\"a\": 1.0}"}],
        })
    }

    fn error() -> Error {
        Error::new(Details {
            kind: ErrorKind::RateLimited,
            outcome: Outcome::NotApplied,
            message: "get: 429".into(),
            status: Some(429),
            api_errors: vec![ApiError {
                code: Some(971),
                message: "slow down".into(),
                documentation_url: None,
                pointer: None,
                chain: vec![ApiErrorCause { code: None, message: "cause".into() }],
            }],
            ray_id: None,
            retry_after: Some(Duration::from_millis(1500)),
            attempts: 3,
            token_id: None,
            previous_secret_expires_at: None,
            transport: Some(TransportError { phase: TransportPhase::Dns, message: "no address".into() }),
        })
    }

    fn error_json() -> Value {
        json!({
            "kind": "rate-limited", "outcome": "not-applied", "message": "get: 429", "status": 429,
            "api_errors": [{
                "code": 971, "message": "slow down", "documentation_url": null, "pointer": null,
                "chain": [{"code": null, "message": "cause"}],
            }],
            "ray_id": null, "retry_after_ms": 1500, "attempts": 3, "token_id": null,
            "previous_secret_expires_at": null, "transport": {"phase": "dns", "message": "no address"},
        })
    }

    #[test]
    fn every_result_is_written_with_the_words_of_the_contract_and_times_as_text() {
        let issued = || IssuedToken { token: token(), client_secret: "cfast_hunter2".into() };
        let issued_json = || json!({"token": token_json(), "client_secret": "cfast_hunter2"});
        let report = RefreshReport {
            now: "2026-11-24T12:00:00Z".into(),
            tokens: [Ok(token()), Err(error())]
                .map(|refreshed| RefreshedToken { id: "id".into(), name: None, refreshed })
                .into(),
        };
        let left = |time_left| ExpiringToken { token: token(), time_left };
        let expiry = ExpiryReport {
            now: "2026-11-24T12:00:00Z".into(),
            clock: Clock::Server,
            expiring: vec![left(TimeLeft::Expired(Duration::from_secs(7)))],
            disabled: vec![left(TimeLeft::Remaining(Duration::from_secs(9)))],
            forever: Vec::new(),
            unreadable: Vec::new(),
            later: 4,
        };
        let overlapping =
            OverlappingToken { issued: issued(), previous_secret_expires_at: "2026-11-25T12:00:00Z".into() };
        let page = TokenPage {
            tokens: vec![token()],
            page: Some(1),
            per_page: None,
            count: None,
            total_count: Some(2),
            total_pages: None,
            next_page: Some(2),
        };
        let updated = UpdatedToken { token: token(), client_secret: None };
        for (written, expected) in [
            (serde_json::to_value(token()), token_json()),
            (serde_json::to_value(error()), error_json()),
            (serde_json::to_value(issued()), issued_json()),
            (serde_json::to_value(updated), json!({"token": token_json(), "client_secret": null})),
            (serde_json::to_value(Deletion::Deleted(token())), json!({"deleted": token_json()})),
            (serde_json::to_value(Deletion::AlreadyGone), json!("already-gone")),
            (serde_json::to_value(Ensured::Created(issued())), json!({"created": issued_json()})),
            (serde_json::to_value(Ensured::Unchanged(token())), json!({"unchanged": token_json()})),
            (
                serde_json::to_value(page),
                json!({
                    "tokens": [token_json()], "page": 1, "per_page": null, "count": null, "total_count": 2,
                    "total_pages": null, "next_page": 2,
                }),
            ),
            (
                serde_json::to_value(overlapping),
                json!({"issued": issued_json(), "previous_secret_expires_at": "2026-11-25T12:00:00Z"}),
            ),
            (
                serde_json::to_value(report),
                json!({"now": "2026-11-24T12:00:00Z", "tokens": [
                    {"id": "id", "name": null, "refreshed": {"token": token_json()}},
                    {"id": "id", "name": null, "refreshed": {"error": error_json()}},
                ]}),
            ),
            (
                serde_json::to_value(expiry),
                json!({
                    "now": "2026-11-24T12:00:00Z", "clock": "server",
                    "expiring": [{"token": token_json(), "time_left": {"expired": 7}}],
                    "disabled": [{"token": token_json(), "time_left": {"remaining": 9}}],
                    "forever": [], "unreadable": [], "later": 4,
                }),
            ),
        ] {
            assert_eq!(written.unwrap(), expected);
        }
    }

    #[test]
    fn the_words_of_a_kind_and_an_outcome_are_those_that_they_print() {
        for kind in [ErrorKind::InvalidArgument, ErrorKind::DeniedByHost, ErrorKind::Component, ErrorKind::InUse] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        for outcome in [Outcome::NotApplied, Outcome::Unknown, Outcome::Applied] {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.as_str());
        }
        for phase in [TransportPhase::Policy, TransportPhase::Dns, TransportPhase::Tls, TransportPhase::Exchange] {
            assert_eq!(serde_json::to_value(phase).unwrap(), phase.as_str());
        }
    }
}
