//! An allocator for cells that live for one request: it hands out memory upwards and takes nothing back.
//!
//! The heap starts in the memory that the component is instantiated with, so an ordinary request needs no
//! `memory.grow`, which costs the host more than the request itself. Fresh memory is zero and is not part of
//! the component's image.

#![allow(unsafe_code, reason = "a global allocator is an unsafe trait; the proof stands at its impl")]

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32::{memory_grow, memory_size};
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The unit of `memory_size` and `memory_grow`.
const PAGE: usize = 65_536;

/// How many pages to grow by at least, so that a large request grows its memory few times.
const GROWTH: usize = 16;

unsafe extern "C" {
    /// The first byte after stack and data; the linker sets it.
    safe static __heap_base: u8;
}

/// The allocator's whole state.
struct Bump {
    /// The end of the last block, or zero before the first. Atomic only to be `Sync` without `unsafe`:
    /// a component has one thread, where these are plain loads and stores.
    end: AtomicUsize,
}

#[global_allocator]
static HEAP: Bump = Bump { end: AtomicUsize::new(0) };

impl Bump {
    /// Where free memory starts.
    fn end(&self) -> usize {
        match self.end.load(Relaxed) {
            0 => (&raw const __heap_base).addr(),
            end => end,
        }
    }

    /// Makes `start..start + size` the last block, or changes nothing when memory is out.
    fn place(&self, start: usize, size: usize) -> Option<usize> {
        let end = start.checked_add(size)?;
        let missing = end.div_ceil(PAGE).saturating_sub(memory_size::<0>());
        if missing > 0 && !grow(missing.max(GROWTH)) && !grow(missing) {
            return None;
        }
        self.end.store(end, Relaxed);
        Some(start)
    }

    /// Places a block after the last one.
    fn push(&self, layout: Layout) -> Option<usize> {
        let mask = layout.align() - 1;
        let start = self.end().checked_add(mask)? & !mask;
        self.place(start, layout.size())
    }
}

/// Grows the memory by so many pages; false when the host refuses.
fn grow(pages: usize) -> bool {
    memory_grow::<0>(pages) != usize::MAX
}

/// The block at an address, or null for none.
fn pointer(start: Option<usize>) -> *mut u8 {
    start.map_or(ptr::null_mut(), ptr::with_exposed_provenance_mut)
}

// SAFETY:
// - Nobody else uses memory from `__heap_base` up: the linker puts stack and data below it, and all of Rust,
//   `cabi_realloc` included, allocates here.
// - Blocks do not overlap: `push` starts each at or after the end of the last, `place` moves that end past
//   the block, and the end moves back only when the last block itself shrinks.
// - A block is aligned, as `push` rounds its start up to the alignment (a power of two), and lies within the
//   memory, as `place` grows the memory first and fails when it cannot.
// - A block keeps its bytes until the cell ends, as nothing is freed. `alloc_zeroed` is the trait's own,
//   which writes the zeros: a shrunken block may have left bytes behind.
// - No call comes in between of another: a component has one thread and no signals, and nothing here
//   allocates or panics.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        pointer(self.push(layout))
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let start = block.expose_provenance();
        // The last block changes its size in place: this is how strings and lists grow as a rule.
        if start + layout.size() == self.end() {
            return pointer(self.place(start, size));
        }
        if size <= layout.size() {
            return block;
        }
        // SAFETY: the caller promises that `size`, rounded up to the alignment, fits an isize.
        let new = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
        if !new.is_null() {
            // SAFETY: the old block holds `layout.size()` bytes, the new one more, and they do not overlap.
            unsafe { ptr::copy_nonoverlapping(block, new, layout.size()) };
        }
        new
    }
}

#[cfg(target_feature = "atomics")]
compile_error!("the allocator's loads and stores assume a single thread");
