//! Grant `model`: a language model, given by the embedding application.
//!
//! The application implements [`Model`], or takes a [`ProviderModel`] (feature `model`), which speaks to a provider
//! under guards. Whichever it is, each call is a line of the session's audit log. It is written here and not by the
//! model, so that a model that forgets to say what it used is seen, too.

mod context;
#[cfg(feature = "model")]
mod provider;

use std::sync::Arc;

use async_trait::async_trait;

pub use context::{ModelContext, ModelUse, SessionIdentity};
#[cfg(feature = "model")]
pub use provider::{ModelGuards, Provider, ProviderModel, WrongProvider};

use super::generated::taskcell::handlers::model::Host;
use crate::grants::CellState;
use crate::protocol::types::{CreateMessageRequest, CreateMessageResult, RpcError};
use crate::support::polled;
use crate::telemetry::{self, Import, import};
use context::Audit;

/// A language model that handlers may run.
#[async_trait]
pub trait Model: Send + Sync + 'static {
    /// Runs the model for the request that `context` tells of. The cell is suspended meanwhile; when the request is
    /// cancelled the future is dropped.
    ///
    /// # Errors
    /// Whatever the handler is to see; it may pass it on to the peer.
    async fn create_message(
        &self,
        context: &ModelContext,
        request: CreateMessageRequest,
    ) -> Result<CreateMessageResult, RpcError>;
}

impl Host for &mut CellState {
    async fn create_message(
        &mut self,
        request: CreateMessageRequest,
    ) -> wasmtime::Result<Result<CreateMessageResult, RpcError>> {
        import(Import("taskcell:handlers/model", "create-message"), async {
            let call = &self.context;
            let (Some(model), Some(session)) = (call.handler.grants.model.clone(), &call.session) else {
                return Err(wasmtime::format_err!("no model is granted"));
            };
            let mut context = ModelContext::new(Arc::clone(&session.server), Arc::clone(&session.session));
            context.handler = Arc::clone(&call.handler.digest);
            context.kind = call.kind;
            let task = call.lease.as_ref().map(|lease| lease.id.clone());
            let audit = Audit::new(&context, task, &request);
            let answer = polled::outside(model.create_message(&context, request)).await;
            audit.end(&answer);
            let ModelUse { model, input_tokens, output_tokens } = context.used();
            telemetry::model_used(model.as_deref(), input_tokens, output_tokens);
            Ok(answer)
        })
        .await
    }
}
