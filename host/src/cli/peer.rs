//! One end of a JSON-RPC connection over lines: sends requests, finds the answers among what comes back.
//!
//! rmcp's transports are typed by its own MCP types, which drop `params.task` and have no `capabilities.tasks`; so
//! the lines are read here, with tokio-util's codec, and stay raw.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::bail;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};

use super::terminal;
use crate::protocol::jsonrpc::{self, Message};
use crate::protocol::types::RpcError;
use crate::session::rounds::Response;

/// Longest line to read, in bytes: above a session's limit for messages, so that the session answers those.
pub(super) const MAX_LINE: usize = 16 << 20;

/// The answer to a request.
pub(super) type Answer = Result<Value, RpcError>;

/// Requests that are not cancelled: a client may not, or whoever gets it may not know cancellation yet.
/// [2025-11-25, basic/utilities/cancellation, Behavior Requirements]
const OPENING: [&str; 2] = ["initialize", "server/discover"];

/// The connection ended; whoever reads it knows why.
#[derive(Debug, thiserror::Error)]
#[error("the connection has ended")]
pub(super) struct Closed;

/// One end of a connection.
pub(super) struct Peer {
    outgoing: mpsc::Sender<Vec<u8>>,
    pending: Mutex<HashMap<u64, oneshot::Sender<Response>>>,
    next_id: AtomicU64,
}

impl Peer {
    /// An end whose messages come out of the receiver.
    pub(super) fn new() -> (Arc<Self>, mpsc::Receiver<Vec<u8>>) {
        let (outgoing, receiver) = mpsc::channel(64);
        (Arc::new(Self { outgoing, pending: Mutex::default(), next_id: AtomicU64::new(1) }), receiver)
    }

    /// Sends a request and waits for its answer.
    pub(super) async fn request(&self, method: &str, params: Value, timeout: Duration) -> anyhow::Result<Answer> {
        let answer = self.request_raw(method, &params, timeout).await?;
        Ok(answer.map(|result| serde_json::from_str(result.get()).unwrap_or_default()))
    }

    /// The same with parameters and a result that stay as they were written. A request that nobody waits for any more is
    /// cancelled.
    pub(super) async fn request_raw<P: Serialize>(
        &self,
        method: &str,
        params: &P,
        timeout: Duration,
    ) -> anyhow::Result<Response> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        self.pending().insert(id, answer);
        let _waiting = Waiting { peer: self, id, cancels: !OPENING.contains(&method) };
        self.write(jsonrpc::request(id, method, params)?).await?;
        match tokio::time::timeout(timeout, answered).await {
            Ok(answer) => answer.map_err(|_| Closed.into()),
            Err(_) => bail!("no answer to {method} within {} s; --timeout gives it longer", timeout.as_secs()),
        }
    }

    /// Sends any message.
    pub(super) async fn send<M: Serialize>(&self, message: &M) -> anyhow::Result<()> {
        self.write(serde_json::to_vec(message)?).await
    }

    async fn write(&self, message: Vec<u8>) -> anyhow::Result<()> {
        self.outgoing.send(message).await.map_err(|_| Closed.into())
    }

    /// Takes a response, and says whether anybody waited for it. One that was not asked for is dropped.
    pub(super) fn response(&self, message: &Message<'_>) -> bool {
        let id = message.id.and_then(|id| id.get().parse::<u64>().ok());
        let Some(waiting) = id.and_then(|id| self.pending().remove(&id)) else { return false };
        let answer = match (message.result, message.error) {
            (_, Some(error)) => Err(serde_json::from_str(error.get())
                .unwrap_or_else(|_| RpcError::internal("peer", "The peer's error is none of JSON-RPC"))),
            (Some(result), None) => Ok(result.to_owned()),
            (None, None) => Err(RpcError::internal("peer", "The peer's response has neither result nor error")),
        };
        waiting.send(answer).is_ok()
    }

    /// Wakes all who wait for an answer: there will be none.
    pub(super) fn close(&self) {
        self.pending().clear();
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Response>>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that somebody waits for. When nobody does any more and there was no answer, the other end is told.
/// [basic/patterns/cancellation; 2025-11-25, basic/utilities/cancellation]
struct Waiting<'a> {
    peer: &'a Peer,
    id: u64,
    cancels: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.peer.pending().remove(&self.id).is_some() && self.cancels {
            let message = jsonrpc::notification("notifications/cancelled", &json!({ "requestId": self.id }));
            // When the queue is full the server does not read, so it would not hear of it either.
            let _ = message.map(|message| self.peer.outgoing.try_send(message));
        }
    }
}

/// The lines that come in.
pub(super) type Lines<R> = FramedRead<R, LinesCodec>;

/// Reads lines from a stream.
pub(super) fn lines<R: AsyncRead>(stream: R) -> Lines<R> {
    FramedRead::new(stream, LinesCodec::new_with_max_length(MAX_LINE))
}

/// The next line that is not empty; none at the end.
pub(super) async fn next_line<R: AsyncRead + Unpin>(lines: &mut Lines<R>) -> anyhow::Result<Option<String>> {
    use futures_util::StreamExt;
    loop {
        match lines.next().await {
            None => return Ok(None),
            Some(Ok(line)) if line.trim().is_empty() => {}
            Some(Ok(line)) => return Ok(Some(line)),
            Some(Err(LinesCodecError::MaxLineLengthExceeded)) => bail!("a line of more than {MAX_LINE} bytes"),
            Some(Err(LinesCodecError::Io(error))) => return Err(error.into()),
        }
    }
}

/// Reads a line as a message.
pub(super) fn message(line: &str) -> anyhow::Result<Message<'_>> {
    Message::read(line.as_bytes())
        .map_err(|_| anyhow::anyhow!("not a JSON-RPC message: {:?}", terminal::one_line(line)))
}

/// Writes messages as lines, until there are no more.
pub(super) async fn write_lines<W: AsyncWrite + Unpin>(
    mut messages: mpsc::Receiver<Vec<u8>>,
    mut stream: W,
) -> std::io::Result<()> {
    while let Some(mut message) = messages.recv().await {
        message.push(b'\n');
        stream.write_all(&message).await?;
        stream.flush().await?;
    }
    Ok(())
}
