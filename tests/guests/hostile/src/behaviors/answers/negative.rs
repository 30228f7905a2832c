//! Answers with a number below what it may be.

use crate::prelude::*;

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    let mut answer = said("good");
    answer.content = vec![text("good", Some(-1.0))];
    Ok(answer)
}
