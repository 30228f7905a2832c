//! Calls of revision 2026-07-28: the requests of rmcp, and their continuation when the server asks for input first.
//!
//! rmcp sends the first request itself, so calls without input stay as they are, with their progress and cancellation.
//! Only a result that asks for input, or is a task, does not reach rmcp: a [`Caller`] continues the call, and its
//! outcome becomes the answer to rmcp's request.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rmcp::model::{ClientJsonRpcMessage, ClientRequest, JsonRpcMessage, RequestId, ServerJsonRpcMessage};
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use taskcell::mrtr::{CallError, Caller, FallbackHandler, INPUT, INPUT_REQUIRED_METHODS, Response};
use taskcell::protocol::jsonrpc::{self, Message, code};
use taskcell::protocol::plain;
use taskcell::protocol::types::RpcError;

/// Values by the id of a request.
pub(super) struct ById<K, V>(Mutex<HashMap<K, V>>);

impl<K, V> Default for ById<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V> ById<K, V> {
    pub(super) fn insert(&self, id: K, value: V) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, value);
    }

    pub(super) fn remove(&self, id: &K) -> Option<V> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id)
    }
}

/// Calls of rmcp to a server of revision 2026-07-28.
#[derive(Default)]
pub(super) struct OutgoingCalls {
    /// Requests whose results may ask for input. They are few, because rmcp waits for each.
    requests: ById<RequestId, ClientRequest>,
    /// Calls that a caller continues.
    continued: ById<RequestId, AbortHandle>,
}

impl OutgoingCalls {
    /// Notes a message of rmcp. Returns whether it goes to the server.
    pub(super) fn note(&self, message: &ClientJsonRpcMessage) -> bool {
        use rmcp::model::ClientNotification::CancelledNotification;
        match message {
            JsonRpcMessage::Request(request) if INPUT_REQUIRED_METHODS.contains(&request.request.method()) => {
                self.requests.insert(request.id.clone(), request.request.clone());
            }
            JsonRpcMessage::Notification(notification) => {
                if let CancelledNotification(cancelled) = &notification.notification
                    && let Some(id) = &cancelled.params.request_id
                {
                    self.requests.remove(id);
                    if let Some(continued) = self.continued.remove(id) {
                        // The server has answered the request already; dropping the continuation cancels its request or
                        // task.
                        continued.abort();
                        return false;
                    }
                }
            }
            _ => {}
        }
        true
    }

    /// Takes the request with this id.
    pub(super) fn answered(&self, id: &RequestId) -> Option<ClientRequest> {
        self.requests.remove(id)
    }

    pub(super) fn track(&self, id: RequestId, by: AbortHandle) {
        self.continued.insert(id, by);
    }

    pub(super) fn forget(&self, id: &RequestId) {
        self.continued.remove(id);
    }
}

/// Continues a call from its first result, and returns the answer to rmcp's request.
pub(super) async fn resume_call(
    caller: Arc<Caller>,
    id: RequestId,
    request: ClientRequest,
    result: Box<RawValue>,
) -> Vec<u8> {
    let outcome = async {
        let written = serde_json::to_value(&request).map_err(|error| CallError::Params(error.to_string()))?;
        let params = written.get("params").cloned().unwrap_or_default();
        let params = to_raw_value(&params).map_err(|error| CallError::Params(error.to_string()))?;
        caller.continue_call(request.method(), &params, result).await
    };
    let outcome = outcome.await.map_err(|error| match error.rpc() {
        Some(error) => error.clone(),
        None => RpcError::new(code::INTERNAL_ERROR, error.to_string()),
    });
    let id = to_raw_value(&id).ok();
    // Values that were read can be written.
    jsonrpc::response(id.as_deref(), outcome.as_ref()).unwrap_or_default()
}

/// Counter of the adapter's own requests.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// Returns the id of a request of the adapter's own: a string, where ids of rmcp are numbers.
pub(super) fn new_id() -> String {
    format!("taskcell-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Requests of the adapter's own that wait for the server's responses.
#[derive(Default)]
pub(super) struct PendingResponses(ById<String, oneshot::Sender<Response>>);

/// Request that waits for its response. Dropping it stops waiting.
pub(super) struct PendingResponse<'a> {
    pending: &'a PendingResponses,
    pub(super) id: String,
    pub(super) answer: oneshot::Receiver<Response>,
}

impl Drop for PendingResponse<'_> {
    fn drop(&mut self) {
        self.pending.0.remove(&self.id);
    }
}

impl PendingResponses {
    pub(super) fn begin(&self, id: String) -> PendingResponse<'_> {
        let (sender, answer) = oneshot::channel();
        self.0.insert(id.clone(), sender);
        PendingResponse { pending: self, id, answer }
    }

    /// Takes a response to one of the requests; whether it is one.
    pub(super) fn take(&self, id: &RequestId, message: &Message<'_>) -> bool {
        let RequestId::String(id) = id else { return false };
        let Some(pending) = self.0.remove(&(**id).to_owned()) else { return false };
        let _ = pending.send(response(message));
        true
    }
}

