//! rmcp's transport with the handlers beside it.

use std::borrow::Cow;
use std::sync::Arc;

use futures_util::future::{Either, ready};
use rmcp::RoleClient;
use rmcp::model::ServerJsonRpcMessage;
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use tokio::sync::mpsc;

use super::connection::Connection;
use super::sink::Sink;

/// Transport of rmcp whose server is answered by handlers, too. Create it with an [`Adapter`](super::Adapter) and pass
/// it to `serve`. Dropping it, or the service that has it, ends the handlers' work for the server. Closing the service
/// also waits until stored work is released.
pub struct Transport<T> {
    inner: T,
    connection: Arc<Connection>,
    sink: Arc<dyn Sink>,
    for_rmcp: mpsc::Receiver<ServerJsonRpcMessage>,
}

impl<T> std::fmt::Debug for Transport<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transport").finish_non_exhaustive()
    }
}

impl<T> Transport<T> {
    pub(super) fn new(
        inner: T,
        connection: Arc<Connection>,
        sink: Arc<dyn Sink>,
        for_rmcp: mpsc::Receiver<ServerJsonRpcMessage>,
    ) -> Self {
        Self { inner, connection, sink, for_rmcp }
    }
}

impl<T: rmcp::transport::Transport<RoleClient>> rmcp::transport::Transport<RoleClient> for Transport<T> {
    type Error = T::Error;

    fn name() -> Cow<'static, str> {
        T::name()
    }

    fn send(
        &mut self,
        mut message: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        if self.connection.outgoing(&mut message) {
            Either::Left(self.inner.send(message))
        } else {
            Either::Right(ready(Ok(())))
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        let message = tokio::select! {
            message = self.inner.receive() => message?,
            Some(message) = self.for_rmcp.recv(), if self.connection.is_modern() => return Some(message),
        };
        if self.connection.awaits_server()
            && let Some(mut outbox) = self.connection.begin(&message, Arc::<dyn Sink>::clone(&self.sink))
        {
            let sink = Arc::clone(&self.sink);
            self.connection.keep(tokio::spawn(async move {
                while let Some(message) = outbox.recv().await {
                    sink.send(message).await;
                }
            }));
        }
        Some(message)
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.connection.end().await;
        // The answers of the server must be read for that.
        let reading = async { while self.inner.receive().await.is_some() {} };
        tokio::select! {
            () = self.connection.settle() => {}
            () = reading => {}
        }
        self.inner.close().await
    }
}
