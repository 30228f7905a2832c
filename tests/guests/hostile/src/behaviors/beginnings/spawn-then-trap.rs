//! Spawns work, and traps.

use crate::prelude::*;

pub(crate) fn behave(task: Task, request: CreateMessageRequest) -> Result<CreateTaskResult, RpcError> {
    tasks::spawn(&task.task_id, &TaskInput::Sampling(request))?;
    trap()
}
