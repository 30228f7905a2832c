//! Hands a huge text to the host.

use crate::prelude::*;

pub(crate) fn behave(_: &Cell<'_>) -> Answer {
    let task = create()?;
    tasks::update(&task.task_id, TaskStatus::Working, Some(&"x".repeat(BIG)))?;
    Ok(said("good"))
}
