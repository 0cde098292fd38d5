//! How often memory is asked for, on the host and in the guest.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ops::Sub;

use cloudflare_access_host::bindings::{Plugin, types};
use tokio::runtime::Builder;

use crate::Server;
use crate::engine::Linked;
use crate::host_calls::options;

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

/// The system's allocator, counting for each thread. It costs a nanosecond or so, the same for whoever allocates.
#[derive(Debug, Clone, Copy, Default)]
pub struct CountingAllocator;

fn count(bytes: usize) {
    // At the end of a thread there is no count any more.
    let _ = OF_THIS_THREAD.try_with(|all| {
        let Allocations { count, bytes: before } = all.get();
        all.set(Allocations { count: count + 1, bytes: before + bytes as u64 });
    });
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

/// What the second `get` of an instance allocates in the guest, where `counted` is the component of `counted/`.
///
/// # Panics
/// The component does not load or does not count, or a `get` fails.
#[must_use]
pub fn guest_allocations_of_get(counted: &[u8]) -> Allocations {
    let server = Server::start(1);
    let linked = Linked::new(counted, server.base_url()).expect("the component loads");
    let executor = Builder::new_current_thread().enable_all().build().expect("an executor");
    executor.block_on(async {
        let mut store = linked.store();
        let instance = linked.component.instantiate_async(&mut store).await.expect("an instance");
        let allocations = instance
            .get_typed_func::<(), ((u64, u64),)>(&mut store, "allocations")
            .expect("the component counts its allocations");
        let plugin = Plugin::new(&mut store, &instance).expect("the component exports the contract");
        let mut counts = Vec::new();
        for _ in 0..2 {
            let scope = types::Scope::Account(server.account_id().to_owned());
            let tokens = plugin.cloudflare_access_service_tokens();
            let got = tokens.call_get(&mut store, &scope, server.token_id(), Some(&options(server.base_url()))).await;
            got.expect("no trap").expect("a token");
            let ((count, bytes),) = allocations.call_async(&mut store, ()).await.expect("no trap");
            counts.push(Allocations { count, bytes });
        }
        counts[1] - counts[0]
    })
}
