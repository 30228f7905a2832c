//! Answers with a `_meta` that is no object.

use crate::prelude::*;

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    let mut answer = said("good");
    answer.meta = Some("[1]".to_owned());
    Ok(answer)
}
