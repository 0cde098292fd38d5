//! What is measured: for criterion (`rows.rs`), for the report on the inside of a call (`report/`), and for `docs/performance.md`
//! (`src/bin/compare.rs`).
//!
//! A [`Row`] is one thing that is done in two ways against the same server: through the host crate, and by a plain hyper client.
//! Each way is a [`Run`].
//! Only ratios between ways of one row in one process are claims; a time alone says more about the machine.

mod access;
mod allocations;
mod cost;
pub mod driver;
mod engine;
mod errand;
mod guest_build;
mod host_calls;
mod layers;
mod native;
mod programs;
pub mod rounds;
mod rows;
mod server;
mod sizes;

pub use access::access_tokens;
pub use allocations::{
    Allocations, CountingAllocator, Place, allocations_by_crate, guest_allocations_of_get, places_of_guest_allocations,
};
pub use cost::{Cost, pin_to_one_core, unpin};
pub use engine::instantiation;
pub use errand::Errand;
pub use guest_build::Guest;
pub use host_calls::host_calls_of_get;
pub use layers::Layers;
pub use native::{NativeClient, Token};
pub use programs::{Moment, Programs, Resident};
pub use rows::{Row, Run, making_and_ending, sequential_rows, wide_rows};
pub use server::Server;
pub use sizes::{Part, Sizes};
