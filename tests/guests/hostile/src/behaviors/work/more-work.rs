//! Spawns work from work.

use crate::prelude::*;

pub(crate) fn behave(_: &Task, input: &TaskInput) -> Result<TaskOutput, RpcError> {
    tasks::spawn(&create()?.task_id, input)?;
    Ok(TaskOutput::Sampling(said("it was spawned")))
}
