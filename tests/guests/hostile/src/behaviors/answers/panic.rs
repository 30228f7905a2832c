//! Panics.

use crate::prelude::*;

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    panic!("on purpose")
}
