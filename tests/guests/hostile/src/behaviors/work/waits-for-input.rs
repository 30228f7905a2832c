//! Says that it waits for the requestor, and waits for ever.

use crate::prelude::*;

pub(crate) fn behave(task: &Task, _: &TaskInput) -> Result<TaskOutput, RpcError> {
    tasks::update(&task.task_id, TaskStatus::InputRequired, Some("waiting"))?;
    wait(task)
}
