//! Why a task operation was refused, with the words of the reference.

use std::time::Duration;

use super::StoreError;
use crate::Error;
use crate::error::milliseconds;
use crate::protocol::jsonrpc::code;
use crate::protocol::types::{RpcError, TaskStatus};
use crate::telemetry::{Usage, limit_hit};

/// Why a task operation was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// No task that this principal may see has the id: unknown, expired and foreign ids are alike.
    #[error("Failed to {} task: Task not found", operation.as_str())]
    NotFound {
        /// The refused operation: a retrieval or a cancellation.
        operation: TaskOperation,
    },
    /// The task has ended.
    #[error("Cannot {} task: already in terminal status '{}'", operation.as_str(), status.as_str())]
    Final {
        /// Status of the task.
        status: TaskStatus,
        /// The refused operation: a change or a cancellation.
        operation: TaskOperation,
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
    /// The principal's tasks would come to more than [`TaskLimits::total_size`](super::TaskLimits::total_size).
    #[error("No room for the task: what is kept of all tasks may have {limit} bytes")]
    NoRoom {
        /// The limit in bytes.
        limit: u64,
    },
    /// A cell spawns more work than the host keeps for it.
    #[error("The work that is spawned in one request has {size} bytes, the limit is {limit}")]
    SpawnedTooMuch {
        /// Bytes of all work that was spawned in the cell.
        size: u64,
        /// The limit in bytes.
        limit: usize,
    },
    /// The principal makes more requests about tasks than [`TaskLimits::rate`](super::TaskLimits::rate).
    #[error("Too many requests about tasks; ask less often")]
    TooOften {
        /// The limit in requests a second.
        limit: u32,
    },
    /// The result is none that the request could have had.
    #[error("The task's result is not valid: {0}")]
    Output(String),
    /// The result is larger than [`TaskLimits::result_size`](super::TaskLimits::result_size).
    #[error("The task's result has {size} bytes, the limit is {limit}")]
    OutputTooLarge {
        /// Size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The result has JSON that nests deeper than [`Limits::json_depth`](crate::Limits::json_depth).
    #[error("The task's result has JSON that nests deeper than {limit} levels")]
    OutputTooDeep {
        /// The limit in levels.
        limit: usize,
    },
    /// The work was given to another worker meanwhile, because this one was not heard of for
    /// [`TaskLimits::lease`](super::TaskLimits::lease).
    #[error("The task's work was taken over by another worker")]
    LeaseLost {
        /// The limit.
        limit: Duration,
    },
    /// The store failed.
    #[error("The task store failed")]
    Store(#[from] StoreError),
}

/// Operation on a task, as a refusal names it.
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
    /// Error that `tasks/result` gives for a task that was cancelled.
    pub(super) fn cancelled() -> RpcError {
        RpcError::new(code::INTERNAL_ERROR, "Task was cancelled")
    }

    /// The limit that was hit, if one was: its word, and how much there was.
    fn limit(&self) -> Option<(&'static str, Usage)> {
        let alike = |error: Error| error.usage().map(|usage| (error.kind(), usage));
        match *self {
            Self::TooMany { limit } => {
                let current = Some((limit as u64).saturating_add(1));
                Some(("tasks", Usage { current, limit: limit as u64 }))
            }
            Self::NoRoom { limit } => Some(("total_size", Usage { current: None, limit })),
            Self::SpawnedTooMuch { size, limit } => {
                Some(("spawn_size", Usage { current: Some(size), limit: limit as u64 }))
            }
            Self::OutputTooLarge { size, limit } => alike(Error::AnswerTooLarge { size, limit }),
            Self::OutputTooDeep { limit } => alike(Error::JsonDepth { limit }),
            Self::TooOften { limit } => Some(("rate_limit", Usage { current: None, limit: limit.into() })),
            Self::LeaseLost { limit } => Some(("lease_lost", Usage { current: None, limit: milliseconds(limit) })),
            _ => None,
        }
    }

    /// The word of what the operator is told, too: a limit, or the store.
    pub(crate) fn told(&self) -> Option<&'static str> {
        match self {
            Self::Store(_) => Some("task_store"),
            _ => self.limit().map(|(kind, _)| kind),
        }
    }

    /// Tells the operator; a limit that was hit is counted.
    pub(crate) fn log(&self) {
        match (self, self.limit()) {
            (Self::Store(source), _) => tracing::error!(error = %source, "the task store failed"),
            (_, Some((kind, usage))) => limit_hit::log(kind, usage, None, self, "a task operation is refused"),
            _ => {}
        }
    }

    /// Counts a limit that was hit, without a line in the log.
    pub(crate) fn count(&self) {
        if let Some((kind, _)) = self.limit() {
            limit_hit::count(kind);
        }
    }

    /// The error as the peer or the guest gets it.
    pub(crate) fn to_rpc(&self) -> RpcError {
        let message = self.to_string();
        match self {
            Self::TooMany { .. } => RpcError::internal("tasks", message),
            Self::NoRoom { .. } => RpcError::internal("total_size", message),
            Self::SpawnedTooMuch { .. } => RpcError::internal("spawn_size", message),
            Self::TooOften { .. } => RpcError::internal("rate_limit", message),
            // In the words that the plain request would have been answered with.
            Self::Output(why) => Error::InvalidAnswer(why.clone()).to_rpc(),
            Self::OutputTooLarge { size, limit } => Error::AnswerTooLarge { size: *size, limit: *limit }.to_rpc(),
            Self::OutputTooDeep { limit } => Error::JsonDepth { limit: *limit }.to_rpc(),
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
