//! Result that a task must give.

use serde::{Deserialize, Serialize};

use crate::protocol::types::Json;

/// Rule for the result of a task: a result that the same request would have without a task. [basic/utilities/tasks,
/// Result Retrieval]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ExpectedResult {
    /// Any result: the task was not made for a request that has a result of its own.
    #[default]
    Anything,
    /// Message of a model.
    Sampling,
    /// User's answer to a form, with the JSON Schema that its content must fit.
    Form(Json),
    /// User's answer to a page, without content.
    Page,
}
