//! Fails with a huge text.

use crate::prelude::*;

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    Err(error(&"x".repeat(BIG)))
}
