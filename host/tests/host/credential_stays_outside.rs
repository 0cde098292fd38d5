//! The component's whole linear memory, after every operation, holds no credential. It is read through a memory that the
//! test itself gives to wasmtime, so nothing of it is missed.
//!
//! This is also how an application with a wasmtime of its own uses the parts of this crate one by one.

use std::collections::HashSet;
use std::slice;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use cloudflare_access_host::bindings::{PluginPre, service_tokens::Guest, types};
use cloudflare_access_host::egress::EgressPolicy;
use cloudflare_access_host::hooks::AccessHooks;
use cloudflare_access_host::transport::{Transport, TransportConfig};
use cloudflare_access_host::{BaseUrl, COMPONENT, Credentials, HostState, linker};
use cloudflare_access_simulator::{ACCOUNT_ID, API_KEY, API_TOKEN, EMAIL, Simulator};
use wasmtime::component::{Component, Linker};
use wasmtime::{Cache, CacheConfig, Config, Engine, LinearMemory, MemoryCreator, MemoryType, Result, Store};

use crate::CODE_CACHE;

const SIZE: usize = 64 << 20;

/// Makes memories of a fixed place and remembers them.
#[derive(Clone, Default)]
struct Watcher(Arc<Mutex<Vec<Watched>>>);

#[derive(Clone)]
struct Watched {
    start: usize,
    size: Arc<AtomicUsize>,
}

impl Watcher {
    /// Whether any memory of the component has a part of a secret that is worth having. A secret that was freed may be there
    /// in part only, since the allocator writes into what is free.
    fn find(&self, secret: &str) -> bool {
        const PART: usize = 12;
        let parts: HashSet<&[u8]> = secret.as_bytes().windows(PART).collect();
        let memories = self.0.lock().unwrap();
        assert!(!memories.is_empty(), "the component has no memory to look at");
        memories.iter().any(|memory| {
            // SAFETY: the memory is leaked, so it is still there; the component is not running.
            let bytes =
                unsafe { slice::from_raw_parts(memory.start as *const u8, memory.size.load(Ordering::Acquire)) };
            bytes.windows(PART).any(|window| parts.contains(window))
        })
    }
}

// SAFETY: the memory is zeroed, does not move, and has the size that is asked for; reservations and guards are off in the
// engine's settings.
unsafe impl MemoryCreator for Watcher {
    fn new_memory(
        &self,
        _: MemoryType,
        minimum: usize,
        _: Option<usize>,
        _: Option<usize>,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        assert_eq!(guard, 0);
        let start = Box::leak(vec![0_u8; SIZE].into_boxed_slice()).as_mut_ptr() as usize;
        let memory = Watched { start, size: Arc::new(AtomicUsize::new(minimum)) };
        self.0.lock().unwrap().push(memory.clone());
        Ok(Box::new(memory))
    }
}

// SAFETY: as above; growth stays within the allocation.
unsafe impl LinearMemory for Watched {
    fn byte_size(&self) -> usize {
        self.size.load(Ordering::Acquire)
    }

    fn byte_capacity(&self) -> usize {
        SIZE
    }

    fn grow_to(&mut self, new_size: usize) -> Result<()> {
        assert!(new_size <= SIZE);
        self.size.store(new_size, Ordering::Release);
        Ok(())
    }

    fn as_ptr(&self) -> *mut u8 {
        self.start as *mut u8
    }
}

struct Plugin {
    store: Store<HostState>,
    guest: Guest,
    memory: Watcher,
    options: types::RequestOptions,
}

impl Plugin {
    async fn new(simulator: &Simulator, hooks: AccessHooks, credentials: types::Credentials) -> Self {
        let memory = Watcher::default();
        let mut config = Config::new();
        config.with_host_memory(Arc::new(memory.clone()));
        config.memory_init_cow(false); // which needs a memory of wasmtime's own
        config.memory_reservation(0).memory_guard_size(0).memory_reservation_for_growth(0);
        let mut cache = CacheConfig::new();
        cache.with_directory(CODE_CACHE);
        config.cache(Some(Cache::new(cache).unwrap()));
        let engine = Engine::new(&config).unwrap();
        let mut linker = Linker::new(&engine);
        linker::add_to_linker(&mut linker).unwrap();
        let component = Component::from_binary(&engine, COMPONENT).unwrap();
        let component = PluginPre::new(linker.instantiate_pre(&component).unwrap()).unwrap();
        let mut store = Store::new(&engine, HostState::new(hooks, SIZE));
        let plugin = component.instantiate_async(&mut store).await.unwrap();
        let guest = plugin.cloudflare_access_service_tokens().clone();
        let options = types::RequestOptions {
            endpoint: Some(types::Endpoint { credentials, base_url: Some(simulator.base_url().to_owned()) }),
            timeout_ms: None,
            attempt_timeout_ms: None,
            max_retries: Some(0),
            headers: None,
        };
        Self { store, guest, memory, options }
    }

    async fn get(&mut self, id: &str) -> Result<types::ServiceToken, types::Error> {
        let account = types::Scope::Account(ACCOUNT_ID.to_owned());
        self.guest.call_get(&mut self.store, &account, id, Some(&self.options)).await.unwrap()
    }
}

fn hooks(simulator: &Simulator) -> AccessHooks {
    let base_url = BaseUrl::new(simulator.base_url()).unwrap();
    AccessHooks::new(Transport::new(TransportConfig::for_base_url(&base_url)).unwrap(), EgressPolicy::only(base_url))
}

