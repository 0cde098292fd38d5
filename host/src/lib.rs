//! Manage Cloudflare Access service tokens from an application, through the component `cloudflare_access.wasm`.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//!
//! use cloudflare_access_host::{AccessTokens, CreateParams, RefreshParams, RunningOverlap};
//!
//! let access = AccessTokens::from_environment()?;
//! let account = access.account("023e105f4ecef8ad9ca31a8372d0c353");
//! let issued = account.create(CreateParams::named("CI")).await?;
//! store(&issued); // the secret is shown this once
//!
//! // What people do with tokens over their lives is one call, too.
//! let due = RefreshParams::within(Duration::from_hours(24 * 30));
//! let renewal = account.refresh_expiring(due).await?; // same ids, same secrets
//! let day = Duration::from_hours(24);
//! let rotated = account.rotate_with_overlap(&issued.token.id, day, RunningOverlap::Refuse).await?;
//! store(&rotated.issued);
//! println!("{} renewed; the old secret passes until {}", renewal.tokens.len(), rotated.previous_secret_expires_at);
//! # Ok(()) }
//! # fn store(_: &cloudflare_access_host::IssuedToken) {}
//! ```
//!
//! - The component is inside this crate; another of the same world can be given instead ([`Runtime::builder`]).
//! - The credential stays with the host: the component asks, the host adds it, only to requests for the API's service tokens.
//! - Only the API's service tokens can be reached, at public addresses, over one pool of connections for all calls.
//! - No two calls use an instance at the same time, and no two credentials ever do. Each call has a memory limit and a time limit, and
//!   dropping its future stops it ([`Runtime`]).
//!
//! A secret that must reach its place before the old one ends is the business of [`rotation`]: it is proven, delivered, and kept in a
//! folder until then, so that the process can be stopped at any point.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `serde` | `serde::Serialize` for all results and errors; secrets are written in plain text |
//! | `wasmtime-parts` | the parts one by one, for an application with a wasmtime of its own: `bindings`, `linker`, `hooks`, `transport`, `egress` and `HostState`, whose API has types of wasmtime 48 |
//!
//! Neither is on by default.
//!
//! # Tracing
//!
//! Each call is a `tracing` span `service_token_call` on the level `debug` with these fields. There is no id, no name,
//! no credential and no secret in them, whatever a server sends back.
//!
//! | field | value |
//! |---|---|
//! | `operation` | the function as the contract names it, such as `create`, `list-all`, `refresh-expiring` |
//! | `scope` | `account` or `zone` |
//! | `attempts` | how many requests were sent or tried, repeats and pages included |
//! | `status` | the HTTP status of the last answer |
//! | `ray_id` | Cloudflare's name for the last request, if the answer had one of the right form |
//! | `outcome` | `ok`, or of an error `not-applied`, `unknown`, `applied`; a renewal that failed for some tokens only is `ok` |
//! | `error` | the kind of the error, such as `rate-limited` |
//! | `duration_ms` | from the call to its result |
//!
//! A call whose future is dropped ends its span without `outcome` and `duration_ms`.
//!
//! In the span there is an event on the level `debug` for each attempt, when it has ended, and for each wait before another one:
//!
//! | message | fields |
//! |---|---|
//! | `attempt answered` | `attempt`, from 1; `method`; `status`; `duration_ms`, to the head of the answer |
//! | `attempt failed` | `attempt`, `method`, `phase` and `error` as in [`TransportError`], `duration_ms` |
//! | `attempt given up` | `attempt`, `method`, `duration_ms`: the time for it was over, or the call was dropped |
//! | `waited before another attempt` | `duration_ms`; only where no other request was under way |
//!
//! What an operator has to look at is an event on the level `warn` or `error`: a request that was refused because it is not one for
//! service tokens, a component that failed, a code cache or a pool of instances that the system does not give.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "wasmtime-parts")]
pub mod egress;
#[cfg(feature = "wasmtime-parts")]
pub mod transport;

#[cfg(not(feature = "wasmtime-parts"))]
#[allow(dead_code, reason = "parts of it are for applications with a wasmtime of their own")]
mod egress;
#[cfg(not(feature = "wasmtime-parts"))]
#[allow(dead_code, reason = "parts of it are for applications with a wasmtime of their own")]
mod transport;

mod base_url;
mod build_error;
mod client;
mod credentials;
#[cfg_attr(
    not(feature = "wasmtime-parts"),
    allow(dead_code, reason = "parts of it are for applications with a wasmtime of their own")
)]
mod engine;
mod error;
mod redactor;
pub mod rotation;
mod secret;
mod types;

pub use base_url::{BaseUrl, InvalidBaseUrl};
pub use build_error::BuildError;
pub use client::access_tokens::{AccessTokens, AccessTokensBuilder};
pub use client::options::CallOptions;
pub use client::pages::Pages;
pub use client::scope::{Account, InvalidAccount, Scope, Zone};
pub use client::tokens::Tokens;
pub use credentials::{Credentials, InvalidCredentials};
pub use engine::component::{COMPONENT, COMPONENT_SHA256};
pub use engine::progress::CallProgress;
pub use engine::runtime::{CodeCache, Runtime, RuntimeBuilder};
#[cfg(feature = "wasmtime-parts")]
pub use engine::state::HostState;
#[cfg(feature = "wasmtime-parts")]
pub use engine::{bindings, hooks, linker};
pub use error::{ApiError, ApiErrorCause, Details, Error, ErrorKind, Outcome};
pub use rotation::{Destination, DestinationError, DestinationFuture, Pair};
pub use secret::{ExposeSecret, SecretString};
pub use transport::{Certificate, InvalidCertificate, InvalidProxy, Proxy, Timeouts, TransportError, TransportPhase};
pub use types::{
    Clock, CreateParams, Deletion, Ensured, ExpiringToken, ExpiryReport, InvalidIssueKey, IssueKey, IssuedToken,
    JsonField, ListAllParams, ListPageParams, OverlappingToken, PreviousSecret, RefreshParams, RefreshReport,
    RefreshedToken, RunningOverlap, Selector, ServiceToken, TimeLeft, TokenDuration, TokenPage, UpdateParams,
    UpdatedToken,
};
