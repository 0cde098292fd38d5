//! How often memory is asked for, on the host and in the guest.

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Sub;

use cloudflare_access_host::HostState;
use cloudflare_access_host::bindings::Plugin;
use rustc_demangle::demangle;
use tokio::runtime::Builder;
use wasmtime::component::{ComponentNamedList, Instance, Lift, Lower};
use wasmtime::{Store, WasmBacktrace};

use crate::Server;
use crate::engine::{self, Linked};
use crate::sizes::krate;

/// How often memory was asked for, a larger place for the same included, and how many bytes that were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Allocations {
    /// How often.
    pub count: u64,
    /// The bytes of all of them.
    pub bytes: u64,
}

impl Sub for Allocations {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self { count: self.count - earlier.count, bytes: self.bytes - earlier.bytes }
    }
}

thread_local! {
    static OF_THIS_THREAD: Cell<Allocations> = const { Cell::new(Allocations { count: 0, bytes: 0 }) };
    static IS_TRACED: Cell<bool> = const { Cell::new(false) };
    static TRACES: RefCell<Vec<Backtrace>> = const { RefCell::new(Vec::new()) };
}

impl Allocations {
    /// What a thread with a [`CountingAllocator`] asks for while it works. What other threads do, such as that of a server, does
    /// not count.
    pub fn of(work: impl FnOnce()) -> Self {
        let before = OF_THIS_THREAD.get();
        work();
        OF_THIS_THREAD.get() - before
    }
}

/// How many allocations each crate makes while a thread with a [`CountingAllocator`] works: the innermost crate but the standard
/// library whose function has not been inlined.
pub fn allocations_by_crate(work: impl FnOnce()) -> BTreeMap<String, usize> {
    IS_TRACED.set(true);
    work();
    IS_TRACED.set(false);
    let mut crates = BTreeMap::new();
    for trace in TRACES.take() {
        let text = trace.to_string();
        let functions = text.lines().filter_map(|line| line.trim().split_once(": ")).map(|(_, function)| function);
        let mut own = functions.filter_map(krate).filter(|krate| {
            // The allocator is in the last one.
            !["core", "alloc", "std", "__rustc", "__rust_alloc", "cloudflare_access_benches"].contains(krate)
        });
        *crates.entry(own.next().unwrap_or("std").to_owned()).or_default() += 1;
    }
    crates
}

/// The system's allocator, counting for each thread. It costs a nanosecond or so, the same for whoever allocates.
#[derive(Debug, Clone, Copy, Default)]
pub struct CountingAllocator;

fn count(bytes: usize) {
    // At the end of a thread there is no count any more.
    let _ = OF_THIS_THREAD.try_with(|all| {
        let Allocations { count, bytes: before } = all.get();
        all.set(Allocations { count: count + 1, bytes: before + bytes as u64 });
    });
    if IS_TRACED.try_with(|traced| traced.replace(false)).unwrap_or(false) {
        // What tracing allocates itself is not traced.
        let trace = Backtrace::force_capture();
        TRACES.with_borrow_mut(|traces| traces.push(trace));
        IS_TRACED.set(true);
    }
}

// SAFETY: each is the system's own, which keeps what the trait asks for.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as the caller's.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: as the caller's.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// What the second `get` of an instance allocates in the guest, where `counted` is the component of `guests/counted/`.
///
/// # Panics
/// The component does not load or does not count, or a `get` fails.
#[must_use]
pub fn guest_allocations_of_get(counted: &[u8]) -> Allocations {
    let guest = CountedGuest::new(counted);
    guest.executor.block_on(async {
        let mut instance = guest.warm_instance().await;
        let before = instance.allocations().await;
        instance.get(&guest.server).await.expect("no trap");
        instance.allocations().await - before
    })
}

/// Where an allocation of the guest is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The innermost function of the guest itself, bindings apart. None: the bindings or the host asked by themselves.
    pub function: Option<String>,
    /// The crate that it asked through, if it did not ask the standard library itself; `bindings` for those.
    pub through: Option<String>,
}

