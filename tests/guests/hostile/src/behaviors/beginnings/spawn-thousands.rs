//! Spawns work by the thousand.

use crate::prelude::*;

pub(crate) fn behave(task: Task, request: CreateMessageRequest) -> Result<CreateTaskResult, RpcError> {
    let input = TaskInput::Sampling(request);
    tasks::spawn(&task.task_id, &input)?;
    for _ in 0..5_000 {
        tasks::spawn(&create()?.task_id, &input)?;
    }
    Err(error("all were spawned"))
}
