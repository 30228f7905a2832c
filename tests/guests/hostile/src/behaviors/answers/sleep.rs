//! Waits for ever, on a clock.

use crate::prelude::*;
use crate::wasi::clocks::monotonic_clock::subscribe_duration;

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    subscribe_duration(u64::MAX).block();
    Ok(said("good"))
}
