//! One end of a JSON-RPC connection over lines: sends requests and matches the responses to them.
//!
//! rmcp's transports are typed by its own MCP types, which drop `params.task` and have no `capabilities.tasks`. This
//! client therefore reads the lines itself and keeps them raw.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::bail;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::foreign;
use super::outgoing::{self, Closed, Outgoing, Queued};
use crate::terminal;
use taskcell::mrtr::Response;
use taskcell::protocol::jsonrpc::{self, Message};
use taskcell::protocol::types::RpcError;

/// Response to a request: its result or its error.
pub(crate) type Answer = Result<Value, RpcError>;

/// End of the wait for a response: the response, or the failure of the exchange that was to bring it.
type Waiting = oneshot::Sender<anyhow::Result<Response>>;

/// Methods whose requests are never cancelled: a client must not cancel `initialize`, and the receiver of either method
/// may not support cancellation yet. [2025-11-25, basic/utilities/cancellation, Behavior Requirements]
const OPENING: [&str; 2] = ["initialize", "server/discover"];

/// One end of a JSON-RPC connection.
pub(crate) struct Peer {
    outgoing: Outgoing,
    pending: Mutex<HashMap<u64, Waiting>>,
    next_id: AtomicU64,
    /// First odd message that came, such as a response to no open request. It may explain why a response is missing.
    strange: Mutex<Option<String>>,
}

impl Peer {
    /// Creates an end of a connection and the queue of its outgoing messages.
    pub(crate) fn new() -> (Arc<Self>, Queued) {
        let (outgoing, queued) = outgoing::queue();
        let (pending, next_id, strange) = (Mutex::default(), AtomicU64::new(1), Mutex::default());
        (Arc::new(Self { outgoing, pending, next_id, strange }), queued)
    }

    /// Queue of the messages to the other end.
    pub(crate) fn outgoing(&self) -> &Outgoing {
        &self.outgoing
    }

    /// Sends a request and waits for its response.
    pub(crate) async fn request(&self, method: &str, params: Value, timeout: Duration) -> anyhow::Result<Answer> {
        Ok(match self.request_raw(method, &params, timeout).await? {
            Ok(result) => Ok(foreign::result(method, &result)?),
            Err(error) => Err(error),
        })
    }

