//! Answers with a number without end.

use crate::prelude::*;

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    let mut answer = said("good");
    answer.content = vec![text("good", Some(f64::INFINITY))];
    Ok(answer)
}
