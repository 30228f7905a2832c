//! Prints empty lines for ever.

use crate::prelude::*;

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    print_for_ever(b"\n")
}
