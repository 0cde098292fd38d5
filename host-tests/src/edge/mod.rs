//! The component in an edge service: the samples and adapters, built and composed, and the hosts that serve them.

pub mod confinement;
pub mod samples;
pub mod serve;
