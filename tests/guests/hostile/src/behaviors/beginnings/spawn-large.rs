//! Has the host keep more work than the cell's own memory may hold.

use crate::prelude::*;

pub(crate) fn behave(task: Task, _: CreateMessageRequest) -> Result<CreateTaskResult, RpcError> {
    let input = TaskInput::Custom(format!("{{\"a\":\"{}\"}}", "x".repeat(BIT)));
    tasks::spawn(&task.task_id, &input)?;
    for _ in 0..500 {
        tasks::spawn(&create()?.task_id, &input)?;
    }
    Err(error("all were spawned"))
}
