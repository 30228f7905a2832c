//! Answer that is ready to be sent.

use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::OwnedSemaphorePermit;

use super::work::Work;
use crate::CellError;
use crate::protocol::types::RpcError;
use crate::protocol::{Bounds, json, jsonrpc};

/// Answer that is ready to be sent, and the work to start after it is sent.
pub(super) struct Reply {
    pub(super) message: Vec<u8>,
    pub(super) work: Work,
    /// Permit that the result of a task holds until it is sent.
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

/// Writes an answer to a request as one line of JSON.
///
/// # Errors
/// The error to send instead, for an answer that is too large, nests too deeply or has no JSON.
fn write<R: Serialize>(id: &RawValue, outcome: Result<&R, &RpcError>, bounds: Bounds) -> Result<Vec<u8>, RpcError> {
    let (written, too_deep) = json::within(bounds.depth, || jsonrpc::response(Some(id), outcome));
    let limited = |error: CellError| {
        error.log(None, "an answer is not sent");
        Err(error.to_rpc())
    };
    match written {
        Err(_) if too_deep => limited(CellError::JsonDepth { limit: bounds.depth }),
        Err(error) => Err(broken(&error)),
        Ok(message) if message.len() > bounds.size => {
            limited(CellError::AnswerTooLarge { size: message.len(), limit: bounds.size })
        }
        Ok(message) => Ok(message),
    }
}

/// Returns the handler's error when it can be sent.
///
/// # Errors
/// The error to send in its place.
pub(super) fn bounded(id: &RawValue, error: RpcError, bounds: Bounds) -> Result<RpcError, RpcError> {
    write::<()>(id, Err(&error), bounds).map(|_| error)
}

/// Returns the error for an output that is no answer to the request.
pub(super) fn invalid(why: String) -> RpcError {
    CellError::InvalidAnswer(why).to_rpc()
}

/// Returns the error for an output that has no JSON.
pub(super) fn broken(error: &serde_json::Error) -> RpcError {
    CellError::InvalidAnswer(error.to_string()).to_rpc()
}
