//! One whole rotation: a new secret that reaches its place before the old one ends.

pub mod destination;
pub mod pair;
