//! Answers with a huge list.

use crate::prelude::*;

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    let mut answer = said("");
    answer.content = vec![text("", None); 4_000];
    Ok(answer)
}
