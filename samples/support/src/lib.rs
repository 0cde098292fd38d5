//! What the sample services share: the bindings of their world, HTTP, their configuration, and the pair in the key-value store.

pub mod configuration;
pub mod http;
pub mod pair_store;

/// The bindings of the world `service`. What a service does not call is not among the imports of its component.
pub mod bindings {
    #[cfg(not(feature = "spin"))]
    wit_bindgen::generate!({
        path: ["../../wit", "../../adapters/wit", "../wit"],
        world: "sample:edge/service",
        generate_all,
        pub_export_macro: true,
        default_bindings_module: "support::bindings",
    });
    #[cfg(not(feature = "spin"))]
    pub use wasi::keyvalue0_2_0_draft as keyvalue;

    #[cfg(feature = "spin")]
    wit_bindgen::generate!({
        path: ["../../wit", "../../adapters/wit", "../wit"],
        world: "sample:edge/service-in-spin",
        generate_all,
        pub_export_macro: true,
        default_bindings_module: "support::bindings",
    });
    #[cfg(feature = "spin")]
    pub use wasi::config0_2_0_draft_2024_09_27 as config;
    #[cfg(feature = "spin")]
    pub use wasi::keyvalue0_2_0_draft2 as keyvalue;
}
