//! Answers with a number that is none.

use crate::prelude::*;

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    let mut answer = said("good");
    answer.content = vec![text("good", Some(f64::NAN))];
    Ok(answer)
}
