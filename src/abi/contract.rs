//! The forms of the contract's types. The fields of a record stand in the order of `wit/`, which is theirs in memory.

use super::form::{Blocks, Fields, Form, Lift, Lower, largest, size, variant_form};
use crate::bindings::exports::cloudflare::access::lifecycle::{
    Clock, EnsuredChange, EnsuredToken, ExpiringToken, ExpiryReport, IssueError, IssueProgress, OverlappingToken,
    RefreshReport, RefreshedToken,
};
use crate::bindings::exports::cloudflare::access::types::{
    ApiError, ApiErrorCause, ApiKey, CreateParams, Credentials, Error, ErrorKind, IssuedToken, ListAllParams,
    ListParams, Outcome, PreviousSecret, RequestOptions, Scope, ServiceToken, TokenPage, UpdateParams, UpdatedToken,
};

macro_rules! record {
    ($record:ident { $($field:ident: $form:ty),* $(,)? }) => {
        impl Form for $record {
            const ALIGN: usize = largest(&[$(<$form>::ALIGN),*]);
            const SIZE: usize = size(&[$((<$form>::SIZE, <$form>::ALIGN)),*], Self::ALIGN);
        }
    };
}

/// A record of arguments.
macro_rules! lifted {
    ($record:ident { $($field:ident: $form:ty),* $(,)? }) => {
        record!($record { $($field: $form),* });

        impl Lift for $record {
            #[inline(never)]
            unsafe fn lift(from: *const u8) -> Self {
                let mut fields = Fields::lifted(from);
                // SAFETY: the caller says so; the fields follow each other as they do in the contract.
                unsafe { Self { $($field: fields.lift::<$form>()),* } }
            }
        }
    };
}

/// A record of results.
macro_rules! lowered {
    ($record:ident { $($field:ident: $form:ty),* $(,)? }) => {
        record!($record { $($field: $form),* });
        lowered!(fields of $record { $($field: $form),* });
    };
    (fields of $record:ident { $($field:ident: $form:ty),* $(,)? }) => {
        impl Lower for $record {
            #[inline(never)]
            unsafe fn lower(&self, to: *mut u8, blocks: &mut Blocks) {
                let mut fields = Fields::lowered(to);
                let Self { $($field),* } = self;
                // SAFETY: the caller says so; the fields follow each other as they do in the contract.
                unsafe { $(fields.lower::<$form>($field, blocks);)* }
            }
        }
    };
}

/// An enum, which wit-bindgen makes of one byte with the numbers of the contract.
macro_rules! lowered_enum {
    ($name:ident) => {
        impl Form for $name {
            const SIZE: usize = 1;
            const ALIGN: usize = 1;
        }

        impl Lower for $name {
            unsafe fn lower(&self, to: *mut u8, blocks: &mut Blocks) {
                const { assert!(size_of::<$name>() == 1) };
                // SAFETY: an enum of one byte is read as one.
                unsafe { u8::lift((&raw const *self).cast()).lower(to, blocks) }
            }
        }
    };
}

impl Form for Scope {
    variant_form!(String);
}

impl Lift for Scope {
    #[inline(never)]
    unsafe fn lift(from: *const u8) -> Self {
        // SAFETY: the caller says so.
        unsafe {
            let id = Lift::lift(from.wrapping_add(Self::ALIGN));
            if u8::lift(from) == 0 { Self::Account(id) } else { Self::Zone(id) }
        }
    }
}

impl Form for PreviousSecret {
    variant_form!(String);
}

impl Lift for PreviousSecret {
    unsafe fn lift(from: *const u8) -> Self {
        // SAFETY: the caller says so.
        unsafe {
            match u8::lift(from) {
                0 => Self::ExpiresNow,
                _ => Self::ExpiresAt(Lift::lift(from.wrapping_add(Self::ALIGN))),
            }
        }
    }
}

impl Form for Credentials {
    variant_form!(String, ApiKey);
}

impl Lift for Credentials {
    unsafe fn lift(from: *const u8) -> Self {
        let payload = from.wrapping_add(Self::ALIGN);
        // SAFETY: the caller says so.
        unsafe {
            match u8::lift(from) {
                0 => Self::ApiToken(Lift::lift(payload)),
                1 => Self::ApiKey(Lift::lift(payload)),
                _ => Self::Host,
            }
        }
    }
}

