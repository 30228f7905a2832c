//! Why a task operation was refused, with the words of the reference.

use crate::protocol::jsonrpc::code;
use crate::protocol::types::{RpcError, TaskStatus};

use super::StoreError;
use crate::Error;

/// Why a task operation was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// No task that this principal may see has the id: unknown, expired and foreign ids are alike.
    #[error("Failed to {} task: Task not found", if *cancelling { "cancel" } else { "retrieve" })]
    NotFound {
        /// Whether it was to be cancelled; only the message differs.
        cancelling: bool,
    },
    /// The task has ended.
    #[error("Cannot {} task: already in terminal status '{}'", if *cancelling { "cancel" } else { "change" }, status.as_str())]
    Final {
        /// Its status.
        status: TaskStatus,
        /// Whether it was to be cancelled; only the message differs.
        cancelling: bool,
    },
    /// A final status is not set by an update.
    #[error("Cannot update task to '{}': use complete, fail or cancel", status.as_str())]
    NotAllowed {
        /// The status asked for.
        status: TaskStatus,
    },
    /// The cursor is none that was given.
    #[error("Invalid cursor")]
    Cursor,
    /// The principal has as many tasks as it may.
    #[error("Too many tasks: {limit} are kept")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// The result is none that the request could have had.
    #[error("The task's result is not valid: {0}")]
    Output(String),
    /// The result is larger than [`TaskLimits::result_size`](super::TaskLimits::result_size).
    #[error("The task's result has {size} bytes, the limit is {limit}")]
    OutputTooLarge {
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The work was given to another worker meanwhile.
    #[error("The task's work was taken over by another worker")]
    LeaseLost,
    /// The store failed.
    #[error("The task store failed")]
    Store(#[from] StoreError),
}

impl TaskError {
    /// What `tasks/result` gives for a task that was cancelled.
    pub(super) fn cancelled() -> RpcError {
        RpcError::new(code::INTERNAL_ERROR, "Task was cancelled")
    }

    pub(super) fn for_cancelling(self, cancelling: bool) -> Self {
        match self {
            Self::NotFound { .. } => Self::NotFound { cancelling },
            other => other,
        }
    }
}

impl From<TaskError> for RpcError {
    fn from(error: TaskError) -> Self {
        let message = error.to_string();
        match error {
            TaskError::TooMany { .. } => Self::internal("tasks", message),
            // In the words that the plain request would have been answered with.
            TaskError::Output(why) => Error::InvalidAnswer(why).to_rpc(),
            TaskError::OutputTooLarge { size, limit } => Error::AnswerTooLarge { size, limit }.to_rpc(),
            TaskError::LeaseLost => Self::internal("lease_lost", message),
            TaskError::Store(source) => {
                tracing::error!(error = %source, "the task store failed");
                Self::internal("task_store", message)
            }
            _ => Self::invalid_params(message),
        }
    }
}
