//! Waits for its own task.

use crate::prelude::*;

pub(crate) fn behave(task: &Task, _: &TaskInput) -> Result<TaskOutput, RpcError> {
    wait(task)
}
