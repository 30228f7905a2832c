//! rmcp's transport, with the handlers beside it.

use std::borrow::Cow;
use std::sync::Arc;

use rmcp::RoleClient;
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};

use super::connection::Connection;
use super::way::Way;

/// A transport of rmcp whose server is answered by handlers, too. Made by an [`Adapter`](super::Adapter), to be given to
/// `serve`. Dropping it, or the service that has it, ends what the handlers do for the server; closing the service waits until
/// work that is kept in a store is given back.
pub struct Transport<T> {
    inner: T,
    connection: Arc<Connection>,
    way: Arc<dyn Way>,
}

impl<T> std::fmt::Debug for Transport<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transport").finish_non_exhaustive()
    }
}

impl<T> Transport<T> {
    pub(super) fn new(inner: T, connection: Arc<Connection>, way: Arc<dyn Way>) -> Self {
        Self { inner, connection, way }
    }
}

impl<T: rmcp::transport::Transport<RoleClient>> rmcp::transport::Transport<RoleClient> for Transport<T> {
    type Error = T::Error;

    fn name() -> Cow<'static, str> {
        T::name()
    }

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.inner.send(message)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        let message = self.inner.receive().await?;
        if self.connection.awaits_server()
            && let Some(mut outbox) = self.connection.begin(&message)
        {
            let way = Arc::clone(&self.way);
            self.connection.keep(tokio::spawn(async move {
                while let Some(message) = outbox.recv().await {
                    way.send(message).await;
                }
            }));
        }
        Some(message)
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.connection.close().await;
        self.inner.close().await
    }
}
