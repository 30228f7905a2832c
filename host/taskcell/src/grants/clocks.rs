//! Clocks of a cell, as `wasi:clocks` shows them.
//!
//! A run can be repeated only if the handler sees the same times again. Times that the host itself writes, such as the
//! creation time of a task, are not the handler's and stay real.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtxBuilder};

/// Clocks that a cell sees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Clocks {
    /// The host's clocks.
    #[default]
    Real,
    /// In every cell the same. The wall clock stands at this time after 1970-01-01T00:00:00Z. The monotonic clock
    /// starts at zero and moves a millisecond each time it is read, so that a loop that waits for it ends; waiting
    /// for a duration takes as long as ever.
    Fixed(Duration),
}

/// Nanoseconds that each reading adds to the monotonic clock.
const STEP: u64 = 1_000_000;

impl Clocks {
    pub(crate) fn set(self, context: &mut WasiCtxBuilder) {
        if let Self::Fixed(now) = self {
            context.wall_clock(Standing(now)).monotonic_clock(Counting(AtomicU64::new(0)));
        }
    }
}

/// A wall clock that stands.
struct Standing(Duration);

impl HostWallClock for Standing {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(STEP)
    }

    fn now(&self) -> Duration {
        self.0
    }
}

/// A clock that counts how often it was read.
struct Counting(AtomicU64);

impl HostMonotonicClock for Counting {
    fn resolution(&self) -> u64 {
        STEP
    }

    fn now(&self) -> u64 {
        self.0.fetch_add(STEP, Ordering::Relaxed)
    }
}
