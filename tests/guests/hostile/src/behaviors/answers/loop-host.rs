//! Calls the host for ever.

use crate::prelude::*;

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    loop {
        _ = tasks::get("unknown");
    }
}
