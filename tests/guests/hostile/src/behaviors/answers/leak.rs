//! Takes resources of the host and drops none.

use crate::prelude::*;
use crate::wasi::clocks::monotonic_clock::subscribe_duration;

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    loop {
        std::mem::forget(subscribe_duration(1));
    }
}
