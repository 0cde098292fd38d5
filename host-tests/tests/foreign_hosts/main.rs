//! The component in other programs: the `wasmtime` commands, Python, Node, wasmCloud, and a registry. They are fetched by
//! `host-tests/hosts/fetch`; one that cannot be fetched is a failed test.

mod composition;
mod embedding;
mod packages;
mod packaging;
mod real_hosts;
mod sdks;
mod wasmtime_command;
