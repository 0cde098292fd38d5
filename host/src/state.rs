//! The state of one store: a WASI context that grants nothing, the HTTP hooks, and the limits.

use wasmtime::component::ResourceTable;
use wasmtime::{StoreLimits, StoreLimitsBuilder};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::hooks::AccessHooks;

/// What this crate keeps in a `wasmtime::Store`.
pub struct HostState {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    table: ResourceTable,
    hooks: AccessHooks,
    limits: StoreLimits,
}

impl HostState {
    /// No environment, no arguments, no files, no sockets, no streams; HTTP through `hooks`; at most `max_memory` bytes of
    /// linear memory, one instance.
    #[must_use]
    pub fn new(hooks: AccessHooks, max_memory: usize) -> Self {
        Self {
            wasi: WasiCtx::builder().build(),
            http: WasiHttpCtx::new(),
            table: ResourceTable::new(),
            hooks,
            limits: StoreLimitsBuilder::new().memory_size(max_memory).build(),
        }
    }

    /// For `Store::limiter`.
    pub fn limits(&mut self) -> &mut StoreLimits {
        &mut self.limits
    }

    /// The hooks.
    #[must_use]
    pub fn hooks(&self) -> &AccessHooks {
        &self.hooks
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
