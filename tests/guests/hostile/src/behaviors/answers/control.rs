//! Answers with control characters and commands to a terminal.

use crate::prelude::*;

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    let mut answer = said("\0\u{1b}[31m\r\n\u{7f}\u{2028}");
    answer.model = "\u{1b}]0;title\u{7}".to_owned();
    Ok(answer)
}
