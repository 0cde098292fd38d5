//! The component itself, built together with this crate and carried inside it.

/// The component `cloudflare_access.wasm`, as WebAssembly of the world `cloudflare:access/plugin`.
///
/// Any host of WASI 0.2 can load it; [`Runtime`](crate::Runtime) does it with this crate's settings.
pub const COMPONENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/cloudflare_access.wasm"));

/// The SHA-256 digest of [`COMPONENT`] in hexadecimal digits, as the `SHA256SUMS` of its release has it.
pub const COMPONENT_SHA256: &str = env!("COMPONENT_SHA256");
