//! Ends its task again and again.

use crate::prelude::*;

pub(crate) fn behave(task: &Task, _: &TaskInput) -> Result<TaskOutput, RpcError> {
    tasks::complete(&task.task_id, &TaskOutput::Sampling(said("first")))?;
    tasks::fail(&task.task_id, &error("second"))?;
    Ok(TaskOutput::Sampling(said("third")))
}
