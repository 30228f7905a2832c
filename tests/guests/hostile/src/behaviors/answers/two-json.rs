//! Answers with two JSON documents in the place of one.

use crate::prelude::*;

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    let mut answer = said("good");
    answer.meta = Some("{} {}".to_owned());
    Ok(answer)
}
