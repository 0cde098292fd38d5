//! The Canonical ABI: how the arguments of the exports are lifted out of linear memory and their results lowered into it, and the same the
//! other way round for the imports that matter.
//!
//! wit-bindgen writes the types, the traits of the exports, and most imports. The exports themselves stand here, because its
//! own lift and lower field by field in each of the 19 functions, and free each result field by field in another: 90 kB of code where
//! all functions take the same options and return the same error. Here each type has its form once. A result is not copied: the
//! host reads the texts where they are, and `cabi_post` drops all of it at once.
//!
//! `form` has the rules of the ABI, `contract` the types of the contract, `exports` the functions, `imports` some of WASI that every call
//! crosses. Which types an exported function takes and returns comes from the generated traits, so another WIT does not compile here; and the
//! linker compares the signatures.

#![cfg_attr(not(target_family = "wasm"), expect(dead_code, reason = "only a component is called"))]

mod contract;
#[cfg(target_family = "wasm")]
mod exports;
mod form;
pub mod imports;
