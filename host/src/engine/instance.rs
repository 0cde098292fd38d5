//! One instance of the component, and the settings of the engine that it depends on.

use wasmtime::{Config, Store};

use crate::engine::exports::Exports;
use crate::engine::state::HostState;

/// One instance of the component in a store of its own.
pub(crate) struct Instance {
    pub(crate) store: Store<HostState>,
    pub(crate) exports: Exports,
}

impl Instance {
    /// The size of its linear memory in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.store.data().memory()
    }
}

/// Lets what else runs on the executor have its turn, above all the time limit of the call.
pub(crate) fn yield_at_each_tick<T: Send>(store: &mut Store<T>) {
    store.epoch_deadline_async_yield_and_update(1);
    store.set_epoch_deadline(1);
}

/// What decides the code that is compiled; the same for all, so that precompiled code fits.
pub(crate) fn config() -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    // The contract is of WASI 0.2: nothing in it is async in the sense of the component model.
    config.concurrency_support(false);
    config
}
