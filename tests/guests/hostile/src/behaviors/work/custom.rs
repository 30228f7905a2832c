//! Gives a result in JSON of its own, of several lines.

use crate::prelude::*;

pub(crate) fn behave(_: &Task, _: &TaskInput) -> Result<TaskOutput, RpcError> {
    Ok(TaskOutput::Custom(
        "{\"of\":\n\"mine\",\"_meta\":{\"kept\":1.50},\"role\":\"assistant\",\"model\":\"m\",\"content\":[]}"
            .to_owned(),
    ))
}
