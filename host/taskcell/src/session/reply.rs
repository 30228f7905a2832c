//! An answer, ready to be sent.

use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::OwnedSemaphorePermit;

use super::work::Work;
use crate::Error;
use crate::protocol::types::RpcError;
use crate::protocol::{Bounds, json, jsonrpc};

/// An answer that is ready to be sent, and what to start after it was.
pub(super) struct Reply {
    pub(super) message: Vec<u8>,
    pub(super) work: Work,
    /// The place that the result of a task has until it is sent.
    pub(super) _result: Option<OwnedSemaphorePermit>,
}

impl Reply {
    pub(super) fn result<R: Serialize>(id: &RawValue, result: &R, bounds: Bounds) -> Result<Self, RpcError> {
        Ok(Self { message: write(id, Ok(result), bounds)?, work: Work::default(), _result: None })
    }

    pub(super) fn error(id: Option<&RawValue>, error: &RpcError) -> Self {
        let message = jsonrpc::response::<()>(id, Err(error)).or_else(|broken_by| {
            // The handler's own error cannot be written: its data is no JSON.
            jsonrpc::response::<()>(id, Err(&broken(&broken_by)))
        });
        Self { message: message.unwrap_or_default(), work: Work::default(), _result: None }
    }
}

/// An answer to a request as one line of JSON.
///
/// # Errors
/// Why it cannot be sent.
fn write<R: Serialize>(id: &RawValue, outcome: Result<&R, &RpcError>, bounds: Bounds) -> Result<Vec<u8>, RpcError> {
    let (written, too_deep) = json::within(bounds.depth, || jsonrpc::response(Some(id), outcome));
    let limited = |error: Error| {
        error.log(None, "an answer is not sent");
        Err(error.to_rpc())
    };
    match written {
        Err(_) if too_deep => limited(Error::JsonDepth { limit: bounds.depth }),
        Err(error) => Err(broken(&error)),
        Ok(message) if message.len() > bounds.size => {
            limited(Error::AnswerTooLarge { size: message.len(), limit: bounds.size })
        }
        Ok(message) => Ok(message),
    }
}

/// The handler's error.
///
/// # Errors
/// What is sent in its place, where it cannot be.
pub(super) fn bounded(id: &RawValue, error: RpcError, bounds: Bounds) -> Result<RpcError, RpcError> {
    write::<()>(id, Err(&error), bounds).map(|_| error)
}

/// What the handler gave is no answer to the request.
pub(super) fn invalid(why: String) -> RpcError {
    Error::InvalidAnswer(why).to_rpc()
}

/// What the handler gave has no JSON.
pub(super) fn broken(error: &serde_json::Error) -> RpcError {
    Error::InvalidAnswer(error.to_string()).to_rpc()
}
