//! Answers with the first whole number that a double does not have, 2^53 + 1.

use crate::prelude::*;

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    let mut answer = said("good");
    answer.content = vec![text("good", Some(9_007_199_254_740_993.0))];
    Ok(answer)
}
