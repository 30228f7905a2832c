//! Errors of calls.

use std::time::Duration;

use super::SendError;
use crate::protocol::types::RpcError;
use crate::telemetry::{ErrorType, Outcome};
use crate::text::one_line;

/// Number of characters of the server's text that an error quotes.
pub(super) const MAX_QUOTE: usize = 200;

/// Reason why a call ended without a result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The parameters of the application, or their `_meta`, are no JSON object.
    #[error("the parameters of the call are no JSON object: {0}")]
    Params(String),
    /// The server answered with an error, or its task failed with one.
    #[error("the server says: {} ({})", one_line(&.0.message, MAX_QUOTE), .0.code)]
    Refused(RpcError),
    /// An input that the server asked for has no answer: the handler returned an error, or the kind has no handler and
    /// its default is one.
    #[error("`{}` was asked of the client for `{}`, which answered: {} ({})", one_line(.method, MAX_QUOTE),
        one_line(.key, MAX_QUOTE), one_line(&.error.message, MAX_QUOTE), .error.code)]
    Input {
        /// Server's name for the input.
        key: String,
        /// Method of the input's request.
        method: String,
        /// Error of the handler, or the kind's default.
        error: RpcError,
    },
    /// The server asked for input more often than [`Options::rounds`](super::Options::rounds).
    #[error("the server asked for input more than {limit} times; raise `rounds` if it may")]
    Rounds {
        /// Limit that was exceeded.
        limit: u32,
    },
    /// The server asked for more inputs at once than [`Options::inputs`](super::Options::inputs).
    #[error("the server asked for {count} inputs at once, the limit is {limit}; raise `inputs` if it may")]
    Inputs {
        /// Number of inputs in the request.
        count: usize,
        /// Limit that was exceeded.
        limit: usize,
    },
    /// The gathered inputs have more than [`Limits::message_size`](crate::Limits::message_size) bytes.
    #[error("the inputs have {size} bytes together, the limit is {limit}; raise `message_size`")]
    Size {
        /// Size of the inputs in bytes.
        size: usize,
        /// Limit that was exceeded, in bytes.
        limit: usize,
    },
    /// The task took longer than [`Options::task_time`](super::Options::task_time); the client cancelled it.
    #[error("the task did not end within {limit:?}; raise `task_time` if it may")]
    TaskTime {
        /// Limit that was exceeded.
        limit: Duration,
    },
    /// The server cancelled the task.
    #[error("the server cancelled the task{}", message.as_ref().map(|message| format!(": {}", one_line(message, MAX_QUOTE))).unwrap_or_default())]
    Cancelled {
        /// Status message of the task.
        message: Option<String>,
    },
    /// The server's answer breaks the revision's rules.
    #[error("the server's answer is not what MCP 2026-07-28 says: {}", one_line(.0, 2 * MAX_QUOTE))]
    Answer(String),
    /// The transport returned no answer.
    #[error(transparent)]
    Transport(SendError),
}

impl CallError {
    /// Returns the stable word of the error, the field `error.type` of spans.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Params(_) => "params",
            Self::Refused(_) => "refused",
            Self::Input { .. } => "input",
            Self::Rounds { .. } => "rounds",
            Self::Inputs { .. } => "inputs",
            Self::Size { .. } => "size",
            Self::TaskTime { .. } => "task_time",
            Self::Cancelled { .. } => "cancelled",
            Self::Answer(_) => "answer",
            Self::Transport(_) => "transport",
        }
    }

    /// Returns the error of the server or of a handler, word for word; none for the other cases.
    #[must_use]
    pub fn rpc(&self) -> Option<&RpcError> {
        match self {
            Self::Refused(error) | Self::Input { error, .. } => Some(error),
            _ => None,
        }
    }
}

impl ErrorType for CallError {
    fn error_type(&self) -> &'static str {
        self.kind()
    }

    fn outcome(&self) -> Outcome {
        match self {
            Self::Refused(_) | Self::Input { .. } => Outcome::Error,
            Self::Cancelled { .. } => Outcome::Cancelled,
            _ => Outcome::Failed,
        }
    }

    fn rpc(&self) -> Option<&RpcError> {
        Self::rpc(self)
    }
}
