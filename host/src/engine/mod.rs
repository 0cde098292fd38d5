//! Runs the component: the engine and its instances, what an instance may import, and what becomes of its requests.
//!
//! [`runtime`] makes instances, which [`idle`] keeps between calls and [`ticker`] interrupts and ends. [`state`] is what a store holds:
//! the [`hooks`] that a request goes through, which is driven by [`underway`] and counted by [`progress`]. [`overrides`] puts that in the
//! place of wasmtime's own.

pub mod bindings;
pub mod hooks;
pub mod linker;

pub(crate) mod component;
pub(crate) mod exports;
pub(crate) mod idle;
pub(crate) mod instance;
pub(crate) mod overrides;
pub(crate) mod progress;
pub(crate) mod request;
pub(crate) mod runtime;
pub(crate) mod state;
pub(crate) mod ticker;
pub(crate) mod underway;
