//! The engine and the compiled component, shared by all calls of all [`AccessTokens`](crate::AccessTokens) made from it.
//!
//! - Instances come from wasmtime's pooling allocator, where the system allows it; the component is linked once.
//! - Each instance has a limit on its memory, yields every ten milliseconds of computing, and serves one call at a time;
//!   [`idle`](super::idle) says when it may serve another.
//! - As many calls run at once as the pool has places; more wait, within the time limit of their call.
//! - Compiled code is kept on disk by wasmtime's own cache, under the hash of the component and of the settings.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit, TryAcquireError};
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Cache, CacheConfig, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};

use crate::BuildError;
use crate::engine::component::COMPONENT;
use crate::engine::exports::{ExportIndices, Exports};
use crate::engine::hooks::AccessHooks;
use crate::engine::idle::Idle;
use crate::engine::instance::{Instance, config, yield_at_each_tick};
use crate::engine::state::HostState;
use crate::engine::ticker::{Running, Ticker};
use crate::engine::{linker, overrides};

/// The component needs about 1.3 MiB; its answers are capped at 16 MiB.
const DEFAULT_MAX_MEMORY: usize = 64 << 20;
const DEFAULT_MAX_CALLS: u32 = 64;
const DEFAULT_KEEP_IDLE: Duration = Duration::from_secs(30);
/// The upper bound of `max_calls`: at 1.3 MiB each, so many calls take 85 GiB of memory.
const MOST_CALLS: u32 = 1 << 16;
/// Core modules, memories and tables inside one component: wit-component makes four, one and two; twice that is allowed.
const CORE_INSTANCES_PER_COMPONENT: u32 = 8;
const TABLES_PER_COMPONENT: u32 = 4;
/// Of each linear memory and each table, what a place in the pool keeps between two instances, so that the next one does not
/// fault it in again: what an ordinary call touches, and some more.
const KEEP_RESIDENT: usize = 256 << 10;

/// A compiled component with its engine, ready to be called. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Runtime(Arc<Shared>);

struct Shared {
    engine: Engine,
    component: InstancePre<HostState>,
    exports: Arc<ExportIndices>,
    ticker: Ticker,
    places: Semaphore,
    idle: Arc<Idle>,
    max_memory: usize,
}

/// A builder of [`Runtime`].
#[derive(Debug, Clone)]
pub struct RuntimeBuilder {
    source: Source,
    cache: CodeCache,
    max_memory: usize,
    max_calls: u32,
    keep_idle: Duration,
}

#[derive(Clone)]
enum Source {
    Built,
    WebAssembly(Vec<u8>),
    Precompiled(Vec<u8>),
}

/// The place where compiled code is kept between processes. Compiling takes about a tenth of a second.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum CodeCache {
    /// In the user's cache folder, as the `wasmtime` command does. Where there is none, nothing is kept, and the log says so.
    #[default]
    UserFolder,
    /// In this folder, which is made if it is missing. Whoever can write there decides what code runs.
    Folder(PathBuf),
    /// Nowhere.
    None,
}

impl Runtime {
    /// Makes a runtime of the component of this crate with the default settings.
    ///
    /// Takes a tenth of a second where the code is not cached: make it once, at the start.
    ///
    /// # Errors
    ///
    /// As [`RuntimeBuilder::build`].
    pub fn new() -> Result<Self, BuildError> {
        Self::builder().build()
    }

    /// Returns a builder with the default settings.
    #[must_use]
    pub fn builder() -> RuntimeBuilder {
        RuntimeBuilder {
            source: Source::Built,
            cache: CodeCache::default(),
            max_memory: DEFAULT_MAX_MEMORY,
            max_calls: DEFAULT_MAX_CALLS,
            keep_idle: DEFAULT_KEEP_IDLE,
        }
    }

    /// Compiles a component ahead of time, for this machine's kind of processor and this version of the crate: what
    /// [`RuntimeBuilder::precompiled`] takes. Pass [`COMPONENT`] for the one of this crate.
    ///
    /// # Errors
    ///
    /// [`BuildError::Engine`] and [`BuildError::Component`].
    pub fn precompile(component: &[u8]) -> Result<Vec<u8>, BuildError> {
        let engine = Engine::new(&config()).map_err(|error| BuildError::engine(&error))?;
        engine.precompile_component(component).map_err(|error| BuildError::component(&error))
    }

    /// A place in the pool. Waits for one if all are taken.
    pub(crate) async fn place(&self) -> Place<'_> {
        let permit = match self.0.places.try_acquire() {
            Ok(permit) => Some(permit),
            // Nobody closes the semaphore, so the only other answer is that there is no place now.
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => self.0.places.acquire().await.ok(),
        };
        Place { _permit: permit, _running: self.0.ticker.running() }
    }

    /// Instances that have served a call.
    pub(crate) fn idle(&self) -> &Idle {
        &self.0.idle
    }

    /// A fresh instance, with its own memory and its own store.
    pub(crate) async fn instantiate(&self, hooks: AccessHooks) -> wasmtime::Result<Box<Instance>> {
        let mut store = Store::new(&self.0.engine, HostState::new(hooks, self.0.max_memory));
        store.limiter(|state| state.limiter());
        yield_at_each_tick(&mut store);
        let instance = self.0.component.instantiate_async(&mut store).await?;
        Ok(Box::new(Instance { store, exports: Exports::new(instance, Arc::clone(&self.0.exports)) }))
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Runtime")
            .field("free_places", &self.0.places.available_permits())
            .field("max_memory", &self.0.max_memory)
            .finish_non_exhaustive()
    }
}

