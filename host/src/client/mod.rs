//! The handles that an application has, and their calls.
//!
//! [`access_tokens`] makes handles, [`tokens`], [`lifecycle`] and [`issue`] have the operations, and [`call`] is what all of them do with
//! what a [`caller`] has.

pub(crate) mod access_tokens;
pub(crate) mod caller;
pub(crate) mod options;
pub(crate) mod pages;
pub(crate) mod scope;
pub(crate) mod tokens;

mod call;
mod conversions;
mod issue;
mod lifecycle;
mod lifecycle_conversions;
mod operation;
