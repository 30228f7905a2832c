//! Errors of task operations, with the messages of the reference.

use std::time::Duration;

use super::StoreError;
use crate::CellError;
use crate::error::milliseconds;
use crate::protocol::jsonrpc::code;
use crate::protocol::types::{RpcError, TaskStatus};
use crate::telemetry::{Usage, limit_hit};

/// Refusal of a task operation. [basic/utilities/tasks, Error Handling]
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// The principal has no task with this id. Unknown, expired and foreign ids give the same error.
    #[error("Failed to {} task: Task not found", operation.as_str())]
    NotFound {
        /// Refused operation: a retrieval or a cancellation.
        operation: TaskOperation,
    },
    /// The task has a final status, which never changes.
    #[error("Cannot {} task: already in terminal status '{}'", operation.as_str(), status.as_str())]
    Final {
        /// Status of the task.
        status: TaskStatus,
        /// Refused operation: a change or a cancellation.
        operation: TaskOperation,
    },
    /// An update cannot set a final status.
    #[error("Cannot update task to '{}': use complete, fail or cancel", status.as_str())]
    NotAllowed {
        /// Requested status.
        status: TaskStatus,
    },
    /// The cursor was not given out for this list.
    #[error("Invalid cursor")]
    Cursor,
    /// The principal has as many tasks as [`TaskLimits::tasks`](super::TaskLimits::tasks) allows.
    #[error("Too many tasks: {limit} are kept")]
    TooMany {
        /// Largest number of tasks.
        limit: usize,
    },
    /// The principal's tasks would exceed [`TaskLimits::total_size`](super::TaskLimits::total_size).
    #[error("No room for the task: what is kept of all tasks may have {limit} bytes")]
    NoRoom {
        /// Limit in bytes.
        limit: u64,
    },
    /// A cell spawned more work in one request than the host keeps for it.
    #[error("The work that is spawned in one request has {size} bytes, the limit is {limit}")]
    SpawnedTooMuch {
        /// Bytes of all work that the cell spawned.
        size: u64,
        /// Limit in bytes.
        limit: usize,
    },
    /// The principal makes more requests about tasks than [`TaskLimits::rate`](super::TaskLimits::rate) allows.
    #[error("Too many requests about tasks; ask less often")]
    TooOften {
        /// Limit in requests per second.
        limit: u32,
    },
    /// The result does not fit the request that the task was created for. The text says why.
    #[error("The task's result is not valid: {0}")]
    Output(String),
    /// The result is larger than [`TaskLimits::result_size`](super::TaskLimits::result_size).
    #[error("The task's result has {size} bytes, the limit is {limit}")]
    OutputTooLarge {
        /// Size of the result in bytes.
        size: usize,
        /// Limit in bytes.
        limit: usize,
    },
    /// The JSON of the result nests deeper than [`Limits::json_depth`](crate::Limits::json_depth).
    #[error("The task's result has JSON that nests deeper than {limit} levels")]
    OutputTooDeep {
        /// Limit in levels.
        limit: usize,
    },
    /// Another worker has taken over the work, because this one did not renew its lease within
    /// [`TaskLimits::lease`](super::TaskLimits::lease).
    #[error("The task's work was taken over by another worker")]
    LeaseLost {
        /// Duration of a lease.
        limit: Duration,
    },
    /// The store failed.
    #[error("The task store failed")]
    Store(#[from] StoreError),
}

/// Operation on a task, as named in the message of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskOperation {
    /// Reading the task or its result, and looking a task up before it is changed.
    Retrieve,
    /// Setting a status or an outcome.
    Change,
    /// Ending the task as `cancelled`.
    Cancel,
}

impl TaskOperation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Retrieve => "retrieve",
            Self::Change => "change",
            Self::Cancel => "cancel",
        }
    }
}

impl TaskError {
    /// Returns the error that `tasks/result` gives for a cancelled task.
    pub(super) fn cancelled() -> RpcError {
        RpcError::new(code::INTERNAL_ERROR, "Task was cancelled")
    }

    /// Returns the kind of the limit that was hit and the usage, or none for other errors.
    fn limit(&self) -> Option<(&'static str, Usage)> {
        let alike = |error: CellError| error.usage().map(|usage| (error.kind(), usage));
        match *self {
            Self::TooMany { limit } => {
                let current = Some((limit as u64).saturating_add(1));
                Some(("tasks", Usage { current, limit: limit as u64 }))
            }
            Self::NoRoom { limit } => Some(("total_size", Usage { current: None, limit })),
            Self::SpawnedTooMuch { size, limit } => {
                Some(("spawn_size", Usage { current: Some(size), limit: limit as u64 }))
            }
            Self::OutputTooLarge { size, limit } => alike(CellError::AnswerTooLarge { size, limit }),
            Self::OutputTooDeep { limit } => alike(CellError::JsonDepth { limit }),
            Self::TooOften { limit } => Some(("rate_limit", Usage { current: None, limit: limit.into() })),
            Self::LeaseLost { limit } => Some(("lease_lost", Usage { current: None, limit: milliseconds(limit) })),
            _ => None,
        }
    }

    /// Returns the kind of an error that concerns the operator: a limit that was hit, or `task_store`.
    pub(crate) fn told(&self) -> Option<&'static str> {
        match self {
            Self::Store(_) => Some("task_store"),
            _ => self.limit().map(|(kind, _)| kind),
        }
    }

    /// Logs an error that concerns the operator, and counts a limit that was hit.
    pub(crate) fn log(&self) {
        match (self, self.limit()) {
            (Self::Store(source), _) => tracing::error!(error = %source, "the task store failed"),
            (_, Some((kind, usage))) => limit_hit::log(kind, usage, None, self, "a task operation is refused"),
            _ => {}
        }
    }

    /// Counts a limit that was hit, without a log line.
    pub(crate) fn count(&self) {
        if let Some((kind, _)) = self.limit() {
            limit_hit::count(kind);
        }
    }

    /// Converts the error to the JSON-RPC error that the peer or the guest receives.
    pub(crate) fn to_rpc(&self) -> RpcError {
        let message = self.to_string();
        match self {
            Self::TooMany { .. } => RpcError::internal("tasks", message),
            Self::NoRoom { .. } => RpcError::internal("total_size", message),
            Self::SpawnedTooMuch { .. } => RpcError::internal("spawn_size", message),
            Self::TooOften { .. } => RpcError::internal("rate_limit", message),
            // The plain request would fail with the same message.
            Self::Output(why) => CellError::InvalidAnswer(why.clone()).to_rpc(),
            Self::OutputTooLarge { size, limit } => CellError::AnswerTooLarge { size: *size, limit: *limit }.to_rpc(),
            Self::OutputTooDeep { limit } => CellError::JsonDepth { limit: *limit }.to_rpc(),
            Self::LeaseLost { .. } => RpcError::internal("lease_lost", message),
            Self::Store(_) => RpcError::internal("task_store", message),
            _ => RpcError::invalid_params(message),
        }
    }
}

impl From<TaskError> for RpcError {
    fn from(error: TaskError) -> Self {
        error.log();
        error.to_rpc()
    }
}
