//! The component itself, built together with this crate and carried inside it.

/// The component `cloudflare_access.wasm`, as WebAssembly of the world `cloudflare:access/plugin`.
///
/// Any host of WASI 0.2 can load it; [`Runtime`](crate::Runtime) does it with this crate's settings.
pub const COMPONENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/cloudflare_access.wasm"));
