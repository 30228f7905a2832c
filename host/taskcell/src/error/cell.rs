//! Errors of a cell that ends without an answer, and of an answer that cannot be sent.

use std::time::Duration;

use super::milliseconds;
use crate::protocol::types::RpcError;
use crate::telemetry::{ErrorType, Usage, limit_hit};

/// Reason why a request that reached a handler has no answer of that handler.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CellError {
    /// The guest trapped.
    #[error("the handler trapped: {0}")]
    Trap(String),
    /// The guest asked for more memory than [`Limits::memory`](crate::Limits::memory).
    #[error("the handler needs more than {limit} bytes of memory")]
    Memory {
        /// Size that was needed, in bytes.
        current: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The guest asked for a larger table than [`Limits::table_elements`](crate::Limits::table_elements).
    #[error("the handler needs a table of more than {limit} elements")]
    Table {
        /// Size that was needed, in elements.
        current: usize,
        /// The limit in elements.
        limit: usize,
    },
    /// The guest called too deeply.
    #[error("the handler used up its stack")]
    Stack {
        /// The limit in bytes.
        limit: usize,
    },
    /// The guest held more resources than [`Limits::handles`](crate::Limits::handles).
    #[error("the handler holds more than {limit} resources")]
    Handles {
        /// The limit.
        limit: usize,
    },
    /// The guest handed the host more at once than [`Limits::host_call`](crate::Limits::host_call).
    #[error("the handler handed the host more than {limit} bytes at once")]
    HostCall {
        /// The limit in bytes.
        limit: usize,
    },
    /// The guest computed for longer than [`Limits::cpu_time`](crate::Limits::cpu_time).
    #[error("the handler computed for more than {limit:?}")]
    Cpu {
        /// CPU time used when the cell was ended.
        current: Duration,
        /// The limit.
        limit: Duration,
    },
    /// The guest did not answer within [`Limits::wall_time`](crate::Limits::wall_time).
    #[error("the handler did not answer within {limit:?}")]
    Time {
        /// Time elapsed when the cell was ended.
        current: Duration,
        /// The limit.
        limit: Duration,
    },
    /// As many cells run as [`Limits::cells`](crate::Limits::cells) allows.
    #[error("too many requests are being handled; try again")]
    Overloaded {
        /// The limit.
        limit: u32,
    },
    /// As many cells run for this session as [`Limits::session_cells`](crate::Limits::session_cells) allows.
    #[error("too many requests of this session are being handled; try again")]
    SessionOverloaded {
        /// The limit.
        limit: u32,
    },
    /// The guest answered with what is no answer of the protocol.
    #[error("the handler broke the protocol: {0}")]
    InvalidAnswer(String),
    /// The answer has JSON that nests deeper than [`Limits::json_depth`](crate::Limits::json_depth).
    #[error("the handler's answer has JSON that nests deeper than {limit} levels")]
    JsonDepth {
        /// The limit in levels.
        limit: usize,
    },
    /// So many bytes of answers wait to be sent that one more cannot: the server does not read them.
    #[error("the answer is dropped: {current} bytes of answers would wait to be read, the limit is {limit}")]
    Unread {
        /// Bytes that would wait.
        current: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The answer is larger than [`Limits::message_size`](crate::Limits::message_size).
    #[error("the handler's answer has {size} bytes, the limit is {limit}")]
    AnswerTooLarge {
        /// The answer's size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
}

impl CellError {
    /// The stable word for this error: log field `error.type`, metric label, `data.kind` of a -32603.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Trap(_) => "trap",
            Self::Memory { .. } => "memory",
            Self::Table { .. } => "table",
            Self::Stack { .. } => "stack",
            Self::Handles { .. } => "handles",
            Self::HostCall { .. } => "host_call",
            Self::Cpu { .. } => "cpu_time",
            Self::Time { .. } => "wall_time",
            Self::Overloaded { .. } => "overloaded",
            Self::SessionOverloaded { .. } => "session_overloaded",
            Self::InvalidAnswer(_) => "invalid_answer",
            Self::JsonDepth { .. } => "json_depth",
            Self::Unread { .. } => "unread",
            Self::AnswerTooLarge { .. } => "answer_size",
        }
    }

    /// Current value and limit, when a limit was hit.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        let usage = |current: u64, limit: u64| Some(Usage { current: Some(current), limit });
        let sizes = |current: usize, limit: usize| usage(current as u64, limit as u64);
        match *self {
            Self::Memory { current, limit } | Self::Table { current, limit } | Self::Unread { current, limit } => {
                sizes(current, limit)
            }
            Self::AnswerTooLarge { size, limit } => sizes(size, limit),
            Self::Cpu { current, limit } | Self::Time { current, limit } => {
                usage(milliseconds(current), milliseconds(limit))
            }
            // The one that was refused counts, too.
            Self::Handles { limit } | Self::JsonDepth { limit } => sizes(limit.saturating_add(1), limit),
            Self::Overloaded { limit } | Self::SessionOverloaded { limit } => {
                usage(u64::from(limit) + 1, u64::from(limit))
            }
            Self::Stack { limit } | Self::HostCall { limit } => Some(Usage { current: None, limit: limit as u64 }),
            Self::Trap(_) | Self::InvalidAnswer(_) => None,
        }
    }

    /// Writes the line of a request that failed; a limit that was hit is counted.
    pub(crate) fn log(&self, handler: Option<&str>, what: &str) {
        match self.usage() {
            Some(usage) => limit_hit::log(self.kind(), usage, handler, self, what),
            None => tracing::warn!(handler, error.r#type = self.kind(), error = %self, "{what}"),
        }
    }

    /// The error as the peer gets it.
    #[must_use]
    pub fn to_rpc(&self) -> RpcError {
        RpcError::internal(self.kind(), self.to_string())
    }
}

impl ErrorType for CellError {
    fn error_type(&self) -> &'static str {
        self.kind()
    }
}
