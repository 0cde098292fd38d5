//! Checked arguments and settings become a request.
//!
//! What has one of the types of this folder is right from then on: a request can be made only from checked identifiers,
//! in a scope that whoever deployed the component admits, with one complete credential for one base URL.

pub mod arguments;
pub mod authority;
pub mod base_url;
pub mod credentials;
pub mod function;
pub mod go_duration;
pub mod headers;
pub mod ids;
pub mod quoted;
pub mod requests;
pub mod settings;

pub use authority::Authority;
pub use base_url::BaseUrl;
pub use credentials::Credentials;
pub use function::Function;
pub use ids::Target;
pub use requests::{BodyFields, Effect, Method, Query, Request};
pub use settings::{Environment, Settings};
