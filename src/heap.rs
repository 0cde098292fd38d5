//! The memory that the guest allocates.
//!
//! A call allocates some thirty small blocks and frees nearly all of them, so what counts is a short way for those: one list of free
//! blocks for each size. Larger blocks come from spans in the order of their addresses, which grow together again. Against the allocator
//! of the standard library this takes 8 kB off the component and a sixth off the instructions of a `get`; the crates that are as
//! small (talc, rlsf) take 5 to 10 % more instructions than the standard library's.
//!
//! A small block that was freed stays one of its size. Nothing here is read or written but blocks that are free.

#![expect(clippy::cast_ptr_alignment, reason = "a small block is at a multiple of `STEP`, a span at one of `UNIT`")]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::ptr::null_mut;

/// Where a heap has its memory from.
pub trait Pages {
    /// Some more, and how much, if possible so many bytes. It starts and ends at a multiple of [`UNIT`]. None: there is no more.
    fn more(&self, bytes: usize) -> Option<(*mut u8, usize)>;
}

/// Of which the size and the place of every span are a multiple.
pub const UNIT: usize = 16;
/// Small blocks are multiples of this up to `FINE`, and then of `COARSE` up to `SMALL`.
const STEP: usize = 8;
const FINE: usize = 128;
const COARSE: usize = 64;
const SMALL: usize = 1024;
const FINE_SIZES: usize = FINE >> STEP.ilog2();
const SIZES: usize = FINE_SIZES + ((SMALL - FINE) >> COARSE.ilog2());
/// Small blocks are cut from a span of this size, one after the other.
const CHUNK: usize = 4096;

/// A heap for one thread.
pub struct Heap<P> {
    pages: P,
    /// The first free small block of each size, which begins with the address of the next. None has the size 0.
    small: [Cell<*mut u8>; SIZES + 1],
    /// What is left to cut small blocks from.
    chunk: Cell<*mut u8>,
    chunk_left: Cell<usize>,
    spans: Cell<*mut Span>,
}

/// The beginning of a free span.
struct Span {
    next: *mut Self,
    size: usize,
}

impl<P> Heap<P> {
    pub const fn new(pages: P) -> Self {
        Self {
            pages,
            small: [const { Cell::new(null_mut()) }; SIZES + 1],
            chunk: Cell::new(null_mut()),
            chunk_left: Cell::new(0),
            spans: Cell::new(null_mut()),
        }
    }
}

/// Which of the sizes of small blocks is the least that holds this; none, if the block is none of the small ones.
fn small_size(layout: Layout) -> Option<usize> {
    if layout.align() > STEP || layout.size() > SMALL {
        None
    } else if layout.size() <= FINE {
        Some(layout.size().wrapping_add(STEP - 1) >> STEP.ilog2())
    } else {
        Some(FINE_SIZES.wrapping_add(layout.size().wrapping_sub(FINE).wrapping_add(COARSE - 1) >> COARSE.ilog2()))
    }
}

/// The bytes of a block of this one of the sizes.
fn bytes(small_size: usize) -> usize {
    match small_size.checked_sub(FINE_SIZES) {
        None | Some(0) => small_size << STEP.ilog2(),
        Some(coarse) => FINE.wrapping_add(coarse << COARSE.ilog2()),
    }
}

/// The size of a span that holds this. No layout is so large that this would be too large.
fn span_size(bytes: usize) -> usize {
    bytes.wrapping_add(UNIT - 1) & !(UNIT - 1)
}

impl<P: Pages> Heap<P> {
    fn small_block(&self, small_size: usize) -> *mut u8 {
        let Some(list) = self.small.get(small_size) else { return null_mut() };
        let block = list.get();
        if block.is_null() {
            return self.cut(bytes(small_size));
        }
        // SAFETY: the list holds free blocks, and each the address of the next.
        list.set(unsafe { block.cast::<*mut u8>().read() });
        block
    }

    /// # Safety
    /// There is a block of this size that nobody uses any more.
    unsafe fn free_small(&self, block: *mut u8, small_size: usize) {
        let Some(list) = self.small.get(small_size) else { return };
        // SAFETY: the caller says so, and the least block holds an address.
        unsafe { block.cast::<*mut u8>().write(list.replace(block)) };
    }

