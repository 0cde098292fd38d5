//! Runs the life of a token with nothing but wasmtime. All below the attribute is the Rust block of `docs/embedding.md`.

#![allow(
    missing_docs,
    clippy::pedantic,
    reason = "the bindings are generated; their documentation is in the WIT files"
)]

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use exports::cloudflare::access::types::{CreateParams, Error, Scope};
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

/// Stores a secret where only this user can read it.
fn store_secret(secret: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new();
    file.write(true).create(true).truncate(true).mode(0o600).open("secret")?.write_all(secret.as_bytes())
}

/// Makes a token, rotates its secret and deletes it. The first `?` of a call is for a trap, the second for the contract's error.
async fn life_of_a_token(access: &Plugin, store: &mut Store<State>, account_id: &str) -> wasmtime::Result<()> {
    let (service_tokens, lifecycle) = (access.cloudflare_access_service_tokens(), access.cloudflare_access_lifecycle());
    let account = Scope::Account(account_id.to_owned());
    let wanted = CreateParams {
        name: "CI pipeline".to_owned(),
        duration: Some("8760h".to_owned()),
        enabled: None,
        client_secret_version: None,
        previous_client_secret_expires_at: None,
    };
    // Until `finish-issue` the same call can be made again: it returns the same token with a new secret.
    let issued = lifecycle.call_issue(&mut *store, account_id, &wanted, "ci-1", None).await??;
    store_secret(&issued.client_secret)?;
    lifecycle.call_finish_issue(&mut *store, account_id, "ci-1", None).await??;

    // The old secret passes for another hour, in which machines take over the new one.
    let id = &issued.token.id;
    let rotated = lifecycle.call_rotate_with_overlap(&mut *store, &account, id, 3600, false, None).await??;
    store_secret(&rotated.issued.client_secret)?;

    service_tokens.call_delete(&mut *store, &account, id, None).await??;
    Ok(())
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

    let lived = life_of_a_token(&access, &mut store, &std::env::var("CLOUDFLARE_ACCOUNT_ID")?).await;
    if let Some(error) = lived.as_ref().err().and_then(|error| error.downcast_ref::<Error>()) {
        eprintln!("{:?}, {:?}: {}", error.kind, error.outcome, error.message);
    }
    lived
}