/// A running call's place in the pool; the engine's epoch advances while there is one.
pub(crate) struct Place<'a> {
    _permit: Option<SemaphorePermit<'a>>,
    _running: Running,
}

impl RuntimeBuilder {
    /// Sets another component of the same world, as WebAssembly.
    #[must_use]
    pub fn component(mut self, component: impl Into<Vec<u8>>) -> Self {
        self.source = Source::WebAssembly(component.into());
        self
    }

    /// Sets a component that [`Runtime::precompile`] has compiled. Loads in well under a millisecond, without a compiler run.
    ///
    /// # Safety
    ///
    /// The bytes are machine code and are run as such. They must come from [`Runtime::precompile`], unaltered, and from where
    /// only the application's owner can write. (Another version's or processor's code is noticed and is a
    /// [`BuildError::Component`]; tampering is not.)
    #[must_use]
    pub unsafe fn precompiled(mut self, code: impl Into<Vec<u8>>) -> Self {
        self.source = Source::Precompiled(code.into());
        self
    }

    /// Sets where compiled code is kept. In the user's cache folder by default.
    #[must_use]
    pub fn cache(mut self, cache: CodeCache) -> Self {
        self.cache = cache;
        self
    }

    /// Sets the most linear memory that one call may use, in bytes. 64 MiB by default; below 4 MiB nothing works.
    #[must_use]
    pub fn max_memory(mut self, bytes: usize) -> Self {
        self.max_memory = bytes;
        self
    }

    /// Sets how many calls may run at once; more wait. 64 by default. 0 counts as 1, and more than 65,536 count as 65,536.
    #[must_use]
    pub fn max_calls(mut self, calls: u32) -> Self {
        self.max_calls = calls.clamp(1, MOST_CALLS);
        self
    }

    /// Sets how long an instance is kept that no call wants, for a call with the same credential to find it ready. 30 seconds by default.
    /// It has secrets of its last calls in its memory until then. With [`Duration::ZERO`] every call has an instance that no other call
    /// has had, and takes some microseconds longer.
    #[must_use]
    pub fn keep_idle_instances(mut self, time: Duration) -> Self {
        self.keep_idle = time;
        self
    }

    /// Compiles (or finds compiled) and links the component, and starts the thread that bounds its computing.
    ///
    /// # Errors
    ///
    /// [`BuildError::Engine`] and [`BuildError::Component`].
    pub fn build(self) -> Result<Runtime, BuildError> {
        let engine = self.engine()?;
        let component = match &self.source {
            Source::Built => Component::from_binary(&engine, COMPONENT),
            Source::WebAssembly(bytes) => Component::from_binary(&engine, bytes),
            // SAFETY: the caller of `precompiled` has promised that `precompile` made these bytes.
            Source::Precompiled(code) => unsafe { Component::deserialize(&engine, code) },
        };
        let component = component.map_err(|error| BuildError::component(&error))?;
        let mut linker = Linker::new(&engine);
        linker::add_to_linker(&mut linker)
            .and_then(|()| overrides::replace_in(&mut linker))
            .map_err(|error| BuildError::engine(&error))?;
        let component = linker.instantiate_pre(&component).map_err(|error| BuildError::component(&error))?;
        let exports = ExportIndices::of(&component).map_err(|error| BuildError::component(&error))?;
        let idle = Arc::new(Idle::new(self.max_calls as usize, self.keep_idle));
        let ticker = Ticker::start(&engine, &idle).map_err(|error| BuildError::Engine(error.into()))?;
        Ok(Runtime(Arc::new(Shared {
            engine,
            component,
            exports: Arc::new(exports),
            ticker,
            places: Semaphore::new(self.max_calls as usize),
            idle,
            max_memory: self.max_memory,
        })))
    }

    fn engine(&self) -> Result<Engine, BuildError> {
        let mut config = config();
        config.cache(self.code_cache()?);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(self.pool()));
        let pooled = Engine::new(&config);
        if let Err(error) = &pooled {
            tracing::warn!(%error, "no pool of instances: the system does not give the address space; memory is allocated per call");
            config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
            return Engine::new(&config).map_err(|error| BuildError::engine(&error));
        }
        pooled.map_err(|error| BuildError::engine(&error))
    }

    fn code_cache(&self) -> Result<Option<Cache>, BuildError> {
        let mut config = CacheConfig::new();
        match &self.cache {
            CodeCache::None => return Ok(None),
            CodeCache::UserFolder => {}
            CodeCache::Folder(folder) => {
                config.with_directory(folder);
            }
        }
        match (Cache::new(config), &self.cache) {
            (Ok(cache), _) => Ok(Some(cache)),
            (Err(error), CodeCache::Folder(_)) => Err(BuildError::engine(&error)),
            (Err(error), _) => {
                tracing::warn!(%error, "compiled code is not kept: there is no cache folder");
                Ok(None)
            }
        }
    }

    fn pool(&self) -> PoolingAllocationConfig {
        let places = self.max_calls * 2; // for the calls that run, and for as many idle instances
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(places)
            .total_core_instances(places * CORE_INSTANCES_PER_COMPONENT)
            .total_memories(places)
            .total_tables(places * TABLES_PER_COMPONENT)
            .total_stacks(places)
            .max_memory_size(self.max_memory)
            .linear_memory_keep_resident(KEEP_RESIDENT)
            .table_keep_resident(KEEP_RESIDENT)
            .pagemap_scan(Enabled::Auto); // where Linux has it, only what was touched is put back
        pool
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Built => formatter.write_str("Built"),
            Self::WebAssembly(bytes) => write!(formatter, "WebAssembly({} bytes)", bytes.len()),
            Self::Precompiled(code) => write!(formatter, "Precompiled({} bytes)", code.len()),
        }
    }
}
