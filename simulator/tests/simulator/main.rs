//! The simulator from outside, over HTTP: every route, field, error and fault.

mod access;
mod behaviour;
mod client;
mod control_routes;
mod credentials;
mod errors;
mod faults;
mod lists;
mod operations;
mod program;
mod readme;
mod recording;
mod runtimes;
mod schema;
mod tls;
#[path = "../../../host-tests/src/within.rs"]
mod within;
