//! The component in stock wasmtime, and its functions one by one.
//!
//! A call that traps ends the test: whatever the server does, the contract knows only results.

use std::sync::OnceLock;

use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Engine, Store, StoreLimits, StoreLimitsBuilder};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView};

use crate::code_cache::with_code_cache;
use crate::component_under_test;
use crate::contract::{Stranger, StrangerPre, lifecycle, types};
use crate::hooks::{InMemory, Replies};
use crate::within;
use lifecycle::{Ensured, ExpiryReport, OverlappingToken, RefreshParams, RefreshReport, Selector};
use types::{
    CreateParams, Deletion, Error, IssuedToken, ListAllParams, ListPageParams, PreviousSecret, RequestOptions, Scope,
    ServiceToken, TokenPage, UpdateParams, UpdatedToken,
};

/// The component, compiled.
pub struct Host {
    engine: Engine,
    pre: StrangerPre<State>,
    /// The fuel that an instance begins with, where instructions are counted.
    fuel: Option<u64>,
}

/// What an instance gets.
pub struct Setup {
    /// The environment variables it sees.
    pub environment: Vec<(&'static str, String)>,
    /// The bytes of linear memory it may have.
    pub memory: usize,
    /// How requests leave; none: as wasmtime sends them.
    pub hooks: Option<Box<dyn WasiHttpHooks>>,
}

impl Default for Setup {
    /// No environment, 64 MiB, stock HTTP.
    fn default() -> Self {
        Self { environment: Vec::new(), memory: 64 << 20, hooks: None }
    }
}

impl Host {
    /// The one host of this process, with the component of the workspace, or the one in the file that the variable
    /// `TEST_COMPONENT` names.
    ///
    /// # Panics
    /// The component does not load.
    #[must_use]
    pub fn shared() -> &'static Self {
        static HOST: OnceLock<Host> = OnceLock::new();
        HOST.get_or_init(|| Self::load(component_under_test()).expect("the component loads"))
    }

    /// A host of the same component whose instances count the instructions that they execute. It is slower.
    ///
    /// # Panics
    /// The component does not load.
    #[must_use]
    pub fn counting_instructions() -> Self {
        let mut config = Config::new();
        config.consume_fuel(true);
        let host = Self::load_with(config, component_under_test()).expect("the component loads");
        Self { fuel: Some(u64::MAX), ..host }
    }

    /// Compiles a component, or takes its code from the cache.
    ///
    /// # Errors
    /// It is not one of the world `cloudflare:access/plugin`.
    pub fn load(component: &[u8]) -> wasmtime::Result<Self> {
        Self::load_with(Config::new(), component)
    }

    fn load_with(config: Config, component: &[u8]) -> wasmtime::Result<Self> {
        let engine = Engine::new(&with_code_cache(config)?)?;
        let component = Component::new(&engine, component)?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
        let pre = StrangerPre::new(linker.instantiate_pre(&component)?)?;
        Ok(Self { engine, pre, fuel: None })
    }

    /// An instance with no environment.
    pub async fn instance(&self) -> Instance {
        self.instance_with(Setup::default()).await
    }

    /// An instance whose host answers from memory, and the way to tell it what.
    pub async fn instance_in_memory(&self) -> (Instance, Replies) {
        let (host, replies) = InMemory::new();
        let setup = Setup { hooks: Some(Box::new(host)), ..Setup::default() };
        (self.instance_with(setup).await, replies)
    }

    /// An instance.
    ///
    /// # Panics
    /// It cannot be made.
    pub async fn instance_with(&self, setup: Setup) -> Instance {
        let mut wasi = WasiCtx::builder();
        for (name, value) in &setup.environment {
            wasi.env(name, value);
        }
        let state = State {
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            table: ResourceTable::new(),
            hooks: setup.hooks,
            limits: StoreLimitsBuilder::new().memory_size(setup.memory).build(),
            memory: 0,
        };
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| state);
        if let Some(fuel) = self.fuel {
            store.set_fuel(fuel).expect("the engine counts fuel");
        }
        let plugin = self.pre.instantiate_async(&mut store).await.expect("the component has an instance");
        Instance { store, plugin }
    }
}

