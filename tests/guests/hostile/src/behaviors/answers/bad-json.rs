//! Answers with JSON that ends too soon.

use crate::prelude::*;

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    let mut answer = said("good");
    answer.meta = Some("{".to_owned());
    Ok(answer)
}
