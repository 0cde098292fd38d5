//! The guest as it is, with an allocator that counts, and two exports more: one tells the count, the other makes one of the next
//! allocations trap, so that the backtrace of the trap tells where it was.

#![cfg(target_family = "wasm")]

extern crate cloudflare_access as _;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

/// Generated from the world below.
#[allow(warnings, clippy::all, clippy::pedantic)]
mod bindings {
    wit_bindgen::generate!({
        inline: "
            package cloudflare:access-counted;
            world counted {
                /// How often memory was asked for so far, and how many bytes that were.
                export allocations: func() -> tuple<u64, u64>;
                /// Traps at the next allocation but so many.
                export trap-after: func(allocations: u64);
            }
        ",
    });
}

struct Counted;

impl bindings::Guest for Counted {
    fn allocations() -> (u64, u64) {
        (COUNT.load(Ordering::Relaxed), BYTES.load(Ordering::Relaxed))
    }

    fn trap_after(allocations: u64) {
        TRAP_AT.store(COUNT.load(Ordering::Relaxed) + allocations, Ordering::Relaxed);
    }
}

bindings::export!(Counted with_types_in bindings);

static COUNT: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);
static TRAP_AT: AtomicU64 = AtomicU64::new(u64::MAX);

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(bytes: usize) {
    if COUNT.fetch_add(1, Ordering::Relaxed) == TRAP_AT.load(Ordering::Relaxed) {
        std::arch::wasm32::unreachable();
    }
    BYTES.fetch_add(bytes as u64, Ordering::Relaxed);
}

// SAFETY: each is the system's own, which keeps what the trait asks for.
unsafe impl GlobalAlloc for Counting {
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
