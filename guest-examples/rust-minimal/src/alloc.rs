//! The allocator. Each request runs in a fresh instance, and to grow the memory of an instance costs more than most
//! requests do. So allocations are placed one after another in a block that the instance starts with; what does not fit
//! goes to Rust's own allocator, which grows the memory.
//!
//! Nothing here needs a change. Without this file a handler works as well, and takes more time.
#![cfg(all(target_arch = "wasm32", not(target_feature = "atomics")))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, UnsafeCell};

/// The bytes of the block. Only those that are used take memory of the host.
const SIZE: usize = 512 * 1024;
/// The alignment of the block, and the largest of an allocation in it.
const ALIGN: usize = 16;

#[repr(C, align(16))]
struct Heap {
    /// Where the free part of the block begins.
    end: Cell<usize>,
    /// Number of allocations in the block. The block is free again when the last one is gone.
    live: Cell<usize>,
    block: UnsafeCell<[u8; SIZE]>,
}

#[global_allocator]
static HEAP: Heap = Heap { end: Cell::new(0), live: Cell::new(0), block: UnsafeCell::new([0; SIZE]) };

// SAFETY: an instance has one thread.
unsafe impl Sync for Heap {}

// SAFETY: allocations in the block lie between its ends and do not overlap, because `end` moves past each one and goes
// back only when none is left. The alignment holds from the block's own. All else is the system allocator's.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = self.end.get().next_multiple_of(layout.align());
        if layout.align() > ALIGN || layout.size() > SIZE.saturating_sub(start) {
            return unsafe { System.alloc(layout) };
        }
        self.end.set(start + layout.size());
        self.live.set(self.live.get() + 1);
        unsafe { self.block.get().cast::<u8>().add(start) }
    }

    unsafe fn dealloc(&self, allocation: *mut u8, layout: Layout) {
        let block = self.block.get().cast::<u8>();
        if !(block..block.wrapping_add(SIZE)).contains(&allocation) {
            return unsafe { System.dealloc(allocation, layout) };
        }
        self.live.set(self.live.get() - 1);
        if self.live.get() == 0 {
            self.end.set(0);
        }
    }
}
