//! The results of a server of this revision: complete, asking for input, or a task.

use serde_json::value::RawValue;

use super::error::MAX_QUOTE;
use super::members::Members;
use super::task::TaskState;
use super::wire::{check_size, inputs, type_of};
use crate::protocol::Bounds;
use crate::text::one_line;

/// A result, by its `resultType`. [basic, ResultType]
pub(super) enum Answer {
    /// The final result, as the server wrote it.
    Complete(Box<RawValue>),
    /// More input is needed.
    InputRequired(InputRequired),
    /// The result comes later.
    Task(TaskState),
}

/// MCP: `InputRequiredResult`.
pub(super) struct InputRequired {
    /// What the server wants, by names that it chose: objects with `method` and `params`. MCP: `InputRequests`.
    pub(super) inputs: Members,
    /// What goes back with the retry, as it was written. Not ours to read, so it is only seen to be a string.
    pub(super) state: Option<Box<RawValue>>,
}

impl Answer {
    /// Reads a result. What asks for input is bounded in bytes, as a message is; each input is bounded again as a
    /// request. The final result is the application's.
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
        // Such a call would be the same again. [basic/patterns/mrtr, Server Requirements]
        if inputs.is_empty() && state.is_none() {
            return Err("it asks for input and has neither `inputRequests` nor `requestState`".to_owned());
        }
        Ok(Self { inputs, state: state.map(ToOwned::to_owned) })
    }
}
