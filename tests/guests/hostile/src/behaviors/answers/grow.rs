//! Takes all memory at once.

use crate::prelude::*;

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    Ok(said(&black_box(vec![1u8; ALL]).len().to_string()))
}
