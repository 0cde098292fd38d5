//! A new secret that reaches its destinations, on top of the library's `rotation`: the state folder of the user, the steps as they are
//! shown, what a failure leaves, and the commands that go on with what is unfinished.

mod age;
pub mod arguments;
pub mod commands;
mod folder;
mod note;
mod proof;
mod shown;
mod unfinished;
pub mod work;

pub use proof::UrlProof;
pub use unfinished::warn_of_unfinished;
