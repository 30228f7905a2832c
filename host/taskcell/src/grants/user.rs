//! Grant `user`: a way to the person at the client, given by the embedding application.

use async_trait::async_trait;

use super::generated::taskcell::handlers::user as generated;
use crate::grants::CellState;
use crate::protocol::types::{ElicitRequest, ElicitResult, Implementation, RpcError};
use crate::support::polled::outside;
use crate::telemetry::{Import, import};

/// Answer of the person to a yes-or-no question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Confirmation {
    /// Said yes.
    Accepted,
    /// Said no.
    Declined,
    /// Went away without a choice.
    Cancelled,
}

/// A way to the person at the client.
///
/// What is to be shown comes from a guest and a server: show who asks, and strip control characters.
#[async_trait]
pub trait User: Send + Sync + 'static {
    /// Shows a form or offers a page, and waits. The cell is suspended meanwhile; when the request is cancelled
    /// the future is dropped.
    ///
    /// # Errors
    /// Why the person could not be asked; declining is no error.
    async fn elicit(&self, server: &Implementation, request: ElicitRequest) -> Result<ElicitResult, RpcError>;

    /// Asks a yes-or-no question and waits.
    ///
    /// # Errors
    /// Why the person could not be asked.
    async fn confirm(&self, server: &Implementation, message: String) -> Result<Confirmation, RpcError>;
}

impl generated::Host for &mut CellState {
    async fn elicit(&mut self, request: ElicitRequest) -> wasmtime::Result<Result<ElicitResult, RpcError>> {
        import(Import("taskcell:handlers/user", "elicit"), async {
            match (self.context.handler.grants.user.clone(), self.context.session.clone()) {
                (Some(user), Some(asked)) => Ok(outside(user.elicit(&asked.server, request)).await),
                _ => Err(wasmtime::format_err!("no user is granted")),
            }
        })
        .await
    }

    async fn confirm(&mut self, message: String) -> wasmtime::Result<Result<generated::Confirmation, RpcError>> {
        import(Import("taskcell:handlers/user", "confirm"), async {
            match (self.context.handler.grants.user.clone(), self.context.session.clone()) {
                (Some(user), Some(asked)) => {
                    Ok(outside(user.confirm(&asked.server, message)).await.map(|answer| match answer {
                        Confirmation::Accepted => generated::Confirmation::Accepted,
                        Confirmation::Declined => generated::Confirmation::Declined,
                        Confirmation::Cancelled => generated::Confirmation::Cancelled,
                    }))
                }
                _ => Err(wasmtime::format_err!("no user is granted")),
            }
        })
        .await
    }
}
