//! An application with a wasmtime and a store of its own, which runs other plugins too: it takes this crate's hooks and
//! bindings, and keeps its own engine, its own state and its own WASI.
//!
//! `CLOUDFLARE_API_TOKEN=… CLOUDFLARE_ACCOUNT_ID=… cargo run --example own_wasmtime`

use cloudflare_access_host::bindings::{PluginPre, types};
use cloudflare_access_host::egress::EgressPolicy;
use cloudflare_access_host::hooks::AccessHooks;
use cloudflare_access_host::transport::{Transport, TransportConfig};
use cloudflare_access_host::{BaseUrl, COMPONENT, Credentials, linker};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// The application's state, with this crate's hooks in it.
struct State {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: AccessHooks,
    table: ResourceTable,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.hooks, table: &mut self.table, ctx: &mut self.http }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> wasmtime::Result<()> {
    // Once, at the start.
    let engine = Engine::default();
    let component = Component::from_binary(&engine, COMPONENT)?;
    let mut linker = Linker::<State>::new(&engine);
    linker::add_to_linker(&mut linker)?;
    let plugin = PluginPre::new(linker.instantiate_pre(&component)?)?;
    let base_url = BaseUrl::cloudflare();
    let transport = Transport::new(TransportConfig::for_base_url(&base_url))?;

    // For each call.
    let hooks = AccessHooks::new(transport, EgressPolicy::only(base_url));
    let hooks = hooks.with_credentials(&Credentials::from_environment()?)?;
    let redactor = hooks.redactor();
    let (wasi, http, table) = (WasiCtx::builder().build(), WasiHttpCtx::new(), ResourceTable::new());
    let mut store = Store::new(&engine, State { wasi, http, hooks, table });
    let instance = plugin.instantiate_async(&mut store).await?;
    let account = types::Scope::Account(std::env::var("CLOUDFLARE_ACCOUNT_ID")?);
    let all = types::ListAllParams { name: None, search: None, per_page: None };
    let options = types::RequestOptions {
        endpoint: Some(types::Endpoint { credentials: types::Credentials::Host, base_url: None }), // the hooks add it
        timeout_ms: None,
        attempt_timeout_ms: None,
        max_retries: None,
        headers: None,
    };
    let tokens = instance.cloudflare_access_service_tokens();
    let mut listed = tokens.call_list_all(&mut store, &account, &all, Some(&options)).await?;
    redactor.clean(&mut listed); // a server may have sent the credential back, which the component does not know
    match listed {
        Ok(tokens) => {
            for token in tokens {
                println!("{}  {}", token.id, token.name.as_deref().unwrap_or("–"));
            }
        }
        Err(error) => eprintln!("{} (outcome {:?})", error.message, error.outcome),
    }
    Ok(())
}