/// What the host keeps for an instance.
pub struct State {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    table: ResourceTable,
    hooks: Option<Box<dyn WasiHttpHooks>>,
    limits: StoreLimits,
    memory: usize,
}

impl wasmtime::ResourceLimiter for State {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let may_grow = self.limits.memory_growing(current, desired, maximum)?;
        if may_grow {
            self.memory = desired;
        }
        Ok(may_grow)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        self.limits.table_growing(current, desired, maximum)
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let hooks = match &mut self.hooks {
            Some(hooks) => hooks.as_mut(),
            None => wasmtime_wasi_http::default_hooks(),
        };
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks }
    }
}

/// An instance of the component. Each function is that of the contract.
pub struct Instance {
    store: Store<State>,
    plugin: Stranger,
}

impl Instance {
    /// The bytes of linear memory it has now.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.store.data().memory
    }

    /// The instructions of WebAssembly that it has executed, where its host counts them: wasmtime takes one unit of fuel for
    /// almost each, whatever machine it runs on.
    ///
    /// # Panics
    /// The host does not count.
    #[must_use]
    pub fn instructions(&self) -> u64 {
        u64::MAX - self.store.get_fuel().expect("the host counts instructions")
    }
}

/// The functions of an interface, each the same: call, and a trap or a call without end is a failed test.
macro_rules! functions {
    ($interface:ident { $($name:ident($($argument:ident: $type:ty),*) -> $result:ty, $call:ident;)* }) => {
        #[allow(missing_docs, clippy::missing_errors_doc, clippy::missing_panics_doc, reason = "those of the contract")]
        impl Instance {
            $(pub async fn $name(&mut self, $($argument: $type,)* options: Option<&RequestOptions>) -> Result<$result, Error> {
                let functions = self.plugin.$interface();
                let call = functions.$call(&mut self.store, $($argument,)* options);
                within(concat!("the end of ", stringify!($name)), call).await.expect("no trap")
            })*
        }
    };
}

functions! { cloudflare_access_service_tokens {
    list_page(scope: &Scope, params: &ListPageParams) -> TokenPage, call_list_page;
    list_all(scope: &Scope, params: &ListAllParams) -> Vec<ServiceToken>, call_list_all;
    get(scope: &Scope, id: &str) -> ServiceToken, call_get;
    create(scope: &Scope, params: &CreateParams) -> IssuedToken, call_create;
    update(scope: &Scope, id: &str, params: &UpdateParams) -> UpdatedToken, call_update;
    delete(scope: &Scope, id: &str) -> Deletion, call_delete;
    refresh(account_id: &str, id: &str) -> ServiceToken, call_refresh;
    rotate(account_id: &str, id: &str, previous: &PreviousSecret) -> IssuedToken, call_rotate;
} }

functions! { cloudflare_access_lifecycle {
    expiring(scope: &Scope, within_seconds: u32) -> ExpiryReport, call_expiring;
    refresh_expiring(account_id: &str, params: &RefreshParams) -> RefreshReport, call_refresh_expiring;
    rotate_with_overlap(scope: &Scope, id: &str, seconds: u32, end_running: bool) -> OverlappingToken, call_rotate_with_overlap;
    end_overlap(scope: &Scope, id: &str) -> ServiceToken, call_end_overlap;
    extend_overlap(scope: &Scope, id: &str, seconds: u32) -> ServiceToken, call_extend_overlap;
    find(scope: &Scope, selector: &Selector) -> Vec<ServiceToken>, call_find;
    ensure(scope: &Scope, params: &CreateParams) -> Ensured, call_ensure;
    issue(account_id: &str, params: &CreateParams, key: &str) -> IssuedToken, call_issue;
    finish_issue(account_id: &str, key: &str) -> ServiceToken, call_finish_issue;
    resolve_create(scope: &Scope, name: &str, since: &str) -> Vec<ServiceToken>, call_resolve_create;
    disable(scope: &Scope, id: &str) -> ServiceToken, call_disable;
    enable(scope: &Scope, id: &str) -> ServiceToken, call_enable;
} }
