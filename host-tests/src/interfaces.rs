//! What a component imports and exports, read without compiling it.

use std::collections::BTreeSet;

use wac_graph::types::{Package, Types};

/// Returns the names of the imports and of the exports of a component.
///
/// # Panics
/// It is not a component.
#[must_use]
pub fn interfaces(component: &[u8]) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut types = Types::default();
    let package = Package::from_bytes("under:test", None, component, &mut types).expect("a component");
    let world = &types[package.ty()];
    (world.imports.keys().cloned().collect(), world.exports.keys().cloned().collect())
}
