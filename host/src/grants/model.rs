//! Grant `model`: a language model, given by the embedding application.

use async_trait::async_trait;

use super::generated::taskcell::handlers::model::Host;
use crate::protocol::types::{CreateMessageRequest, CreateMessageResult, RpcError};
use crate::sandbox::CellState;

/// A language model that handlers may run.
#[async_trait]
pub trait Model: Send + Sync + 'static {
    /// Runs the model. The cell is suspended meanwhile; when the request is cancelled the future is dropped.
    ///
    /// # Errors
    /// Whatever the handler is to see; it may pass it on to the peer.
    async fn create_message(&self, request: CreateMessageRequest) -> Result<CreateMessageResult, RpcError>;
}

impl Host for &mut CellState {
    async fn create_message(
        &mut self,
        request: CreateMessageRequest,
    ) -> wasmtime::Result<Result<CreateMessageResult, RpcError>> {
        match self.scope.grants.model.clone() {
            Some(model) => Ok(model.create_message(request).await),
            None => Err(wasmtime::format_err!("no model is granted")),
        }
    }
}
