//! Answer to `tasks/result`: the output of the task, marked with the task's id. [basic/utilities/tasks, Associating
//! Task-Related Messages]

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use crate::protocol::json;
use crate::protocol::types::{Json, TaskOutput};
use crate::validation::related::mark;

/// Output of a task as the result of `tasks/result`, in the form of the plain request's result.
pub(super) struct Payload(TaskOutput);

impl Payload {
    /// Marks an output with its task.
    pub(super) fn new(mut output: TaskOutput, task_id: &str) -> Result<Self, serde_json::Error> {
        match &mut output {
            TaskOutput::Sampling(result) => mark(&mut result.meta, task_id)?,
            TaskOutput::Elicitation(result) => mark(&mut result.meta, task_id)?,
            TaskOutput::Custom(object) => {
                let mut members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(object)?;
                let mut meta = members.remove("_meta").map(|meta| meta.get().to_owned()).filter(|meta| meta != "null");
                mark(&mut meta, task_id)?;
                members.insert("_meta".to_owned(), to_raw_value(&RawJson(meta.unwrap_or_default()))?);
                *object = serde_json::to_string(&members)?;
            }
        }
        Ok(Self(output))
    }
}

#[derive(Serialize)]
struct RawJson(#[serde(serialize_with = "json::object::serialize")] Json);

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            TaskOutput::Sampling(result) => result.serialize(serializer),
            TaskOutput::Elicitation(result) => result.serialize(serializer),
            TaskOutput::Custom(object) => json::object::serialize(object, serializer),
        }
    }
}
