//! What the plugin is for: an edge service that imports it, composed with it into one component and served by stock wasmtime. What needs
//! a cluster is in the target `edge`.

mod authority;
mod configuration;
mod rotation;
