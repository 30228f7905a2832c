//! Spawns work for a task that there is not.

use crate::prelude::*;

pub(crate) fn behave(task: Task, request: CreateMessageRequest) -> Result<CreateTaskResult, RpcError> {
    let input = TaskInput::Sampling(request);
    tasks::spawn(&task.task_id, &input)?;
    tasks::spawn("unknown", &input)?;
    Ok(CreateTaskResult { task, meta: None })
}
