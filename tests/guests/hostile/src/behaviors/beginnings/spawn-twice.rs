//! Spawns the work of one task twice.

use crate::prelude::*;

pub(crate) fn behave(task: Task, request: CreateMessageRequest) -> Result<CreateTaskResult, RpcError> {
    let input = TaskInput::Sampling(request);
    tasks::spawn(&task.task_id, &input)?;
    tasks::spawn(&task.task_id, &input)?;
    Ok(CreateTaskResult { task, meta: None })
}
