//! Says that it waits for the requestor, and goes on.

use crate::prelude::*;

pub(crate) fn behave(task: &Task, _: &TaskInput) -> Result<TaskOutput, RpcError> {
    tasks::update(&task.task_id, TaskStatus::InputRequired, Some("waiting"))?;
    tasks::update(&task.task_id, TaskStatus::Working, Some("going on"))?;
    Ok(TaskOutput::Sampling(said("good")))
}
