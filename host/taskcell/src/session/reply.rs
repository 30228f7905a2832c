//! An answer, ready to be sent.

use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::OwnedSemaphorePermit;

use super::background::Work;
use crate::Error;
use crate::protocol::types::RpcError;
use crate::protocol::{json, jsonrpc};
use crate::sandbox::Limits;

/// An answer that is ready to be sent, and what to start after it was.
pub(super) struct Reply {
    pub(super) message: Vec<u8>,
    pub(super) work: Work,
    /// The place that the result of a task has until it is sent.
    pub(super) _result: Option<OwnedSemaphorePermit>,
}

/// What bounds a message: bytes, and levels that its JSON may nest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) size: usize,
    pub(super) depth: usize,
}

impl Bounds {
    /// For the host's own messages, which something else bounds.
    pub(super) const NONE: Self = Self { size: usize::MAX, depth: usize::MAX };

    pub(super) fn of(limits: &Limits) -> Self {
        Self { size: limits.message_size, depth: limits.json_depth }
    }

    /// The least of both.
    pub(super) fn least(self, other: Self) -> Self {
        Self { size: self.size.min(other.size), depth: self.depth.min(other.depth) }
    }

    /// An answer to a request as one line of JSON.
    ///
    /// # Errors
    /// Why it cannot be sent.
    fn write<R: Serialize>(self, id: &RawValue, outcome: Result<&R, &RpcError>) -> Result<Vec<u8>, RpcError> {
        let (written, too_deep) = json::within(self.depth, || jsonrpc::response(Some(id), outcome));
        let limited = |error: Error| {
            error.log(None, "an answer is not sent");
            Err(error.to_rpc())
        };
        match written {
            Err(_) if too_deep => limited(Error::JsonDepth { limit: self.depth }),
            Err(error) => Err(broken(&error)),
            Ok(message) if message.len() > self.size => {
                limited(Error::AnswerTooLarge { size: message.len(), limit: self.size })
            }
            Ok(message) => Ok(message),
        }
    }
}

impl Reply {
    pub(super) fn result<R: Serialize>(id: &RawValue, result: &R, bounds: Bounds) -> Result<Self, RpcError> {
        Ok(Self { message: bounds.write(id, Ok(result))?, work: Work::default(), _result: None })
    }

    pub(super) fn error(id: Option<&RawValue>, error: &RpcError) -> Self {
        let message = jsonrpc::response::<()>(id, Err(error)).or_else(|broken_by| {
            // The handler's own error cannot be written: its data is no JSON.
            jsonrpc::response::<()>(id, Err(&broken(&broken_by)))
        });
        Self { message: message.unwrap_or_default(), work: Work::default(), _result: None }
    }
}

/// The handler's error.
///
/// # Errors
/// What is sent in its place, where it cannot be.
pub(super) fn bounded(id: &RawValue, error: RpcError, bounds: Bounds) -> Result<RpcError, RpcError> {
    bounds.write::<()>(id, Err(&error)).map(|_| error)
}

/// What the handler gave is no answer to the request.
pub(super) fn invalid(why: String) -> RpcError {
    Error::InvalidAnswer(why).to_rpc()
}

/// What the handler gave has no JSON.
pub(super) fn broken(error: &serde_json::Error) -> RpcError {
    Error::InvalidAnswer(error.to_string()).to_rpc()
}
