//! The service-token API of Cloudflare Access in memory: real HTTP on a loopback port, with faults.
//!
//! A test starts a [`Simulator`], points its client at [`Simulator::base_url`], and afterwards asks what arrived
//! ([`Simulator::requests`]), what was changed ([`Simulator::commits`]) and what there is now ([`Simulator::tokens`]).
//! [`Simulator::inject`] makes the server misbehave in one of the ways of [`FaultKind`], [`Simulator::advance`] lets a year
//! pass, and [`Simulator::authenticate`] says whether a client id and secret would pass Access now.
//!
//! Where Cloudflare documents nothing, the simulator takes the choice that its clients can rely on least; each such choice
//! is named where it is made.

mod api_error;
mod application;
mod behaviour;
mod builder;
mod client_secret;
mod clock;
mod connection;
mod control_routes;
mod credentials;
mod engine;
mod envelope;
mod fault;
mod fault_effect;
mod fault_kind;
mod lifetime;
mod list_query;
mod operation;
mod parameters;
mod rate_limit;
mod recording;
mod route;
mod scope;
mod service;
mod simulator;
mod store;
#[cfg(feature = "tls")]
mod tls;
mod token;
mod wire;
mod wire_script;

pub use behaviour::{
    Application, Behaviour, CreateStatus, InactivityAction, Protection, RateLimit, SecretForm, TokenShape,
};
pub use builder::SimulatorBuilder;
pub use client_secret::ClientSecret;
pub use fault::{Fault, FaultError, Moment};
pub use fault_kind::{Body, Commits, FaultKind, FaultName, Wait};
pub use list_query::ListBehaviour;
pub use operation::Operation;
pub use recording::{Commit, RecordedRequest};
pub use scope::{Scope, ScopeKind};
pub use simulator::Simulator;
pub use store::{IssuedToken, Refusal};
pub use token::Token;

/// The account that exists unless [`SimulatorBuilder::account`] names others.
pub const ACCOUNT_ID: &str = "acc00000000000000000000000000001";
/// The zone that exists unless [`SimulatorBuilder::zone`] names others.
pub const ZONE_ID: &str = "20e00000000000000000000000000002";
/// The API token with the permission to write that is accepted unless [`SimulatorBuilder::api_token`] names others.
pub const API_TOKEN: &str = "simulator_api_token_that_may_read_and_write";
/// The API token with the permission to read that is accepted unless [`SimulatorBuilder::read_only_api_token`] names others.
pub const READ_ONLY_API_TOKEN: &str = "simulator_api_token_that_may_only_read";
/// The e-mail address of the user whose key is accepted unless [`SimulatorBuilder::api_key`] names others.
pub const EMAIL: &str = "simulator@example.com";
/// The global API key of [`EMAIL`].
pub const API_KEY: &str = "simulator_global_api_key";

/// Runs the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
