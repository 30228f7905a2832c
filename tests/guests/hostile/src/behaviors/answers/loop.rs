//! Computes for ever.

use crate::prelude::*;

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    loop {
        black_box(());
    }
}
