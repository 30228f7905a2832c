//! Calls itself until the stack is used up.

use crate::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    Ok(said(&recurse().to_string()))
}

/// What follows the inner call keeps this from becoming a loop, and no local has an address: the part of the stack that
/// lies in memory is not to end first.
fn recurse() -> u64 {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    if CALLS.fetch_add(1, Relaxed) == u64::MAX {
        return 1;
    }
    recurse().wrapping_mul(3).rotate_left(7)
}
