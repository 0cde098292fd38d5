//! wasmtime itself, set up as the host crate sets it up, to measure what the host crate does not let out by itself.
//!
//! The settings are those of `host/src/engine/`, which keeps them to itself; what differs there must differ here.

use std::num::NonZeroUsize;
use std::time::Instant;

use cloudflare_access_host::bindings::{Plugin, types};
use cloudflare_access_host::egress::EgressPolicy;
use cloudflare_access_host::hooks::AccessHooks;
use cloudflare_access_host::transport::{Transport, TransportConfig};
use cloudflare_access_host::{BaseUrl, HostState, linker};
use tokio::runtime::Builder;
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};

use crate::access::credentials;
use crate::{Cost, Run, Server};

const MAX_MEMORY: usize = 64 << 20;
const PLACES: u32 = 128;
const KEEP_RESIDENT: usize = 256 << 10;

/// A component, linked, and what a store of it needs.
pub(crate) struct Linked {
    engine: Engine,
    pub(crate) component: InstancePre<HostState>,
    transport: Transport,
    base_url: BaseUrl,
}

impl Linked {
    /// Compiles and links a component for a server.
    pub(crate) fn new(component: &[u8], base_url: &str) -> wasmtime::Result<Self> {
        Self::with(component, base_url, |_| Ok(()))
    }

    /// As `new`, with something more or else in the linker.
    pub(crate) fn with(
        component: &[u8],
        base_url: &str,
        add: impl FnOnce(&mut Linker<HostState>) -> wasmtime::Result<()>,
    ) -> wasmtime::Result<Self> {
        let engine = Engine::new(&config())?;
        let component = Component::from_binary(&engine, component)?;
        let mut linker = Linker::new(&engine);
        linker::add_to_linker(&mut linker)?;
        add(&mut linker)?;
        let component = linker.instantiate_pre(&component)?;
        let base_url: BaseUrl = base_url.parse().expect("a base URL");
        let transport = Transport::new(TransportConfig::for_base_url(&base_url)).expect("a transport");
        Ok(Self { engine, component, transport, base_url })
    }

    /// A store as one call has it.
    pub(crate) fn store(&self) -> Store<HostState> {
        let hooks = AccessHooks::new(self.transport.clone(), EgressPolicy::only(self.base_url.clone()));
        let hooks = hooks.with_credentials(&credentials()).expect("credentials for a header");
        let mut store = Store::new(&self.engine, HostState::new(hooks, MAX_MEMORY));
        store.limiter(|state| state.limiter());
        store.epoch_deadline_async_yield_and_update(1);
        store.set_epoch_deadline(1);
        store
    }
}

/// One `get`, with the options that the host crate gives with each call.
///
/// # Errors
/// The error is a trap.
///
/// # Panics
/// There is no token.
pub(crate) async fn get(plugin: &Plugin, store: &mut Store<HostState>, server: &Server) -> wasmtime::Result<()> {
    let scope = types::Scope::Account(server.account_id().to_owned());
    let options = types::RequestOptions {
        endpoint: Some(types::Endpoint {
            credentials: types::Credentials::Host,
            base_url: Some(server.base_url().to_owned()),
        }),
        timeout_ms: Some(60_000),
        attempt_timeout_ms: None,
        max_retries: None,
        headers: None,
    };
    let tokens = plugin.cloudflare_access_service_tokens();
    tokens.call_get(store, &scope, server.token_id(), Some(&options)).await?.expect("a token");
    Ok(())
}

/// wasmtime's instantiation alone: the store is made before and ends, with the instance, after what is measured. Only the wall
/// time is, and of a round the middle one of the calls stands for all: at some microseconds a call, whatever else the core is
/// given to in between would be most of the sum.
///
/// # Panics
/// The component does not load; later, in a run, an instance cannot be made.
#[must_use]
pub fn instantiation(component: &[u8]) -> Run {
    let linked = Linked::new(component, "http://127.0.0.1:9").expect("the component loads");
    let executor = Builder::new_current_thread().enable_all().build().expect("an executor");
    Box::new(move |calls| {
        executor.block_on(async {
            let mut times = Vec::with_capacity(calls as usize);
            for _ in 0..calls {
                let mut store = linked.store();
                let began = Instant::now();
                let instance = linked.component.instantiate_async(&mut store).await;
                times.push(began.elapsed());
                instance.expect("an instance");
            }
            times.sort_unstable();
            Cost { wall: times[times.len() / 2] * calls, ..Cost::default() }
        })
    })
}

fn config() -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(PLACES)
        .total_core_instances(PLACES * 8)
        .total_memories(PLACES)
        .total_tables(PLACES * 4)
        .total_stacks(PLACES)
        .max_memory_size(MAX_MEMORY)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(KEEP_RESIDENT)
        .pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    // Not of the host crate's settings; it matters to traps alone, whose whole backtrace tells where an allocation was.
    config.wasm_backtrace_max_frames(NonZeroUsize::new(100));
    config
        .epoch_interruption(true)
        .concurrency_support(false)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}
