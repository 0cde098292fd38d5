//! Where a new secret goes: to standard output, or to the destinations that the command line names.
//!
//! All that can be checked is checked before the request is sent. A secret that does not reach a destination is not lost: it is kept in
//! a file that, on Unix, only the user can read, or as the last resort shown on standard error. [`arguments`] makes the destinations, each of
//! which has a file of its own here; [`delivery`] checks them and delivers to them, for the commands that do so themselves.

mod arguments;
mod command;
mod contents;
mod delivery;
mod file;
mod format;
mod github_actions;
mod names;
mod printed;
mod rescue;

pub use arguments::SecretArguments;
pub use contents::Contents;
pub use delivery::Delivery;
pub use format::line;
pub use names::Names;
pub use rescue::rescue;
