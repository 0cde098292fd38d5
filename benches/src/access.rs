//! The host crate, set up as an application would: its own component or another, its own settings.

use cloudflare_access_host::{AccessTokens, Credentials, Runtime};
use cloudflare_access_simulator::API_TOKEN;

/// The tokens that a server holds, with the simulator's credential.
///
/// # Panics
/// The host crate cannot be set up.
#[must_use]
pub fn access_tokens(base_url: &str, runtime: &Runtime) -> AccessTokens {
    AccessTokens::builder()
        .credentials(credentials())
        .base_url(base_url.parse().expect("a base URL"))
        .runtime(runtime.clone())
        .build()
        .expect("the host crate is set up")
}

pub(crate) fn credentials() -> Credentials {
    Credentials::api_token(API_TOKEN)
}
