//! Checks of results against requests. Checks that take long run on a thread of their own.

use super::{TaskError, TaskOrigin, Tasks};
use crate::protocol::types::{ElicitResult, Json, RpcError, TaskOutput};
use crate::validation::{self, ExpectedResult, elicitation};

impl Tasks {
    /// Returns the schema of a request for a form: see [`elicitation::schema_in`].
    ///
    /// # Errors
    /// The errors of [`elicitation::schema_in`].
    pub(crate) async fn form_schema(&self, message: &[u8]) -> Result<Json, RpcError> {
        if !elicitation::is_long_form(message) {
            return elicitation::schema_in(message);
        }
        let message = message.to_vec();
        self.aside.run(move || elicitation::schema_in(&message)).await.ok_or_else(ended)?
    }

    /// Checks an answer against the schema of its form: see [`elicitation::check`]. The inner error says what does not
    /// fit.
    ///
    /// # Errors
    /// An error when the check did not finish.
    pub(crate) async fn fitting(
        &self,
        schema: Option<&str>,
        result: ElicitResult,
    ) -> Result<Result<ElicitResult, String>, RpcError> {
        match schema {
            Some(schema) if elicitation::is_long(schema, elicitation::size(&result)) => {
                let schema = schema.to_owned();
                self.aside.run(move || elicitation::check(Some(&schema), result)).await.ok_or_else(ended)
            }
            schema => Ok(elicitation::check(schema, result)),
        }
    }

    /// Returns the output of a task as the result that its request expects.
    pub(super) async fn expected(&self, origin: &TaskOrigin, output: TaskOutput) -> Result<TaskOutput, TaskError> {
        let bytes = match &output {
            TaskOutput::Elicitation(result) => elicitation::size(result),
            TaskOutput::Custom(object) => object.len(),
            TaskOutput::Sampling(_) => 0,
        };
        let checked = match &origin.expects {
            ExpectedResult::Form(schema) if elicitation::is_long(schema, bytes) => {
                let expects = origin.expects.clone();
                let checked = self.aside.run(move || validation::output::check(&expects, output)).await;
                checked.ok_or_else(|| TaskError::Output(ended().message))?
            }
            expects => validation::output::check(expects, output),
        };
        checked.map_err(TaskError::Output)
    }
}

/// Error of a check that panicked, or that the end of the process interrupted.
fn ended() -> RpcError {
    RpcError::internal("unchecked", "The form could not be checked to the end")
}
