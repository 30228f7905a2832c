//! A server on a stream: its lines are looked at before rmcp reads them, and both write theirs to the same stream.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use rmcp::RoleClient;
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::async_rw::{AsyncRwTransport, DEFAULT_MAX_LINE_LENGTH};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Mutex;

use super::connection::Connection;
use super::lines::Lines;
use super::way::Way;
use super::writer::{Shared, Writer, write_line};

/// rmcp's transport over a stream, which reads what the handlers leave.
pub struct Stdio<R, W>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    inner: AsyncRwTransport<RoleClient, Lines<R>, Writer<W>>,
    connection: Arc<Connection>,
    to: Shared<W>,
}

impl<R, W> std::fmt::Debug for Stdio<R, W>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stdio").finish_non_exhaustive()
    }
}

impl<R, W> Stdio<R, W>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    pub(super) fn open(read: R, write: W, connection: &Arc<Connection>) -> (Self, Arc<dyn Way>) {
        let to = Arc::new(Mutex::new(Some(write)));
        let lines = Lines::new(read, Arc::clone(connection), DEFAULT_MAX_LINE_LENGTH);
        let inner = AsyncRwTransport::new_client(lines, Writer::new(Arc::clone(&to)));
        let way = Arc::new(Stream { to: Arc::clone(&to) });
        (Self { inner, connection: Arc::clone(connection), to }, way)
    }
}

impl<R, W> rmcp::transport::Transport<RoleClient> for Stdio<R, W>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.inner.send(self.connection.declare(message))
    }

    fn receive(&mut self) -> impl Future<Output = Option<RxJsonRpcMessage<RoleClient>>> + Send {
        self.inner.receive()
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        let closed = self.inner.close().await;
        // Whoever else has it has ended by now; the server sees the end of the stream.
        if let Ok(mut to) = self.to.try_lock() {
            *to = None;
        }
        closed
    }
}

struct Stream<W> {
    to: Shared<W>,
}

#[async_trait]
impl<W: AsyncWrite + Send + Unpin + 'static> Way for Stream<W> {
    async fn send(&self, message: Vec<u8>) {
        if let Err(error) = write_line(&self.to, message).await {
            tracing::debug!(%error, "the server takes no more messages");
        }
    }
}
