//! Computes and waits in turn, for ever.

use crate::prelude::*;
use crate::wasi::clocks::monotonic_clock::{now, subscribe_duration};

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    loop {
        let begun = now();
        while now() - begun < TURN {
            black_box(());
        }
        subscribe_duration(TURN).block();
    }
}

/// Nanoseconds that each takes.
const TURN: u64 = 2_000_000;
