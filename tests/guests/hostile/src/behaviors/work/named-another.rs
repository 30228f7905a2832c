//! Waits, while `tasks/get` answers about another task.

use crate::prelude::*;

pub(crate) fn behave(task: &Task, _: &TaskInput) -> Result<TaskOutput, RpcError> {
    tasks::update(&task.task_id, TaskStatus::Working, Some("another's"))?;
    wait(task)
}
