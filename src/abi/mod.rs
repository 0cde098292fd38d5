//! The Canonical ABI of the exports: how arguments are lifted out of linear memory and results lowered into it.
//!
//! wit-bindgen writes the types, the traits of the exports, and the imports. The exports themselves stand here, because its
//! own lift and lower field by field in each of the 19 functions, and free each result field by field in another: 90 kB of code where
//! all functions take the same options and return the same error. Here each type has its form once. A result is not copied: the
//! host reads the texts where they are, and `cabi_post` drops all of it at once.
//!
//! `form` has the rules of the ABI, `contract` the types of the contract, `exports` the functions. Which types a function takes and
//! returns comes from the generated traits, so another WIT does not compile here; and the linker compares the signatures.

#![cfg_attr(not(target_family = "wasm"), expect(dead_code, reason = "only a component is called"))]

mod contract;
#[cfg(target_family = "wasm")]
mod exports;
mod form;
pub mod imports;
