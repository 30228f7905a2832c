//! Asks for all memory, and does without.

use crate::prelude::*;

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    let refused = Vec::<u8>::new().try_reserve_exact(black_box(ALL)).is_err();
    Ok(said(if refused { "refused" } else { "granted" }))
}
