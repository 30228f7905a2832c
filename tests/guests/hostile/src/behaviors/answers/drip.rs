//! Takes memory bit by bit.

use crate::prelude::*;

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    loop {
        black_box(vec![1u8; BIT].leak());
    }
}
