//! Answers with JSON of several lines.

use crate::prelude::*;

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    let mut answer = said("good");
    answer.meta = Some("{\r\n  \"a\":\n    \"b\\n\"\n}".to_owned());
    Ok(answer)
}