/// Where each of them is, in their order. `readable` is the component of `guests/counted/` with nothing inlined.
///
/// # Panics
/// As [`guest_allocations_of_get`].
#[must_use]
pub fn places_of_guest_allocations(readable: &[u8]) -> Vec<Place> {
    let guest = CountedGuest::new(readable);
    guest.executor.block_on(async {
        let mut places = Vec::new();
        loop {
            let mut instance = guest.warm_instance().await;
            instance.trap_after(u64::try_from(places.len()).expect("not that many")).await;
            let Err(trap) = instance.get(&guest.server).await else { return places };
            let backtrace = trap.downcast_ref::<WasmBacktrace>().expect("a trap tells where it was");
            let frames = backtrace.frames().iter().filter_map(|frame| frame.func_name());
            places.push(Place::of(&frames.map(|name| format!("{:#}", demangle(name))).collect::<Vec<_>>()));
        }
    })
}

impl Place {
    /// Out of the functions that are under way, the innermost first.
    fn of(functions: &[String]) -> Self {
        const GUEST: &str = "cloudflare_access";
        let own = |function: &&String| krate(function) == Some(GUEST) && !function.contains("::bindings::");
        let through = functions.iter().find_map(|function| match krate(function)? {
            "core" | "alloc" | "std" | "__rustc" | "wit_bindgen" | "cloudflare_access_counted" => None,
            GUEST if function.contains("::bindings::") => Some("bindings"),
            krate => Some(krate),
        });
        Self {
            function: functions.iter().find(own).map(|function| function.replace("::{{closure}}", "")),
            through: through.filter(|krate| *krate != GUEST).map(|krate| match krate {
                "waki" => "bindings".to_owned(),
                krate => krate.to_owned(),
            }),
        }
    }
}

/// The component of `guests/counted/`, and a server for its calls.
struct CountedGuest {
    linked: Linked,
    server: Server,
    executor: tokio::runtime::Runtime,
}

impl CountedGuest {
    fn new(component: &[u8]) -> Self {
        let server = Server::start(1);
        let linked = Linked::new(component, server.base_url()).expect("the component loads");
        let executor = Builder::new_current_thread().enable_all().build().expect("an executor");
        Self { linked, server, executor }
    }

    /// One that has served a call.
    async fn warm_instance(&self) -> CountedInstance {
        let mut store = self.linked.store();
        let instance = self.linked.component.instantiate_async(&mut store).await.expect("an instance");
        let mut warm = CountedInstance { store, instance };
        warm.get(&self.server).await.expect("no trap");
        warm
    }
}

struct CountedInstance {
    store: Store<HostState>,
    instance: Instance,
}

impl CountedInstance {
    /// The error is a trap.
    async fn get(&mut self, server: &Server) -> wasmtime::Result<()> {
        let plugin = Plugin::new(&mut self.store, &self.instance).expect("the component exports the contract");
        engine::get(&plugin, &mut self.store, server).await
    }

    async fn allocations(&mut self) -> Allocations {
        let ((count, bytes),) = self.call::<(), ((u64, u64),)>("allocations", ()).await;
        Allocations { count, bytes }
    }

    async fn trap_after(&mut self, allocations: u64) {
        self.call::<(u64,), ()>("trap-after", (allocations,)).await;
    }

    async fn call<P, R>(&mut self, name: &str, parameters: P) -> R
    where
        P: ComponentNamedList + Lower + Send + Sync,
        R: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        let function = self.instance.get_typed_func::<P, R>(&mut self.store, name);
        function.expect("the component counts").call_async(&mut self.store, parameters).await.expect("no trap")
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn an_allocation_is_where_the_guest_asked_for_it() {
        let place = |functions: &[&str]| {
            let place = Place::of(&functions.iter().map(ToString::to_string).collect::<Vec<_>>());
            (place.function.unwrap_or_default(), place.through.unwrap_or_default())
        };
        let own = "cloudflare_access::operations::get::{{closure}}";
        let bindings = "cloudflare_access::bindings::exports::cloudflare::access::service_tokens::_export_get_cabi";
        let text = |function: &str, through: &str| (function.to_owned(), through.to_owned());
        assert_eq!(
            place(&["alloc::vec::Vec<T,A>::reserve", own, bindings]),
            text("cloudflare_access::operations::get", "")
        );
        assert_eq!(
            place(&["<bytes::Bytes as core::clone::Clone>::clone", own, bindings]),
            text("cloudflare_access::operations::get", "bytes")
        );
        assert_eq!(place(&["alloc::alloc::alloc", bindings]), text("", "bindings"));
        assert_eq!(place(&["alloc::alloc::alloc", "wit_bindgen::rt::cabi_realloc", "cabi_realloc"]), text("", ""));
    }
}
