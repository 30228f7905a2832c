//! Transport to a server on a stream: lines are inspected before rmcp reads them, and both sides write to the same
//! stream.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use rmcp::RoleClient;
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::async_rw::{AsyncRwTransport, DEFAULT_MAX_LINE_LENGTH};
use serde_json::json;
use serde_json::value::RawValue;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use super::calls::{PendingResponses, new_id};
use super::connection::Connection;
use super::lines::Lines;
use super::sink::Sink;
use super::writer::{SharedWriter, Writer, write_line};
use taskcell::mrtr::{Response, SendError, Server};
use taskcell::protocol::jsonrpc;

/// rmcp's transport over a stream, which reads the lines that the handlers leave.
pub struct Stdio<R, W>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    inner: AsyncRwTransport<RoleClient, Lines<R>, Writer<W>>,
    connection: Arc<Connection>,
    to: SharedWriter<W>,
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
    pub(super) fn open(read: R, write: W, connection: &Arc<Connection>) -> (Self, Arc<dyn Sink>) {
        let to = Arc::new(Mutex::new(Some(write)));
        let lines = Lines::new(read, Arc::clone(connection), DEFAULT_MAX_LINE_LENGTH);
        let inner = AsyncRwTransport::new_client(lines, Writer::new(Arc::clone(&to)));
        let sink = Arc::new(Stream { to: Arc::clone(&to), pending: Arc::clone(&connection.pending) });
        (Self { inner, connection: Arc::clone(connection), to }, sink)
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
        mut message: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.connection.initialize(&mut message);
        self.inner.send(message)
    }

    fn receive(&mut self) -> impl Future<Output = Option<RxJsonRpcMessage<RoleClient>>> + Send {
        self.inner.receive()
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        let closed = self.inner.close().await;
        // The other owners have ended by now; the server sees the end of the stream.
        if let Ok(mut to) = self.to.try_lock() {
            *to = None;
        }
        closed
    }
}

struct Stream<W> {
    to: SharedWriter<W>,
    pending: Arc<PendingResponses>,
}

#[async_trait]
impl<W: AsyncWrite + Send + Unpin + 'static> Sink for Stream<W> {
    async fn send(&self, message: Vec<u8>) {
        if let Err(error) = write_line(&self.to, message).await {
            tracing::debug!(%error, "the server takes no more messages");
        }
    }
}

#[async_trait]
impl<W: AsyncWrite + Send + Unpin + 'static> Server for Stream<W> {
    async fn request(&self, method: &str, params: Box<RawValue>) -> Result<Response, SendError> {
        let mut pending = self.pending.begin(new_id());
        let request = jsonrpc::request(&pending.id, method, &params)?;
        // The server may have the request from here on.
        let mut cancel = CancelOnDrop { to: Some(Arc::clone(&self.to)), id: pending.id.clone() };
        write_line(&self.to, request).await?;
        let answer = (&mut pending.answer).await;
        cancel.to = None;
        Ok(answer?)
    }
}

/// Guard that cancels a request when it is dropped. [2026-07-28, basic/patterns/cancellation]
struct CancelOnDrop<W: AsyncWrite + Send + Unpin + 'static> {
    to: Option<SharedWriter<W>>,
    id: String,
}

impl<W: AsyncWrite + Send + Unpin + 'static> Drop for CancelOnDrop<W> {
    fn drop(&mut self) {
        // Without a runtime the process is ending, and its connection to the server with it.
        if let (Some(to), Ok(runtime)) = (self.to.take(), Handle::try_current())
            && let Ok(message) = jsonrpc::notification("notifications/cancelled", &json!({ "requestId": self.id }))
        {
            runtime.spawn(async move { write_line(&to, message).await });
        }
    }
}
