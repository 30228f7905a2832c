//! Answers, as every handler should.

use crate::prelude::*;

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    Ok(said("good"))
}
