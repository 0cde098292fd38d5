//! The component in wasmtime as it comes: default settings, wasmtime-wasi, and wasmtime-wasi-http with its own client. Nothing of the host
//! crate is in it but the generated bindings.
//!
//! `stock-driver COMPONENT BASE_URL ACCOUNT TOKEN` prints a line of JSON: nanoseconds of an instantiation and of a `get` in an instance that
//! stays, and the resident bytes of an instance that has served one.

use std::time::Instant;

use cloudflare_access_benches::driver::Place;
use cloudflare_access_benches::rounds::median;
use cloudflare_access_host::bindings::{Plugin, PluginPre, types};
use cloudflare_access_simulator::API_TOKEN;
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::error::Context;
use wasmtime::{Config, Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

const CALLS: usize = 2000;
const INSTANCES: usize = 64;

struct State {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: wasmtime_wasi_http::default_hooks() }
    }
}

fn store(engine: &Engine, place: &Place) -> Store<State> {
    let mut wasi = WasiCtx::builder();
    wasi.env("CLOUDFLARE_API_TOKEN", API_TOKEN).env("CLOUDFLARE_API_BASE_URL", &place.base_url);
    Store::new(engine, State { table: ResourceTable::new(), wasi: wasi.build(), http: WasiHttpCtx::new() })
}

async fn get(plugin: &Plugin, store: &mut Store<State>, place: &Place) -> wasmtime::Result<()> {
    let scope = types::Scope::Account(place.account_id.clone());
    let tokens = plugin.cloudflare_access_service_tokens();
    let token = tokens.call_get(store, &scope, &place.token_id, None).await?;
    token.ok().context("the API has no token")?;
    Ok(())
}

fn resident_bytes() -> wasmtime::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no line of the resident set")?;
    Ok(f64::from(line.trim().trim_end_matches(" kB").parse::<u32>()?) * 1024.0)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> wasmtime::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let component = std::fs::read(arguments.next().context("the component is missing")?)?;
    let place = Place::read(&mut arguments).map_err(|error| wasmtime::format_err!("{error:#}"))?;
    let engine = Engine::new(&Config::new())?;
    let component = Component::from_binary(&engine, &component)?;
    let mut linker = Linker::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    let plugin = PluginPre::new(linker.instantiate_pre(&component)?)?;

    let mut instantiations = Vec::new();
    for _ in 0..CALLS {
        let mut store = store(&engine, &place);
        let began = Instant::now();
        plugin.instantiate_async(&mut store).await?;
        instantiations.push(began.elapsed().as_secs_f64() * 1e9);
    }

    let mut kept = Vec::new();
    let before = resident_bytes()?;
    for _ in 0..INSTANCES {
        let mut store = store(&engine, &place);
        let instance = plugin.instantiate_async(&mut store).await?;
        get(&instance, &mut store, &place).await?;
        kept.push((store, instance));
    }
    let resident = (resident_bytes()? - before) / f64::from(u32::try_from(INSTANCES)?);

    let (mut calls, (store, instance)) = (Vec::new(), kept.last_mut().context("an instance")?);
    for _ in 0..CALLS {
        let began = Instant::now();
        get(instance, store, &place).await?;
        calls.push(began.elapsed().as_secs_f64() * 1e9);
    }
    let measured = serde_json::json!({
        "instantiation_ns": median(&instantiations), "call_ns": median(&calls), "resident_bytes": resident,
    });
    println!("{measured}");
    Ok(())
}