    #[inline(never)]
    fn cut(&self, size: usize) -> *mut u8 {
        if self.chunk_left.get() < size {
            let chunk = self.span(CHUNK, UNIT);
            if chunk.is_null() {
                return chunk;
            }
            let mut rest = self.chunk.replace(chunk);
            let mut left = self.chunk_left.replace(CHUNK);
            while left > 0 {
                let size = left.min(FINE);
                // SAFETY: nobody has had the rest of the chunk, and its size is a multiple of `STEP`.
                unsafe { self.free_small(rest, size >> STEP.ilog2()) };
                rest = rest.wrapping_add(size);
                left = left.saturating_sub(size);
            }
        }
        let block = self.chunk.get();
        self.chunk.set(block.wrapping_add(size));
        self.chunk_left.set(self.chunk_left.get().wrapping_sub(size));
        block
    }

    /// The first place that is large enough.
    #[inline(never)]
    fn span(&self, size: usize, align: usize) -> *mut u8 {
        let mut link = self.spans.as_ptr();
        // SAFETY: `link` is `spans` or the `next` of a free span, and each of those is null or a free span of its size.
        unsafe {
            loop {
                let span = *link;
                if span.is_null() {
                    let Some((start, size)) = self.pages.more(size.saturating_add(align)) else { return null_mut() };
                    self.free_span(start, size);
                    link = self.spans.as_ptr();
                    continue;
                }
                let Span { mut next, size: whole } = *span;
                let before = span.cast::<u8>().align_offset(align);
                if let Some(after) = whole.checked_sub(before).and_then(|rest| rest.checked_sub(size)) {
                    let start = span.cast::<u8>().wrapping_add(before);
                    if after > 0 {
                        let rest = start.wrapping_add(size).cast::<Span>();
                        rest.write(Span { next, size: after });
                        next = rest;
                    }
                    if before > 0 {
                        span.write(Span { next, size: before });
                    } else {
                        *link = next;
                    }
                    return start;
                }
                link = &raw mut (*span).next;
            }
        }
    }

    /// # Safety
    /// The span is nobody's.
    #[inline(never)]
    unsafe fn free_span(&self, start: *mut u8, mut size: usize) {
        let span = start.cast::<Span>();
        let mut link = self.spans.as_ptr();
        let mut before: *mut Span = null_mut();
        // SAFETY: as in `span`. What lies between two free spans is somebody's, so none overlaps.
        unsafe {
            while !(*link).is_null() && *link < span {
                before = *link;
                link = &raw mut (*before).next;
            }
            let mut next = *link;
            if !next.is_null() && start.wrapping_add(size).cast() == next {
                size = size.wrapping_add((*next).size);
                next = (*next).next;
            }
            if !before.is_null() && before.cast::<u8>().wrapping_add((*before).size) == start {
                before.write(Span { next, size: (*before).size.wrapping_add(size) });
            } else {
                span.write(Span { next, size });
                *link = span;
            }
        }
    }

    /// Makes a span longer where it is, if what follows it is free.
    fn extend(&self, start: *mut u8, size: usize, more: usize) -> bool {
        let end = start.wrapping_add(size).cast::<Span>();
        let mut link = self.spans.as_ptr();
        // SAFETY: as in `span`.
        unsafe {
            while !(*link).is_null() && *link < end {
                link = &raw mut (**link).next;
            }
            if end.is_null() || *link != end {
                return false;
            }
            let Span { next, size: free } = *end;
            match free.checked_sub(more) {
                None => return false,
                Some(0) => *link = next,
                Some(left) => {
                    let rest = end.cast::<u8>().wrapping_add(more).cast::<Span>();
                    rest.write(Span { next, size: left });
                    *link = rest;
                }
            }
        }
        true
    }
}

