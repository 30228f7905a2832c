//! Output of a task: a result that its request could have had. [basic/utilities/tasks, Result Retrieval]

use super::{ExpectedResult, elicitation, sampling};
use crate::protocol::types::TaskOutput;

/// Checks that an output is a result of the request that the task was made for. The answer to a form is checked against
/// the form, whether the handler wrote it as a type or as its own object.
///
/// # Errors
/// The part that does not fit, without the user's input.
pub(crate) fn check(expects: &ExpectedResult, output: TaskOutput) -> Result<TaskOutput, String> {
    let schema = match expects {
        ExpectedResult::Form(schema) => Some(schema.as_str()),
        _ => None,
    };
    match (expects, output) {
        (ExpectedResult::Anything, output) | (ExpectedResult::Sampling, output @ TaskOutput::Sampling(_)) => Ok(output),
        (ExpectedResult::Sampling, TaskOutput::Custom(object)) => {
            sampling::check_custom(&object).map(|()| TaskOutput::Custom(object))
        }
        (ExpectedResult::Form(_) | ExpectedResult::Page, TaskOutput::Elicitation(result)) => {
            elicitation::check(schema, result).map(TaskOutput::Elicitation)
        }
        (ExpectedResult::Form(_) | ExpectedResult::Page, TaskOutput::Custom(object)) => {
            elicitation::check_custom(schema, &object).map(|()| TaskOutput::Custom(object))
        }
        (ExpectedResult::Sampling, TaskOutput::Elicitation(_)) => {
            Err("The request was for a model's message".to_owned())
        }
        (ExpectedResult::Form(_) | ExpectedResult::Page, TaskOutput::Sampling(_)) => {
            Err("The request was for a user's answer".to_owned())
        }
    }
}
