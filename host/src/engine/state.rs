//! The state of one store: a WASI context that grants nothing, the HTTP hooks, and the limits.

use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, StoreLimits, StoreLimitsBuilder};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::engine::hooks::AccessHooks;

/// The state of this crate in a `wasmtime::Store`.
pub struct HostState {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    table: ResourceTable,
    hooks: AccessHooks,
    limiter: Limiter,
}

impl HostState {
    /// Makes a state that grants a component no environment, arguments, files, sockets or streams; HTTP through `hooks`; at most `max_memory` bytes of
    /// linear memory.
    #[must_use]
    pub fn new(hooks: AccessHooks, max_memory: usize) -> Self {
        Self {
            wasi: WasiCtx::builder().build(),
            http: WasiHttpCtx::new(),
            table: table(),
            hooks,
            limiter: Limiter { limits: StoreLimitsBuilder::new().memory_size(max_memory).build(), memory: 0 },
        }
    }

    /// Returns the limits, for `Store::limiter`.
    pub fn limiter(&mut self) -> &mut dyn ResourceLimiter {
        &mut self.limiter
    }

    /// Returns the hooks of the call that runs, or ran last.
    pub fn hooks(&mut self) -> &mut AccessHooks {
        &mut self.hooks
    }

    /// The size of the component's linear memory in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.limiter.memory
    }

    /// Whether the component has given back all that it had of the host. Then the state is as at the start.
    pub(crate) fn settle(&mut self) -> bool {
        let settled = self.table.is_empty();
        if settled && self.hooks.exchanges().requests() > 1 {
            self.table = table(); // without the room that requests at once may have taken
        }
        settled
    }
}

fn table() -> ResourceTable {
    ResourceTable::with_capacity(16) // what a call with one request has at once
}

/// The limits, and how large the memory has become under them.
struct Limiter {
    limits: StoreLimits,
    memory: usize,
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let granted = self.limits.memory_growing(current, desired, maximum)?;
        if granted {
            self.memory = self.memory.max(desired);
        }
        Ok(granted)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        self.limits.table_growing(current, desired, maximum)
    }
}

impl WasiView for HostState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for HostState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.hooks, table: &mut self.table, ctx: &mut self.http }
    }
}