// SAFETY: a block that is given out is in no list, nor in the chunk, until it comes back.
unsafe impl<P: Pages> GlobalAlloc for Heap<P> {
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match small_size(layout) {
            Some(small_size) => self.small_block(small_size),
            None => self.span(span_size(layout.size()), layout.align()),
        }
    }

    #[inline(never)]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller has it from `alloc` with this layout.
        unsafe {
            match small_size(layout) {
                Some(small_size) => self.free_small(block, small_size),
                None => self.free_span(block, span_size(layout.size())),
            }
        }
    }

    #[inline(never)]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller says that there is such a layout.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        let (had, wanted) = (span_size(layout.size()), span_size(size));
        match (small_size(layout), small_size(new)) {
            (Some(old), Some(new)) if old == new => return block,
            (None, None) if wanted <= had => {
                if wanted < had {
                    // SAFETY: the caller has it from `alloc` with this layout, and needs this part of it no longer.
                    unsafe { self.free_span(block.wrapping_add(wanted), had.wrapping_sub(wanted)) };
                }
                return block;
            }
            (None, None) if self.extend(block, had, wanted.wrapping_sub(had)) => return block,
            _ => {}
        }
        // SAFETY: both blocks are of their layouts, and the caller has the old one from `alloc`.
        unsafe {
            let moved = self.alloc(new);
            if !moved.is_null() {
                moved.copy_from_nonoverlapping(block, layout.size().min(size));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}

/// The linear memory of the guest, behind what the linker has put into it. Where there is a C library, it has its own allocator.
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod linear_memory {
    use core::arch::wasm32::{memory_grow, memory_size};
    use std::cell::Cell;
    use std::ptr::without_provenance_mut;

    use super::{Heap, Pages, span_size};

    #[global_allocator]
    static HEAP: Heap<LinearMemory> = Heap::new(LinearMemory { has_begun: Cell::new(false) });

    // SAFETY: this target has one thread.
    unsafe impl<P> Sync for Heap<P> {}

    const PAGE: usize = 64 * 1024;

    struct LinearMemory {
        has_begun: Cell<bool>,
    }

    impl Pages for LinearMemory {
        fn more(&self, bytes: usize) -> Option<(*mut u8, usize)> {
            if !self.has_begun.replace(true) {
                let (start, size) = rest_of_the_first_pages();
                if size > 0 {
                    return Some((start, size));
                }
            }
            let pages = bytes.div_ceil(PAGE);
            let before = memory_grow::<0>(pages);
            (before != usize::MAX).then(|| (address(before), pages.wrapping_mul(PAGE)))
        }
    }

    fn address(page: usize) -> *mut u8 {
        without_provenance_mut(page.wrapping_mul(PAGE))
    }

    /// What a memory has at the start and the linker has not used. It costs nothing, while growing costs system calls of the host.
    fn rest_of_the_first_pages() -> (*mut u8, usize) {
        unsafe extern "C" {
            static __heap_base: u8;
        }
        let used = span_size((&raw const __heap_base).addr());
        let start = without_provenance_mut(used);
        (start, memory_size::<0>().wrapping_mul(PAGE).saturating_sub(used))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Gives out one piece of memory, piece by piece, with a gap after each.
    struct Pieces {
        memory: Vec<u128>,
        given: Cell<usize>,
        at_least: usize,
        gap: usize,
    }

    impl Pieces {
        fn of(size: usize, at_least: usize, gap: usize) -> Self {
            Self { memory: vec![0; size / UNIT], given: Cell::new(0), at_least, gap }
        }
    }

    impl Pages for Pieces {
        fn more(&self, bytes: usize) -> Option<(*mut u8, usize)> {
            let size = span_size(bytes.max(self.at_least));
            let start = self.given.get();
            let end = start.checked_add(size).filter(|end| *end <= self.memory.len() * UNIT)?;
            self.given.set(end + self.gap);
            Some((self.memory.as_ptr().cast::<u8>().cast_mut().wrapping_add(start), size))
        }
    }

    /// A block that is in use, full of one byte that it should keep.
    struct Block {
        start: *mut u8,
        layout: Layout,
        byte: u8,
    }

    impl Block {
        fn new(heap: &Heap<Pieces>, layout: Layout, byte: u8) -> Option<Self> {
            let start = unsafe { heap.alloc(layout) };
            (!start.is_null()).then(|| Self { start, layout, byte }.filled())
        }

        fn filled(self) -> Self {
            assert_eq!(self.start.align_offset(self.layout.align()), 0);
            unsafe { self.start.write_bytes(self.byte, self.layout.size()) };
            self
        }

        fn check(&self, size: usize) {
            let bytes = unsafe { std::slice::from_raw_parts(self.start, size) };
            assert!(bytes.iter().all(|byte| *byte == self.byte), "a block of {:?} was written to", self.layout);
        }

        fn resize(&mut self, heap: &Heap<Pieces>, size: usize) {
            self.check(self.layout.size());
            let start = unsafe { heap.realloc(self.start, self.layout, size) };
            if start.is_null() {
                return;
            }
            let kept = self.layout.size().min(size);
            self.layout = Layout::from_size_align(size, self.layout.align()).expect("a layout");
            self.start = start;
            self.check(kept);
            unsafe { start.write_bytes(self.byte, size) };
        }

        fn free(self, heap: &Heap<Pieces>) {
            self.check(self.layout.size());
            unsafe { heap.dealloc(self.start, self.layout) };
        }
    }

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).expect("a layout")
    }

    #[test]
    fn each_small_size_holds_what_is_counted_to_it_and_wastes_little() {
        for size in 1..=SMALL {
            let given = bytes(small_size(layout(size, 8)).expect("small"));
            assert!((size..size + if size <= FINE { STEP } else { COARSE }).contains(&given), "{size}: {given}");
        }
        assert_eq!((small_size(layout(SMALL + 1, 1)), small_size(layout(8, 16))), (None, None));
        assert_eq!(small_size(layout(SMALL, 8)), Some(SIZES));
    }

    #[test]
    fn what_is_freed_is_used_again() {
        for size in [1, 40, 128, 1000, 1025, 70_000] {
            let heap = Heap::new(Pieces::of(1 << 20, 0, 0));
            for _ in 0..10_000 {
                Block::new(&heap, layout(size, 8), 7).expect("memory").free(&heap);
            }
            assert!(heap.pages.given.get() <= size.max(CHUNK) + 2 * UNIT, "{size}: {}", heap.pages.given.get());
        }
    }

    #[test]
    fn a_block_that_moves_leaves_its_old_place_to_others() {
        let heap = Heap::new(Pieces::of(1 << 20, 0, 0));
        for _ in 0..1000 {
            let mut block = Block::new(&heap, layout(40, 8), 7).expect("memory");
            for size in [600, 5000, 50] {
                block.resize(&heap, size);
            }
            block.free(&heap);
        }
        assert!(heap.pages.given.get() <= 2 * CHUNK + 5000, "{}", heap.pages.given.get());
    }

    #[test]
    fn what_a_chunk_has_left_serves_smaller_blocks() {
        let heap = Heap::new(Pieces::of(2 * (CHUNK + UNIT), 0, 0));
        let mut blocks: Vec<_> = (0..8).filter_map(|_| Block::new(&heap, layout(960, 8), 1)).collect();
        assert_eq!(blocks.len(), 8);
        blocks.extend((0..4).filter_map(|_| Block::new(&heap, layout(128, 8), 2)));
        assert_eq!(blocks.len(), 12);
        for block in &blocks {
            block.check(block.layout.size());
        }
    }

    #[test]
    fn freed_spans_grow_together_in_any_order_and_none_is_lost() {
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let heap = Heap::new(Pieces::of(7 << 10, 7 << 10, 0));
            let mut blocks = [2000, 3008, 2160].map(|size| Block::new(&heap, layout(size, 8), 1));
            assert!(blocks.iter().all(Option::is_some) && Block::new(&heap, layout(2000, 8), 1).is_none());
            for index in order {
                blocks[index].take().expect("a block").free(&heap);
            }
            assert!(Block::new(&heap, layout(7 << 10, 8), 1).is_some(), "{order:?}");
        }
    }

    #[test]
    fn a_large_block_grows_and_shrinks_where_it_is() {
        let heap = Heap::new(Pieces::of(64 << 10, 64 << 10, 0));
        let mut block = Block::new(&heap, layout(2000, 8), 1).expect("memory");
        let start = block.start;
        for size in [4000, 40_000, 64 << 10, 3000, 64 << 10] {
            block.resize(&heap, size);
            assert_eq!((block.start, block.layout.size()), (start, size));
        }
        block.resize(&heap, 65 << 10);
        assert_eq!(block.layout.size(), 64 << 10, "there is no more");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        #[test]
        fn no_block_is_given_out_twice_and_none_is_written_to(
            at_least in 0..10_000_usize,
            gap in prop_oneof![Just(0), Just(48)],
            steps in vec((0..3, 0..64_usize, prop_oneof![1..200_usize, 1..3000_usize, 1..40_000_usize], 0..7_u32), 1..200),
        ) {
            let heap = Heap::new(Pieces::of(256 << 10, at_least, gap));
            let mut blocks: Vec<Block> = Vec::new();
            for ((step, which, size, align), byte) in steps.into_iter().zip((0..=u8::MAX).cycle()) {
                let index = which.checked_rem(blocks.len());
                match (step, index) {
                    (1, Some(index)) => blocks.swap_remove(index).free(&heap),
                    (2, Some(index)) => blocks[index].resize(&heap, size),
                    _ => blocks.extend(Block::new(&heap, layout(size, 1 << align), byte)),
                }
            }
            for block in blocks {
                block.free(&heap);
            }
        }
    }
}
