//! Between the contract's records and this crate's types, both ways, and nothing else.

use std::time::Duration;

use crate::base_url::BaseUrl;
use crate::client::options::CallOptions;
use crate::client::scope::Scope;
use crate::engine::bindings::types as contract;
use crate::error::{ApiError, ApiErrorCause, Details, Error, ErrorKind, Outcome};
use crate::types::{
    CreateParams, Deletion, IssuedToken, JsonField, ListAllParams, ListPageParams, PreviousSecret, ServiceToken,
    TokenPage, UpdateParams, UpdatedToken,
};

/// The options of one call. The credential stays here; the component is told that the host adds it, and where the API is.
pub(crate) fn request_options(base_url: &BaseUrl, options: &CallOptions) -> contract::RequestOptions {
    let header = |(name, value): &(String, String)| contract::Header { name: name.clone(), value: value.clone() };
    contract::RequestOptions {
        endpoint: Some(contract::Endpoint {
            credentials: contract::Credentials::Host,
            base_url: Some(base_url.as_str().to_owned()),
        }),
        timeout_ms: Some(timeout_ms(options.timeout_or_default())),
        attempt_timeout_ms: options.attempt_timeout.map(timeout_ms),
        max_retries: options.max_retries,
        headers: (!options.headers.is_empty()).then(|| options.headers.iter().map(header).collect()),
    }
}

pub(crate) fn timeout_ms(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

impl From<Scope> for contract::Scope {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Account(id) => Self::Account(id),
            Scope::Zone(id) => Self::Zone(id),
        }
    }
}

impl From<CreateParams> for contract::CreateParams {
    fn from(params: CreateParams) -> Self {
        Self {
            name: params.name,
            duration: params.duration.map(String::from),
            enabled: params.enabled,
            client_secret_version: params.client_secret_version,
            previous_client_secret_expires_at: params.previous_client_secret_expires_at,
        }
    }
}

impl From<UpdateParams> for contract::UpdateParams {
    fn from(params: UpdateParams) -> Self {
        Self {
            name: params.name,
            duration: params.duration.map(String::from),
            enabled: params.enabled,
            client_secret_version: params.client_secret_version,
            previous_client_secret_expires_at: params.previous_client_secret_expires_at,
        }
    }
}

impl From<ListPageParams> for contract::ListPageParams {
    fn from(params: ListPageParams) -> Self {
        Self { name: params.name, search: params.search, page: params.page, per_page: params.per_page }
    }
}

impl From<ListAllParams> for contract::ListAllParams {
    fn from(params: ListAllParams) -> Self {
        Self { name: params.name, search: params.search, per_page: params.per_page }
    }
}

impl From<PreviousSecret> for contract::PreviousSecret {
    fn from(previous: PreviousSecret) -> Self {
        match previous {
            PreviousSecret::ExpiresNow => Self::ExpiresNow,
            PreviousSecret::ExpiresAt(time) => Self::ExpiresAt(time),
        }
    }
}

impl From<contract::ServiceToken> for ServiceToken {
    fn from(token: contract::ServiceToken) -> Self {
        Self {
            id: token.id,
            client_id: token.client_id,
            name: token.name,
            duration: token.duration,
            enabled: token.enabled,
            expires_at: token.expires_at,
            created_at: token.created_at,
            updated_at: token.updated_at,
            last_seen_at: token.last_seen_at,
            client_secret_version: token.client_secret_version,
            previous_client_secret_expires_at: token.previous_client_secret_expires_at,
            additional_fields: token.additional_fields.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<contract::JsonField> for JsonField {
    fn from(field: contract::JsonField) -> Self {
        Self { name: field.name, json: field.json }
    }
}

impl From<contract::Deletion> for Deletion {
    fn from(deletion: contract::Deletion) -> Self {
        match deletion {
            contract::Deletion::Deleted(token) => Self::Deleted(token.into()),
            contract::Deletion::AlreadyGone => Self::AlreadyGone,
        }
    }
}

impl From<contract::IssuedToken> for IssuedToken {
    fn from(issued: contract::IssuedToken) -> Self {
        Self { token: issued.token.into(), client_secret: issued.client_secret.into() }
    }
}

impl From<contract::UpdatedToken> for UpdatedToken {
    fn from(updated: contract::UpdatedToken) -> Self {
        Self { token: updated.token.into(), client_secret: updated.client_secret.map(Into::into) }
    }
}

impl From<contract::TokenPage> for TokenPage {
    fn from(page: contract::TokenPage) -> Self {
        Self {
            tokens: page.tokens.into_iter().map(Into::into).collect(),
            page: page.page,
            per_page: page.per_page,
            count: page.count,
            total_count: page.total_count,
            total_pages: page.total_pages,
            next_page: page.next_page,
        }
    }
}

impl From<contract::Error> for Error {
    fn from(error: contract::Error) -> Self {
        Self::new(Details {
            kind: error.kind.into(),
            outcome: error.outcome.into(),
            message: error.message,
            status: error.status,
            api_errors: error.api_errors.into_iter().map(Into::into).collect(),
            ray_id: error.ray_id,
            retry_after: error.retry_after_ms.map(u64::from).map(Duration::from_millis),
            attempts: error.attempts,
            token_id: error.token_id,
            previous_secret_expires_at: error.previous_secret_expires_at,
            transport: None,
        })
    }
}

impl From<contract::ApiError> for ApiError {
    fn from(error: contract::ApiError) -> Self {
        Self {
            code: error.code,
            message: error.message,
            documentation_url: error.documentation_url,
            pointer: error.pointer,
            chain: error
                .chain
                .into_iter()
                .map(|cause| ApiErrorCause { code: cause.code, message: cause.message })
                .collect(),
        }
    }
}

impl From<contract::Outcome> for Outcome {
    fn from(outcome: contract::Outcome) -> Self {
        match outcome {
            contract::Outcome::NotApplied => Self::NotApplied,
            contract::Outcome::Unknown => Self::Unknown,
            contract::Outcome::Applied => Self::Applied,
        }
    }
}

impl From<contract::ErrorKind> for ErrorKind {
    fn from(kind: contract::ErrorKind) -> Self {
        match kind {
            contract::ErrorKind::InvalidArgument => Self::InvalidArgument,
            contract::ErrorKind::InvalidConfiguration => Self::InvalidConfiguration,
            contract::ErrorKind::Unauthenticated => Self::Unauthenticated,
            contract::ErrorKind::Forbidden => Self::Forbidden,
            contract::ErrorKind::NotFound => Self::NotFound,
            contract::ErrorKind::Conflict => Self::Conflict,
            contract::ErrorKind::InUse => Self::InUse,
            contract::ErrorKind::Rejected => Self::Rejected,
            contract::ErrorKind::RateLimited => Self::RateLimited,
            contract::ErrorKind::Unavailable => Self::Unavailable,
            contract::ErrorKind::DeniedByHost => Self::DeniedByHost,
            contract::ErrorKind::Connection => Self::Connection,
            contract::ErrorKind::Timeout => Self::Timeout,
            contract::ErrorKind::InvalidResponse => Self::InvalidResponse,
        }
    }
}
