//! Ends the task before it has answered.

use crate::prelude::*;

pub(crate) fn behave(task: Task, _: CreateMessageRequest) -> Result<CreateTaskResult, RpcError> {
    tasks::update(&task.task_id, TaskStatus::Working, Some("begun"))?;
    let task = tasks::complete(&task.task_id, &TaskOutput::Sampling(said("good")))?;
    Ok(CreateTaskResult { task, meta: None })
}