#[tokio::test]
async fn no_operation_leaves_the_credential_in_the_components_memory() {
    for (credentials, secret) in
        [(Credentials::api_token(API_TOKEN), API_TOKEN), (Credentials::api_key(EMAIL, API_KEY), API_KEY)]
    {
        let simulator = Simulator::start().await.unwrap();
        let hooks = hooks(&simulator).with_credentials(&credentials).unwrap();
        let plugin = &mut Plugin::new(&simulator, hooks, types::Credentials::Host).await;
        let (account, options) = (types::Scope::Account(ACCOUNT_ID.to_owned()), Some(plugin.options.clone()));
        let Plugin { store, guest, memory, .. } = plugin;
        let options = options.as_ref();
        let clean =
            |operation: &str| assert!(!memory.find(secret), "the credential is in the memory after {operation}");

        let all = types::ListAllParams { name: None, search: None, per_page: None };
        let page = types::ListPageParams { name: None, search: None, page: None, per_page: None };
        let params = types::CreateParams {
            name: "CI".into(),
            duration: None,
            enabled: None,
            client_secret_version: None,
            previous_client_secret_expires_at: None,
        };
        let changes = types::UpdateParams {
            name: Some("CD".into()),
            duration: None,
            enabled: None,
            client_secret_version: None,
            previous_client_secret_expires_at: None,
        };
        let issued = guest.call_create(&mut *store, &account, &params, options).await.unwrap().unwrap();
        clean("create");
        assert!(memory.find(&issued.client_secret), "the search finds what is there");
        let id = issued.token.id.as_str();
        guest.call_get(&mut *store, &account, id, options).await.unwrap().unwrap();
        clean("get");
        guest.call_list_page(&mut *store, &account, &page, options).await.unwrap().unwrap();
        clean("list-page");
        guest.call_list_all(&mut *store, &account, &all, options).await.unwrap().unwrap();
        clean("list-all");
        guest.call_update(&mut *store, &account, id, &changes, options).await.unwrap().unwrap();
        clean("update");
        guest.call_refresh(&mut *store, ACCOUNT_ID, id, options).await.unwrap().unwrap();
        clean("refresh");
        let now = types::PreviousSecret::ExpiresNow;
        guest.call_rotate(&mut *store, ACCOUNT_ID, id, &now, options).await.unwrap().unwrap();
        clean("rotate");
        guest.call_delete(&mut *store, &account, id, options).await.unwrap().unwrap();
        clean("delete");
        guest.call_get(&mut *store, &account, id, options).await.unwrap().unwrap_err();
        clean("a get that fails");
        assert_eq!(simulator.request_count(), 9);
    }
}

/// The control: the same search finds a credential that is given to the component.
#[tokio::test]
async fn a_credential_that_the_component_is_given_is_found_in_its_memory() {
    let simulator = Simulator::start().await.unwrap();
    let mut plugin = Plugin::new(&simulator, hooks(&simulator), types::Credentials::ApiToken(API_TOKEN.into())).await;
    plugin.get("f174e90a-fafe-4643-bbbc-4a0ed4fc8415").await.unwrap_err();
    assert!(plugin.memory.find(API_TOKEN));
}

#[tokio::test]
async fn a_component_cannot_send_a_credential_of_its_own_past_the_hosts() {
    let simulator = Simulator::start().await.unwrap();
    let hooks = hooks(&simulator).with_credentials(&Credentials::api_token(API_TOKEN)).unwrap();
    let mut plugin = Plugin::new(&simulator, hooks, types::Credentials::ApiToken("of-the-component".into())).await;
    let error = plugin.get("f174e90a-fafe-4643-bbbc-4a0ed4fc8415").await.unwrap_err();
    assert!(matches!(error.kind, types::ErrorKind::DeniedByHost), "{error:?}");
    assert_eq!(simulator.request_count(), 0);
}

#[tokio::test]
async fn a_component_that_asks_for_another_path_of_the_origin_is_refused_and_the_credential_stays() {
    let simulator = Simulator::start().await.unwrap();
    let hooks = hooks(&simulator).with_credentials(&Credentials::api_token(API_TOKEN)).unwrap();
    let exchanges = hooks.exchanges();
    let mut plugin = Plugin::new(&simulator, hooks, types::Credentials::Host).await;
    let elsewhere = simulator.base_url().replace("/client/v4", "/client/v5");
    assert_ne!(elsewhere, simulator.base_url());
    plugin.options.endpoint.as_mut().unwrap().base_url = Some(elsewhere);
    let error = plugin.get("f174e90a-fafe-4643-bbbc-4a0ed4fc8415").await.unwrap_err();
    assert!(matches!(error.kind, types::ErrorKind::DeniedByHost), "{error:?}");
    assert_eq!((simulator.connections(), exchanges.requests()), (0, 0));
}

#[tokio::test]
async fn a_component_that_asks_for_another_origin_is_refused_and_the_credential_stays() {
    let (api, other) = (Simulator::start().await.unwrap(), Simulator::start().await.unwrap());
    let hooks = hooks(&api).with_credentials(&Credentials::api_token(API_TOKEN)).unwrap();
    let exchanges = hooks.exchanges();
    let mut plugin = Plugin::new(&other, hooks, types::Credentials::Host).await;
    let error = plugin.get("f174e90a-fafe-4643-bbbc-4a0ed4fc8415").await.unwrap_err();
    assert!(matches!(error.kind, types::ErrorKind::DeniedByHost), "{error:?}");
    assert_eq!((api.connections(), other.connections(), exchanges.requests()), (0, 0, 0));
}
