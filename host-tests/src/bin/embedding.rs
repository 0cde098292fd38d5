//! Makes a token with nothing but wasmtime. All below the attribute is the Rust block of `docs/embedding.md`.

#![allow(
    missing_docs,
    clippy::pedantic,
    reason = "the bindings are generated; their documentation is in the WIT files"
)]

use exports::cloudflare::access::types::{CreateParams, Scope};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

wasmtime::component::bindgen!({ path: "../wit", world: "plugin", exports: { default: async } });

struct State {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    table: ResourceTable,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let hooks = wasmtime_wasi_http::default_hooks();
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks }
    }
}

#[tokio::main]
async fn main() -> wasmtime::Result<()> {
    // Once for the life of the application.
    let engine = Engine::default();
    let component = Component::from_file(&engine, "cloudflare_access.wasm")?;
    let mut linker = Linker::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    let plugin = PluginPre::new(linker.instantiate_pre(&component)?)?;

    // Once for every call: an instance, and the variables it may see.
    let mut wasi = WasiCtx::builder();
    for name in ["CLOUDFLARE_API_TOKEN", "CLOUDFLARE_BASE_URL", "CLOUDFLARE_COMPLIANCE_REGION"] {
        if let Ok(value) = std::env::var(name) {
            wasi.env(name, &value);
        }
    }
    let state = State { wasi: wasi.build(), http: WasiHttpCtx::new(), table: ResourceTable::new() };
    let mut store = Store::new(&engine, state);
    let access = plugin.instantiate_async(&mut store).await?;

    let account = Scope::Account(std::env::var("CLOUDFLARE_ACCOUNT_ID")?);
    let wanted = CreateParams {
        name: "CI pipeline".to_owned(),
        duration: Some("8760h".to_owned()),
        enabled: None,
        client_secret_version: None,
        previous_client_secret_expires_at: None,
    };
    match access.cloudflare_access_service_tokens().call_create(&mut store, &account, &wanted, None).await? {
        Ok(issued) => println!("{} {}", issued.token.id, issued.client_secret),
        Err(error) => eprintln!("{:?}: {}", error.outcome, error.message),
    }
    Ok(())
}
