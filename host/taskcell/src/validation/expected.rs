//! The result that a task must give.

use serde::{Deserialize, Serialize};

use crate::protocol::types::Json;

/// What the result of a task has to be: what the same request would have given without a task.
/// [basic/utilities/tasks, Result Retrieval]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ExpectedResult {
    /// Whatever the handler makes of it: the task was not made for a request that has a result of its own.
    #[default]
    Anything,
    /// A message of a model.
    Sampling,
    /// A user's answer to a form, with the JSON Schema that its content has to fit.
    Form(Json),
    /// A user's answer to a page, which has no content.
    Page,
}