lifted!(ApiKey { email: String, key: String });

lifted!(RequestOptions {
    credentials: Option<Credentials>,
    base_url: Option<String>,
    timeout_ms: Option<u32>,
    attempt_timeout_ms: Option<u32>,
    max_retries: Option<u32>,
    headers: Vec<(String, String)>,
});

lifted!(ListParams { name: Option<String>, search: Option<String>, page: Option<u32>, per_page: Option<u32> });

lifted!(ListAllParams { name: Option<String>, search: Option<String>, per_page: Option<u32> });

lifted!(CreateParams {
    name: String,
    duration: Option<String>,
    enabled: Option<bool>,
    client_secret_version: Option<u32>,
    previous_client_secret_expires_at: Option<String>,
});

lifted!(UpdateParams {
    name: Option<String>,
    duration: Option<String>,
    enabled: Option<bool>,
    client_secret_version: Option<u32>,
    previous_client_secret_expires_at: Option<String>,
});

lifted!(IssueProgress { working_name: String, token_id: Option<String> });

lowered!(fields of IssueProgress { working_name: String, token_id: Option<String> });

lowered!(ServiceToken {
    id: String,
    client_id: Option<String>,
    name: Option<String>,
    duration: Option<String>,
    enabled: Option<bool>,
    expires_at: Option<String>,
    created_at: Option<String>,
    updated_at: Option<String>,
    last_seen_at: Option<String>,
    client_secret_version: Option<u32>,
    previous_client_secret_expires_at: Option<String>,
    additional_fields: Vec<(String, String)>,
});

lowered!(IssuedToken { token: ServiceToken, client_secret: String });

lowered!(UpdatedToken { token: ServiceToken, client_secret: Option<String> });

lowered!(TokenPage {
    tokens: Vec<ServiceToken>,
    page: Option<u32>,
    per_page: Option<u32>,
    count: Option<u32>,
    total_count: Option<u32>,
    total_pages: Option<u32>,
    next_page: Option<u32>,
});

lowered_enum!(ErrorKind);
lowered_enum!(Outcome);
lowered_enum!(Clock);

lowered!(ApiErrorCause { code: Option<u32>, message: String });

lowered!(ApiError {
    code: Option<u32>,
    message: String,
    documentation_url: Option<String>,
    pointer: Option<String>,
    chain: Vec<ApiErrorCause>,
});

lowered!(Error {
    kind: ErrorKind,
    outcome: Outcome,
    message: String,
    status: Option<u16>,
    api_errors: Vec<ApiError>,
    ray_id: Option<String>,
    retry_after_ms: Option<u64>,
    attempts: u32,
    token_id: Option<String>,
});

lowered!(ExpiringToken { token: ServiceToken, seconds_left: i64 });

lowered!(ExpiryReport {
    now: String,
    clock: Clock,
    expiring: Vec<ExpiringToken>,
    disabled: Vec<ExpiringToken>,
    forever: Vec<ServiceToken>,
    unreadable: Vec<ServiceToken>,
    later: u32,
});

lowered!(RefreshedToken { id: String, name: Option<String>, refreshed: Result<ServiceToken, Error> });

lowered!(RefreshReport { now: String, clock: Clock, tokens: Vec<RefreshedToken> });

lowered!(OverlappingToken { issued: IssuedToken, previous_secret_expires_at: String, clock: Clock });

impl Form for EnsuredChange {
    variant_form!(String);
}

impl Lower for EnsuredChange {
    unsafe fn lower(&self, to: *mut u8, blocks: &mut Blocks) {
        let (case, secret) = match self {
            Self::Created(secret) => (0_u8, Some(secret)),
            Self::Updated => (1, None),
            Self::Unchanged => (2, None),
        };
        // SAFETY: the caller says so.
        unsafe {
            case.lower(to, blocks);
            if let Some(secret) = secret {
                secret.lower(to.wrapping_add(Self::ALIGN), blocks);
            }
        }
    }
}

lowered!(EnsuredToken { token: ServiceToken, change: EnsuredChange });

lowered!(IssueError { error: Error, progress: Option<IssueProgress> });
