//! Answers with JSON that is one level too deep.

use crate::prelude::*;

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    let mut answer = said("good");
    answer.meta = Some(format!("{{\"a\":{}{}}}", "[".repeat(64), "]".repeat(64)));
    Ok(answer)
}
