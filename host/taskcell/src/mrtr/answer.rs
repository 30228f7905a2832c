//! Results of a server of revision 2026-07-28: complete, asking for input, or a task.

use serde_json::value::RawValue;

use super::error::MAX_QUOTE;
use super::members::Members;
use super::task::TaskState;
use super::wire::{check_size, inputs, type_of};
use crate::protocol::Bounds;
use crate::text::one_line;

/// Result by its `resultType`. [basic, ResultType]
pub(super) enum Answer {
    /// Final result, as the server wrote it.
    Complete(Box<RawValue>),
    /// Request for more input.
    InputRequired(InputRequired),
    /// Task that gives the result later.
    Task(TaskState),
}

/// MCP: `InputRequiredResult`.
pub(super) struct InputRequired {
    /// Requested inputs by the server's names for them: objects with `method` and `params`. MCP: `InputRequests`.
    pub(super) inputs: Members,
    /// State to send back with the retry, as the server wrote it. It is opaque, so it is only checked to be a string.
    pub(super) state: Option<Box<RawValue>>,
}

impl Answer {
    /// Reads a result. A result that asks for input is bounded in bytes like a message, and each input again as a
    /// request. The final result is unbounded, because it belongs to the application.
    pub(super) fn read(result: Box<RawValue>, bounds: Bounds) -> Result<Self, String> {
        let Some(name) = type_of(&result)? else { return Ok(Self::Complete(result)) };
        match name.as_str() {
            "input_required" => {
                check_size(&result, bounds)?;
                InputRequired::read(&Members::read(result.get())?).map(Self::InputRequired)
            }
            "task" => TaskState::read(&Members::read(result.get())?, bounds).map(Self::Task),
            // [basic, ResultType]: unrecognized types are invalid.
            other => Err(format!("the `resultType` `{}` is unknown", one_line(other, MAX_QUOTE))),
        }
    }
}

impl InputRequired {
    fn read(members: &Members) -> Result<Self, String> {
        let inputs = inputs(members, Bounds::NONE)?;
        let state = members.get("requestState");
        if state.is_some_and(|state| !state.get().starts_with('"')) {
            return Err("`requestState` is no string".to_owned());
        }
        // Without both, the retry would be the same call again. [basic/patterns/mrtr, Server Requirements]
        if inputs.is_empty() && state.is_none() {
            return Err("it asks for input and has neither `inputRequests` nor `requestState`".to_owned());
        }
        Ok(Self { inputs, state: state.map(ToOwned::to_owned) })
    }
}
