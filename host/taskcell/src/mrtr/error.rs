//! Why a call ended without a result.

use std::time::Duration;

use super::SendError;
use crate::protocol::types::RpcError;
use crate::telemetry::{ErrorType, Outcome};
use crate::text::one_line;

/// Characters of the server's text that an error quotes.
pub(super) const MAX_QUOTE: usize = 200;

/// Why a call ended without a result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// What the application gave as parameters, or as their `_meta`, is no JSON object.
    #[error("the parameters of the call are no JSON object: {0}")]
    Params(String),
    /// The server answered with an error, or its task failed with one.
    #[error("the server says: {} ({})", one_line(&.0.message, MAX_QUOTE), .0.code)]
    Refused(RpcError),
    /// An input that the server asked for could not be given: the handler's error, or the default of a kind without one.
    #[error("`{}` was asked of the client for `{}`, which answered: {} ({})", one_line(.method, MAX_QUOTE),
        one_line(.key, MAX_QUOTE), one_line(&.error.message, MAX_QUOTE), .error.code)]
    Input {
        /// The server's name for the input.
        key: String,
        /// The method of its request.
        method: String,
        /// What the handler answered.
        error: RpcError,
    },
    /// The server asked for input more often than [`Options::rounds`](super::Options::rounds).
    #[error("the server asked for input more than {limit} times; raise `rounds` if it may")]
    Rounds {
        /// The limit.
        limit: u32,
    },
    /// The server asked for more at once than [`Options::inputs`](super::Options::inputs).
    #[error("the server asked for {count} inputs at once, the limit is {limit}; raise `inputs` if it may")]
    Inputs {
        /// How many it asked for.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// What was gathered is more than [`Limits::message_size`](crate::Limits::message_size) bytes.
    #[error("the inputs have {size} bytes together, the limit is {limit}; raise `message_size`")]
    Size {
        /// Their bytes.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// The task took longer than [`Options::task_time`](super::Options::task_time); it was cancelled.
    #[error("the task did not end within {limit:?}; raise `task_time` if it may")]
    TaskTime {
        /// The limit.
        limit: Duration,
    },
    /// The server cancelled the task.
    #[error("the server cancelled the task{}", message.as_ref().map(|message| format!(": {}", one_line(message, MAX_QUOTE))).unwrap_or_default())]
    Cancelled {
        /// What it said of that.
        message: Option<String>,
    },
    /// The server's answer is not what the revision says.
    #[error("the server's answer is not what MCP 2026-07-28 says: {}", one_line(.0, 2 * MAX_QUOTE))]
    Answer(String),
    /// There was no answer.
    #[error(transparent)]
    Transport(SendError),
}

impl CallError {
    /// The word for it in `error.type`.
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

    /// The error of the server or of a handler, word for word, when it was one.
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
