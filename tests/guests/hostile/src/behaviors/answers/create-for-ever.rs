//! Makes tasks again and again, and goes on when they are refused.

use crate::prelude::*;

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    let refused = (0..1_000).filter(|_| create().is_err()).count();
    Ok(said(&format!("{refused} were refused")))
}
