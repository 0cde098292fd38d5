//! The commands of what people do with tokens over their lives: what expires, renewal, overlaps, names, switches.

pub mod arguments;

mod commands;
mod due;
mod watch;

pub use commands::{issue_token, run};
