//! Waits for the task that it is to begin.

use crate::prelude::*;

pub(crate) fn behave(task: Task, _: CreateMessageRequest) -> Result<CreateTaskResult, RpcError> {
    wait(&task)?;
    Ok(CreateTaskResult { task, meta: None })
}
