//! The component at the edge: workloads of several components in wasmCloud, hosts that stop at any moment, the registry.
//!
//! These tests start whole clusters, so they are a target of their own, behind the feature `edge`:
//! `cargo test --workspace --locked --features cloudflare-access-host-tests/edge --test edge`.

mod authority;
mod gate;
mod nats;
mod rate_limit;
mod stopped_hosts;
mod wasmcloud;
