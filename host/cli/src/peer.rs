//! One end of a JSON-RPC connection over lines: sends requests, finds the answers among what comes back.
//!
//! rmcp's transports are typed by its own MCP types, which drop `params.task` and have no `capabilities.tasks`; so
//! the lines are read here and stay raw.

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
use super::terminal;
use taskcell::mrtr::Response;
use taskcell::protocol::jsonrpc::{self, Message};
use taskcell::protocol::types::RpcError;

/// The answer to a request.
pub(super) type Answer = Result<Value, RpcError>;

/// Requests that are not cancelled: a client may not, or whoever gets it may not know cancellation yet.
/// [2025-11-25, basic/utilities/cancellation, Behavior Requirements]
const OPENING: [&str; 2] = ["initialize", "server/discover"];

/// One end of a connection.
pub(super) struct Peer {
    outgoing: Outgoing,
    pending: Mutex<HashMap<u64, oneshot::Sender<Response>>>,
    next_id: AtomicU64,
    /// What came that is no answer to anything: why an answer may be missing.
    strange: Mutex<Option<String>>,
}

impl Peer {
    /// An end, and the queue of what it sends.
    pub(super) fn new() -> (Arc<Self>, Queued) {
        let (outgoing, queued) = outgoing::queue();
        let (pending, next_id, strange) = (Mutex::default(), AtomicU64::new(1), Mutex::default());
        (Arc::new(Self { outgoing, pending, next_id, strange }), queued)
    }

    /// The way to the other end.
    pub(super) fn outgoing(&self) -> &Outgoing {
        &self.outgoing
    }

    /// Sends a request and waits for its answer.
    pub(super) async fn request(&self, method: &str, params: Value, timeout: Duration) -> anyhow::Result<Answer> {
        Ok(match self.request_raw(method, &params, timeout).await? {
            Ok(result) => Ok(foreign::result(method, &result)?),
            Err(error) => Err(error),
        })
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
        let message = jsonrpc::request(id, method, params)?;
        // A server that does not read has the time of one that does not answer.
        let exchange = async {
            self.outgoing.send(message).await?;
            answered.await.map_err(|_| Closed)
        };
        match tokio::time::timeout(timeout, exchange).await {
            Ok(answer) => Ok(answer?),
            Err(_) => {
                let strange = self.strange().as_ref().map(|strange| format!("; {strange}")).unwrap_or_default();
                bail!("no answer to {method} within {} s; --timeout gives it longer{strange}", timeout.as_secs())
            }
        }
    }

    /// Sends any message.
    pub(super) async fn send<M: Serialize>(&self, message: &M) -> anyhow::Result<()> {
        Ok(self.outgoing.send(serde_json::to_vec(message)?).await?)
    }

    /// Takes a response, and says whether anybody waited for it. An id may be spelled otherwise than it was sent; an error
    /// that names no request is the answer to the only one that is open. What is odd about it is told before whoever waits
    /// has it, for that may be the end of the run.
    pub(super) fn response(&self, message: &Message<'_>, tell: impl FnOnce(&str)) -> bool {
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
        waiting.send(answer).is_ok()
    }

    /// Notes what came in place of an answer, for the error of one that does not come.
    pub(super) fn note(&self, what: impl FnOnce() -> String) {
        self.strange().get_or_insert_with(what);
    }

    /// Whether the answer to a request of this id is awaited.
    pub(super) fn awaits(&self, id: &RawValue) -> bool {
        foreign::id(id).is_some_and(|id| self.pending().contains_key(&id))
    }

    /// Wakes all who wait for an answer: there will be none.
    pub(super) fn close(&self) {
        self.pending().clear();
    }

    fn named(&self, id: &RawValue) -> (Option<oneshot::Sender<Response>>, Option<String>) {
        let number = foreign::id(id);
        let waiting = number.and_then(|id| self.pending().remove(&id));
        let quoted = terminal::one_line(id.get());
        let spelled = number.is_some_and(|number| number.to_string() != id.get());
        let remark = match (&waiting, number) {
            (Some(_), Some(number)) if spelled => Some(format!("the server answers request {number} as {quoted}")),
            (Some(_), _) => None,
            // It was given up, or is answered twice.
            (None, Some(number)) if number < self.next_id.load(Ordering::Relaxed) => None,
            (None, _) => {
                let open = self.open();
                Some(format!("the server answers request {quoted}, which was never sent (open: {open})"))
            }
        };
        (waiting, remark)
    }

    fn unnamed(&self, message: &Message<'_>) -> (Option<oneshot::Sender<Response>>, Option<String>) {
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

    /// The ids of the requests that are open, for people.
    fn open(&self) -> String {
        let mut ids: Vec<_> = self.pending().keys().copied().collect();
        ids.sort_unstable();
        let ids: Vec<_> = ids.iter().map(u64::to_string).collect();
        if ids.is_empty() { "none".to_owned() } else { ids.join(", ") }
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Response>>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn strange(&self) -> MutexGuard<'_, Option<String>> {
        self.strange.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A value with U+FFFD in place of what is no character.
fn mended(value: &RawValue) -> Box<RawValue> {
    let text = foreign::without_halves(value.get()).into_owned();
    // It is as valid as it was.
    RawValue::from_string(text).unwrap_or_else(|_| value.to_owned())
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
