//! Prints one long line for ever.

use crate::prelude::*;

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    print_for_ever(b"x")
}
