//! How many bytes of the heap are in use, counted where they are asked for and given back.
//!
//! Resident memory says little of a slow leak: the allocator keeps what was given back, in pieces that fit less and
//! less, so it rises for a long time where nothing is kept. What is in use is exact. It leaves out what C code
//! allocates (SQLite) and what is mapped (the memories of cells), which are in the resident memory.
#![allow(unsafe_code, reason = "a global allocator is an unsafe trait; all it does is to hand on and to count")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

#[global_allocator]
static COUNTED: Counted = Counted(AtomicUsize::new(0));

struct Counted(AtomicUsize);

/// Bytes in use.
pub(crate) fn bytes() -> usize {
    COUNTED.0.load(Relaxed)
}

// SAFETY: each call is handed on as it came, with the promises of its caller, and what the system gave is given on.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let block = unsafe { System.alloc(layout) };
        self.taken(block, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let block = unsafe { System.alloc_zeroed(layout) };
        self.taken(block, layout.size())
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        unsafe { System.dealloc(block, layout) };
        self.0.fetch_sub(layout.size(), Relaxed);
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let new = unsafe { System.realloc(block, layout, size) };
        if !new.is_null() {
            self.0.fetch_sub(layout.size(), Relaxed);
        }
        self.taken(new, size)
    }
}

impl Counted {
    fn taken(&self, block: *mut u8, size: usize) -> *mut u8 {
        if !block.is_null() {
            self.0.fetch_add(size, Relaxed);
        }
        block
    }
}

#[cfg(test)]
mod tests {
    /// Other tests may run beside it, and take far less.
    #[test]
    fn what_is_kept_counts_until_it_is_given_back() {
        const SIZE: usize = 1 << 30;
        let before = super::bytes();
        let mut kept = Vec::<u8>::with_capacity(SIZE);
        assert!(super::bytes() > before + SIZE / 2);
        kept.shrink_to(0);
        assert!(super::bytes() < before + SIZE / 2);
    }
}
