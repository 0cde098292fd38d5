//! The bindings that wasmtime makes of `wit/`.

#![allow(missing_docs, clippy::pedantic, reason = "generated; the documentation is in the WIT files")]

wasmtime::component::bindgen!({
    path: "../wit",
    inline: "
        package cloudflare:strange-host;
        world stranger {
            export cloudflare:access/service-tokens@0.1.0;
            export cloudflare:access/lifecycle@0.1.0;
        }
    ",
    world: "cloudflare:strange-host/stranger",
    exports: { default: async },
});

pub use cloudflare::access::types;
pub use exports::cloudflare::access::lifecycle;
