//! Spawns work, and answers with what has no JSON.

use crate::prelude::*;

pub(crate) fn behave(task: Task, request: CreateMessageRequest) -> Result<CreateTaskResult, RpcError> {
    tasks::spawn(&task.task_id, &TaskInput::Sampling(request))?;
    Ok(CreateTaskResult { task, meta: Some("[1]".to_owned()) })
}
