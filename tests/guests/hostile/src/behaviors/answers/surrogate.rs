//! Answers with half of a surrogate pair, escaped.

use crate::prelude::*;

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    let mut answer = said("good");
    answer.meta = Some("{\"a\":\"\\ud800\"}".to_owned());
    Ok(answer)
}