/// Returns the result or the error of a response.
pub(super) fn response(message: &Message<'_>) -> Response {
    match (message.result, message.error) {
        (Some(result), _) => Ok(result.to_owned()),
        (None, error) => Err(serde_json::from_str(error.map_or("null", RawValue::get)).unwrap_or_else(|error| {
            RpcError::new(
                code::INVALID_REQUEST,
                format!("the error of the server is not a JSON-RPC error: {}", plain(&error.to_string())),
            )
        })),
    }
}

/// Queue of messages that rmcp receives as if the server had sent them.
pub(super) type ToRmcp = mpsc::Sender<ServerJsonRpcMessage>;

/// Fallback that sends inputs to the application's `ClientHandler`, as requests to rmcp.
pub(super) struct Application {
    to_rmcp: ToRmcp,
    asked: ById<RequestId, oneshot::Sender<Vec<u8>>>,
}

/// Input that rmcp works on. Dropping it before the answer cancels rmcp's request.
struct AskedInput<'a> {
    application: &'a Application,
    id: RequestId,
}

impl Drop for AskedInput<'_> {
    fn drop(&mut self) {
        let Self { application: Application { to_rmcp, asked }, id } = self;
        if asked.remove(id).is_some() {
            let cancelled =
                json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } });
            // If the queue is full, rmcp answers a request that nothing waits for.
            if let Ok(cancelled) = serde_json::from_value(cancelled) {
                let _ = to_rmcp.try_send(cancelled);
            }
        }
    }
}

impl Application {
    pub(super) fn new(to_rmcp: ToRmcp) -> Self {
        Self { to_rmcp, asked: ById::default() }
    }

    /// Takes a message of rmcp that answers an input; whether it is one. An answer that comes too late is known by its
    /// id, and dropped.
    pub(super) fn take(&self, message: &ClientJsonRpcMessage) -> bool {
        let id = match message {
            JsonRpcMessage::Response(response) => Some(&response.id),
            JsonRpcMessage::Error(error) => error.id.as_ref(),
            _ => None,
        };
        let Some(id) = id else { return false };
        let Some(asked) = self.asked.remove(id) else {
            return matches!(id, RequestId::String(id) if id.starts_with(INPUT));
        };
        if let Ok(answer) = serde_json::to_vec(message) {
            let _ = asked.send(answer);
        }
        true
    }
}

#[async_trait]
impl FallbackHandler for Application {
    async fn answer(&self, request: &[u8]) -> Option<Vec<u8>> {
        let message: ServerJsonRpcMessage = match serde_json::from_slice(request) {
            Ok(message) => message,
            Err(error) => {
                let error = RpcError::invalid_params(format!(
                    "Invalid params: the application cannot read it: {}",
                    plain(&error.to_string())
                ));
                let id = Message::read(request).ok()?.id?;
                return jsonrpc::response::<()>(Some(id), Err(&error)).ok();
            }
        };
        let JsonRpcMessage::Request(asking) = &message else { return None };
        let (sender, answer) = oneshot::channel();
        self.asked.insert(asking.id.clone(), sender);
        let _asked = AskedInput { application: self, id: asking.id.clone() };
        self.to_rmcp.send(message).await.ok()?;
        answer.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::time::Duration;

    use super::*;

    /// A call that is given up leaves no entry behind: a connection may last for weeks.
    #[tokio::test]
    async fn an_input_that_is_given_up_is_forgotten() {
        let (to_rmcp, mut for_rmcp) = mpsc::channel(4);
        let application = Application::new(to_rmcp);
        let kept = || application.asked.0.lock().unwrap().len();
        for number in 0..100 {
            let id = format!("input-{number}");
            let request = json!({ "jsonrpc": "2.0", "id": id, "method": "roots/list" }).to_string();
            {
                let mut asking = pin!(application.answer(request.as_bytes()));
                assert!(tokio::time::timeout(Duration::from_millis(1), asking.as_mut()).await.is_err());
                assert_eq!(kept(), 1);
            }
            assert_eq!(kept(), 0);
            assert!(
                matches!(for_rmcp.recv().await, Some(JsonRpcMessage::Request(request)) if request.id.to_string() == id)
            );
            let told = serde_json::to_value(for_rmcp.recv().await.unwrap()).unwrap();
            assert_eq!(told["params"]["requestId"], id.as_str(), "{told}");
            // A late answer is dropped, and does not reach the server.
            let late = json!({ "jsonrpc": "2.0", "id": id, "result": { "roots": [] } });
            assert!(application.take(&serde_json::from_value(late).unwrap()));
        }
        // An answer that is waited for arrives.
        let request = json!({ "jsonrpc": "2.0", "id": "input-x", "method": "roots/list" }).to_string();
        let answer = json!({ "jsonrpc": "2.0", "id": "input-x", "result": { "roots": [] } });
        let (answered, ()) = tokio::join!(application.answer(request.as_bytes()), async {
            for_rmcp.recv().await.unwrap();
            assert!(application.take(&serde_json::from_value(answer.clone()).unwrap()));
        });
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&answered.unwrap()).unwrap(), answer);
        assert_eq!(kept(), 0);
        assert!(
            !application.take(&serde_json::from_value(json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" })).unwrap())
        );
    }
}