    /// Sends a request like [`Self::request`], and keeps parameters and result as they were written. When the caller
    /// stops waiting, the request is cancelled.
    pub(crate) async fn request_raw<P: Serialize>(
        &self,
        method: &str,
        params: &P,
        timeout: Duration,
    ) -> anyhow::Result<Response> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        self.pending().insert(id, answer);
        let _waiting = PendingRequest { peer: self, id, cancels: !OPENING.contains(&method) };
        let message = jsonrpc::request(id, method, params)?;
        // The timeout covers sending, too: the other end may not read.
        let exchange = async {
            self.outgoing.send(message).await?;
            answered.await.map_err(|_| Closed)?
        };
        match tokio::time::timeout(timeout, exchange).await {
            Ok(answer) => answer,
            Err(_) => {
                let strange = self.strange().as_ref().map(|strange| format!("; {strange}")).unwrap_or_default();
                bail!("no answer to {method} within {} s; --timeout allows more time{strange}", timeout.as_secs())
            }
        }
    }

    /// Sends any message.
    pub(crate) async fn send<M: Serialize>(&self, message: &M) -> anyhow::Result<()> {
        Ok(self.outgoing.send(serde_json::to_vec(message)?).await?)
    }

    /// Takes a response and returns whether a caller was waiting for it.
    ///
    /// An id may be spelled differently from the one sent. An error that names no request answers the request that is
    /// open, if there is just one. `tell` hears of any oddity before the waiting caller gets the response, because the
    /// run may end with it.
    pub(crate) fn response(&self, message: &Message<'_>, tell: impl FnOnce(&str)) -> bool {
        let (waiting, remark) = match message.id {
            None => self.unnamed(message),
            Some(id) => self.named(id),
        };
        if let Some(remark) = &remark {
            self.strange().get_or_insert_with(|| remark.clone());
            tell(remark);
        }
        let Some(waiting) = waiting else { return false };
        let answer = match (message.result, message.error) {
            (_, Some(error)) => Err(foreign::error(&mended(error))),
            (Some(result), None) => Ok(mended(result)),
            (None, None) => Err(RpcError::internal("peer", "The peer's response has neither result nor error")),
        };
        waiting.send(Ok(answer)).is_ok()
    }

    /// Ends the wait for the response to request `id`, which will not come.
    pub(crate) fn fail(&self, id: &str, error: anyhow::Error) {
        let waiting = id.parse().ok().and_then(|id: u64| self.pending().remove(&id));
        match waiting {
            // The caller may have stopped waiting.
            Some(waiting) => drop(waiting.send(Err(error))),
            None => tracing::debug!(id, %error, "a request that nobody waits for failed"),
        }
    }

    /// Remembers a message that came in place of a response, for the error when the response does not come.
    pub(crate) fn note(&self, what: impl FnOnce() -> String) {
        self.strange().get_or_insert_with(what);
    }

    /// Whether a caller waits for the response to request `id`.
    pub(crate) fn awaits(&self, id: &RawValue) -> bool {
        foreign::id(id).is_some_and(|id| self.pending().contains_key(&id))
    }

    /// Wakes all waiting callers: no more responses will come.
    pub(crate) fn close(&self) {
        self.pending().clear();
    }

    fn named(&self, id: &RawValue) -> (Option<Waiting>, Option<String>) {
        let number = foreign::id(id);
        let waiting = number.and_then(|id| self.pending().remove(&id));
        let quoted = terminal::one_line(id.get());
        let spelled = number.is_some_and(|number| number.to_string() != id.get());
        let remark = match (&waiting, number) {
            (Some(_), Some(number)) if spelled => Some(format!("the server answers request {number} as {quoted}")),
            (Some(_), _) => None,
            // The request was abandoned, or this is a second response to it.
            (None, Some(number)) if number < self.next_id.load(Ordering::Relaxed) => None,
            (None, _) => {
                let open = self.open();
                Some(format!("the server answers request {quoted}, which was never sent (open: {open})"))
            }
        };
        (waiting, remark)
    }

    fn unnamed(&self, message: &Message<'_>) -> (Option<Waiting>, Option<String>) {
        let Some(error) = message.error else {
            return (None, Some("the server sent a message without id and method".to_owned()));
        };
        let mut pending = self.pending();
        let only = if pending.len() == 1 { pending.drain().next() } else { None };
        drop(pending);
        match only {
            Some((_, waiting)) => (Some(waiting), None),
            None => {
                let error = foreign::words(&foreign::error(error));
                (None, Some(format!("the server sent an error that names no request: {error}")))
            }
        }
    }

    /// Ids of the open requests, as text for people.
    fn open(&self) -> String {
        let mut ids: Vec<_> = self.pending().keys().copied().collect();
        ids.sort_unstable();
        let ids: Vec<_> = ids.iter().map(u64::to_string).collect();
        if ids.is_empty() { "none".to_owned() } else { ids.join(", ") }
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<u64, Waiting>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn strange(&self) -> MutexGuard<'_, Option<String>> {
        self.strange.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Replaces each half of a surrogate pair in `value` by U+FFFD.
fn mended(value: &RawValue) -> Box<RawValue> {
    let text = foreign::without_halves(value.get()).into_owned();
    // The replacement keeps valid JSON valid.
    RawValue::from_string(text).unwrap_or_else(|_| value.to_owned())
}

/// Guard of a request that a caller waits for. When it is dropped before the response came, the other end is sent a
/// cancellation. [basic/patterns/cancellation; 2025-11-25, basic/utilities/cancellation]
struct PendingRequest<'a> {
    peer: &'a Peer,
    id: u64,
    cancels: bool,
}

impl Drop for PendingRequest<'_> {
    fn drop(&mut self) {
        if self.peer.pending().remove(&self.id).is_some() && self.cancels {
            let message = jsonrpc::notification("notifications/cancelled", &json!({ "requestId": self.id }));
            // When the queue is full, the other end does not read and would not see the cancellation either.
            let _ = message.map(|message| self.peer.outgoing.try_send(message));
        }
    }
}
