//! Answers with JSON that is a million levels deep.

use crate::prelude::*;

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    let mut answer = said("good");
    answer.meta = Some(format!("{{\"a\":{}", "[".repeat(BIG)));
    Ok(answer)
}
