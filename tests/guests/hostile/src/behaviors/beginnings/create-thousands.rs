//! Makes tasks by the thousand that nobody works on.

use crate::prelude::*;

pub(crate) fn behave(task: Task, _: CreateMessageRequest) -> Result<CreateTaskResult, RpcError> {
    for _ in 0..5_000 {
        create()?;
    }
    Ok(CreateTaskResult { task, meta: None })
}
