//! Waits for ever, for a task that nobody works on.

use crate::prelude::*;

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    wait(&create()?)?;
    Ok(said("good"))
}
