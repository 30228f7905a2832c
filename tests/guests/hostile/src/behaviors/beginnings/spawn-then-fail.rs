//! Spawns work, and fails.

use crate::prelude::*;

pub(crate) fn behave(task: Task, request: CreateMessageRequest) -> Result<CreateTaskResult, RpcError> {
    tasks::spawn(&task.task_id, &TaskInput::Sampling(request))?;
    Err(error("changed my mind"))
}
