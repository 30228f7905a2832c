//! An answer, ready to be sent.

use serde::Serialize;
use serde_json::value::RawValue;

use super::background::Work;
use crate::Error;
use crate::protocol::jsonrpc;
use crate::protocol::types::RpcError;

/// An answer that is ready to be sent, and what to start after it was.
pub(super) struct Reply {
    pub(super) message: Vec<u8>,
    pub(super) work: Work,
}

impl Reply {
    pub(super) fn result<R: Serialize>(id: &RawValue, result: &R, limit: usize) -> Result<Self, RpcError> {
        let message = jsonrpc::response(Some(id), Ok(result)).map_err(|error| broken(&error))?;
        if message.len() > limit {
            return Err(too_large(message.len(), limit));
        }
        Ok(Self { message, work: Work::default() })
    }

    pub(super) fn error(id: Option<&RawValue>, error: &RpcError) -> Self {
        let message = jsonrpc::response::<()>(id, Err(error)).or_else(|broken_by| {
            // The handler's own error cannot be written: its data is no JSON.
            jsonrpc::response::<()>(id, Err(&broken(&broken_by)))
        });
        Self { message: message.unwrap_or_default(), work: Work::default() }
    }
}

/// The handler's error, unless its message is larger than an answer may be.
pub(super) fn bounded(id: &RawValue, error: RpcError, limit: usize) -> RpcError {
    match jsonrpc::response::<()>(Some(id), Err(&error)) {
        Ok(message) if message.len() > limit => too_large(message.len(), limit),
        _ => error,
    }
}

fn too_large(size: usize, limit: usize) -> RpcError {
    let error = Error::AnswerTooLarge { size, limit };
    error.log(None, "an answer is not sent");
    error.to_rpc()
}

/// What the handler gave is no answer to the request.
pub(super) fn invalid(why: String) -> RpcError {
    Error::InvalidAnswer(why).to_rpc()
}

/// What the handler gave has no JSON.
pub(super) fn broken(error: &serde_json::Error) -> RpcError {
    Error::InvalidAnswer(error.to_string()).to_rpc()
}
