//! Changes the status of its task for ever.

use crate::prelude::*;

pub(crate) fn behave(task: &Task, _: &TaskInput) -> Result<TaskOutput, RpcError> {
    loop {
        tasks::update(&task.task_id, TaskStatus::InputRequired, Some("a"))?;
        tasks::update(&task.task_id, TaskStatus::Working, Some("b"))?;
    }
}
