//! Answers with a huge text.

use crate::prelude::*;

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    Ok(said(&"x".repeat(BIG)))
}
