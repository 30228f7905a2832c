//! Connection to a server: the choice of messages for the handlers, and the session that answers them.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use futures_util::future::BoxFuture;
use rmcp::model::{ClientJsonRpcMessage, JsonRpcMessage, RequestId, ServerJsonRpcMessage, ServerResult};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinHandle, JoinSet};

use super::Adapter;
use super::calls::{self, Application, OutgoingCalls, PendingResponses, ToRmcp};
use super::capabilities::{self, ClientIdentity};
use super::peek::is_response;
use taskcell::mrtr::{self, Caller, Discovered};
use taskcell::protocol::jsonrpc::Message;
use taskcell::protocol::types::Implementation;
use taskcell::session::{Outbox, Session};

/// Number of requests of the server that are answered concurrently; further ones wait in the transport.
const AT_ONCE: usize = 4_096;
/// Bytes of these requests, each of which is held until its answer is queued. A request larger than this is answered
/// alone.
const BYTES: usize = 16 << 20;
/// Size up to which a request counts as free, in bytes. As many of these as may be answered concurrently are harmless,
/// and `ping` does not wait behind requests that wait for a person.
const SMALL: usize = 4 << 10;

/// Number of messages that wait for rmcp to receive them.
const QUEUE: usize = 64;

/// Destination of a message of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// rmcp receives the message.
    PassThrough,
    /// The handlers answer the message.
    Taken,
    /// The message is for the handlers, but must wait for [`Connection::capacity`].
    Busy,
}

/// Future that ends when a waiting message can be offered again.
pub(super) type Capacity = BoxFuture<'static, ()>;

/// Transport of the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carrier {
    /// Stream, on which the adapter sees every message.
    Stream,
    /// Streamable HTTP, where responses come with their requests, and the handlers' messages go out in rmcp's types.
    Http,
}

pub(super) struct Connection {
    adapter: Adapter,
    carrier: Carrier,
    /// Server; none before it has named itself.
    server: OnceLock<Server>,
    /// Tasks that answer requests, and continue calls.
    work: Mutex<JoinSet<()>>,
    sending: Mutex<Option<JoinHandle<()>>>,
    places: Arc<Semaphore>,
    /// Capacity for the bytes of these requests.
    bytes: Arc<Semaphore>,
    answering: Arc<Answering>,
    /// Whether the connection is closing and starts nothing new.
    closing: AtomicBool,
    to_rmcp: ToRmcp,
    outgoing_calls: Arc<OutgoingCalls>,
    pub(super) pending: Arc<PendingResponses>,
    /// Client as rmcp declares it in requests of revision 2026-07-28; none before the first one.
    identity: OnceLock<ClientIdentity>,
}

/// Server that has named itself.
struct Server {
    session: Arc<Session>,
    /// State for a server of revision 2026-07-28.
    modern: Option<Modern>,
}

struct Modern {
    caller: Arc<Caller>,
    application: Arc<Application>,
}

/// Ids of the requests that are being answered, as they were written.
#[derive(Default)]
struct Answering(Mutex<HashSet<String>>);

impl Answering {
    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Entry of a request that is being answered. Dropping it removes the id.
struct AnsweringGuard {
    answering: Arc<Answering>,
    id: String,
}

impl Drop for AnsweringGuard {
    fn drop(&mut self) {
        self.answering.lock().remove(&self.id);
    }
}

impl Connection {
    /// Creates a connection, and the queue of messages that rmcp receives beside those of the transport.
    pub(super) fn new(adapter: Adapter, carrier: Carrier) -> (Arc<Self>, mpsc::Receiver<ServerJsonRpcMessage>) {
        let (to_rmcp, for_rmcp) = mpsc::channel(QUEUE);
        let connection = Self {
            adapter,
            carrier,
            server: OnceLock::new(),
            work: Mutex::default(),
            sending: Mutex::default(),
            places: Arc::new(Semaphore::new(AT_ONCE)),
            bytes: Arc::new(Semaphore::new(BYTES)),
            answering: Arc::default(),
            closing: AtomicBool::new(false),
            to_rmcp,
            outgoing_calls: Arc::default(),
            pending: Arc::default(),
            identity: OnceLock::new(),
        };
        (Arc::new(connection), for_rmcp)
    }

    /// Inspects a message of rmcp and adds the capabilities of the handlers. Returns whether it goes to the server.
    pub(super) fn outgoing(&self, message: &mut ClientJsonRpcMessage) -> bool {
        if let JsonRpcMessage::Request(request) = message {
            capabilities::add_to_meta(&mut request.request, |identity| self.declare(identity));
        }
        let Some(modern) = self.modern() else { return true };
        !modern.application.take(message) && (self.carrier == Carrier::Http || self.outgoing_calls.note(message))
    }

    /// Returns the capabilities that a request of revision 2026-07-28 declares, given those that rmcp declares.
    fn declare(&self, identity: ClientIdentity) -> Value {
        if let Some(modern) = self.modern() {
            return modern.caller.capabilities();
        }
        let declared = Some(identity.capabilities.clone());
        // rmcp declares the same in each request.
        let _ = self.identity.set(identity);
        let mut options = self.adapter.calls.clone();
        options.declared = declared;
        mrtr::capabilities(&self.adapter.handlers.current(), &options)
    }

    /// Adds the capabilities of the handlers to an `initialize` request. It is called late, because rmcp's HTTP
    /// transport must see the typed request.
    pub(super) fn initialize(&self, message: &mut ClientJsonRpcMessage) {
        if let JsonRpcMessage::Request(request) = message {
            capabilities::into_initialize(&mut request.request, || self.adapter.handlers.current());
        }
    }

    /// Whether the session has not started yet.
    pub(super) fn awaits_server(&self) -> bool {
        self.server.get().is_none()
    }

    fn modern(&self) -> Option<&Modern> {
        self.server.get()?.modern.as_ref()
    }

    /// Whether the server speaks revision 2026-07-28.
    pub(super) fn is_modern(&self) -> bool {
        self.modern().is_some()
    }

    /// Whether a message is surely for rmcp, by its beginning alone, which may be incomplete.
    pub(super) fn passes(&self, beginning: &[u8]) -> bool {
        match self.server.get() {
            None => true,
            Some(Server { modern: None, .. }) => is_response(beginning),
            // The message may answer a call that is being continued.
            Some(_) => false,
        }
    }

    /// Returns the caller that continues calls of revision 2026-07-28.
    pub(super) fn caller(&self) -> Option<Arc<Caller>> {
        self.modern().map(|modern| Arc::clone(&modern.caller))
    }

    /// Whether a result asks for input, or is a task that the caller polls.
    pub(super) fn asks(&self, result: &RawValue) -> bool {
        mrtr::asks(result, &self.adapter.calls)
    }

    /// Returns the queue of messages that rmcp receives as if the server had sent them.
    pub(super) fn to_rmcp(&self) -> ToRmcp {
        self.to_rmcp.clone()
    }

    /// Starts the session, if `message` is the server's answer to `initialize` or `server/discover`. Returns the outbox
    /// of the session; none for revision 2026-07-28, where it stays empty.
    pub(super) fn begin(&self, message: &ServerJsonRpcMessage, sink: Arc<dyn mrtr::Server>) -> Option<Outbox> {
        let JsonRpcMessage::Response(response) = message else { return None };
        let (server, version) = match &response.result {
            ServerResult::InitializeResult(result) => {
                (implementation(&result.server_info), result.protocol_version.to_string())
            }
            ServerResult::DiscoverResult(result) => {
                let raw = to_raw_value(result).ok()?;
                let Discovered::Modern { server, .. } = mrtr::discovered(&Ok(raw)) else { return None };
                (server, mrtr::PROTOCOL_VERSION.to_owned())
            }
            _ => return None,
        };
        // The server need not name itself. [2026-07-28, basic, Per-response protocol fields]
        let server = server.unwrap_or_else(|| Implementation::new("unnamed", ""));
        let mut options = (self.adapter.options)(server);
        options.protocol_version = version;
        let is_modern = options.protocol_version == mrtr::PROTOCOL_VERSION;
        let (session, outbox) = Session::new(self.adapter.handlers.clone(), options);
        let modern = is_modern.then(|| {
            let application = Arc::new(Application::new(self.to_rmcp.clone()));
            let mut calls = self.adapter.calls.clone();
            if let Some(identity) = self.identity.get() {
                (calls.declared, calls.client) = (Some(identity.capabilities.clone()), identity.client.clone());
            }
            calls.fallback.get_or_insert_with(|| Arc::<Application>::clone(&application));
            Modern { caller: Arc::new(Caller::new(&session, sink, calls)), application }
        });
        let begun = self.server.set(Server { session: Arc::new(session), modern });
        begun.is_ok().then_some(outbox).filter(|_| !is_modern)
    }

    /// Keeps the task that sends the session's messages, to end it with the connection.
    pub(super) fn keep(&self, sending: JoinHandle<()>) {
        *self.sending.lock().unwrap_or_else(PoisonError::into_inner) = Some(sending);
    }

    /// Offers a message of the server to the handlers.
    pub(super) fn take(&self, text: &[u8]) -> Verdict {
        let Some(server) = self.server.get().filter(|_| !self.passes(text)) else { return Verdict::PassThrough };
        // rmcp reports a text that is no message.
        let Ok(message) = Message::read(text) else { return Verdict::PassThrough };
        match (&server.modern, message.id, message.method.as_deref()) {
            (None, ..) if self.closing.load(Ordering::Relaxed) => Verdict::PassThrough,
            (None, Some(id), Some(_)) if server.session.takes(&message) => self.answer(&server.session, id, text),
            (None, None, Some("notifications/cancelled")) if self.is_of_ours(message.params) => {
                self.spawn(&server.session, text, ());
                Verdict::Taken
            }
            (Some(modern), Some(id), None) => self.answered(modern, id, &message),
            _ => Verdict::PassThrough,
        }
    }

    /// Handles a response of a server of revision 2026-07-28.
    fn answered(&self, modern: &Modern, id: &RawValue, message: &Message<'_>) -> Verdict {
        let Ok(id) = serde_json::from_str::<RequestId>(id.get()) else { return Verdict::PassThrough };
        if self.pending.take(&id, message) {
            return Verdict::Taken;
        }
        let Some(request) = self.outgoing_calls.answered(&id) else { return Verdict::PassThrough };
        let Some(result) = message.result.filter(|result| self.asks(result)) else { return Verdict::PassThrough };
        let continued = calls::resume_call(Arc::clone(&modern.caller), id.clone(), request, result.to_owned());
        let (outgoing_calls, to_rmcp) = (Arc::clone(&self.outgoing_calls), self.to_rmcp.clone());
        let ended = id.clone();
        let mut work = self.work();
        let by = work.spawn(async move {
            let answer = continued.await;
            outgoing_calls.forget(&ended);
            let answer = serde_json::from_slice(&answer).unwrap_or_else(|error| {
                let error = rmcp::ErrorData::internal_error(format!("the result cannot be read: {error}"), None);
                JsonRpcMessage::error(error, Some(ended))
            });
            // Sending fails only when the service has ended.
            let _ = to_rmcp.send(answer).await;
        });
        self.outgoing_calls.track(id, by);
        Verdict::Taken
    }

    fn answer(&self, session: &Arc<Session>, id: &RawValue, text: &[u8]) -> Verdict {
        // The answer goes out with rmcp's type of an id.
        if self.carrier == Carrier::Http && serde_json::from_str::<RequestId>(id.get()).is_err() {
            return Verdict::PassThrough;
        }
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { return Verdict::Busy };
        let Ok(capacity) = Arc::clone(&self.bytes).try_acquire_many_owned(weight(text.len())) else {
            return Verdict::Busy;
        };
        let id = id.get().to_owned();
        self.answering.lock().insert(id.clone());
        let entry = AnsweringGuard { answering: Arc::clone(&self.answering), id };
        self.spawn(session, text, (place, capacity, entry));
        Verdict::Taken
    }

    fn spawn(&self, session: &Arc<Session>, text: &[u8], until: impl Send + 'static) {
        let (session, text) = (Arc::clone(session), text.to_vec());
        self.work().spawn(async move {
            session.handle(&text).await;
            drop(until);
        });
    }

    /// Returns the running tasks, without those that have ended.
    fn work(&self) -> MutexGuard<'_, JoinSet<()>> {
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        while work.try_join_next().is_some() {}
        work
    }

    /// Whether a cancellation is for a request that the handlers are answering.
    fn is_of_ours(&self, params: Option<&RawValue>) -> bool {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Cancelled<'a> {
            #[serde(borrow)]
            request_id: Option<&'a RawValue>,
        }
        let params = params.and_then(|params| serde_json::from_str(params.get()).ok());
        let Some(Cancelled { request_id: Some(id) }) = params else { return false };
        self.answering.lock().contains(id.get())
    }

    /// Waits for capacity to answer a request of `bytes` bytes.
    pub(super) fn capacity(&self, bytes: usize) -> Capacity {
        let (places, all) = (Arc::clone(&self.places), Arc::clone(&self.bytes));
        Box::pin(async move {
            drop(places.acquire().await);
            drop(all.acquire_many(weight(bytes)).await);
        })
    }

    /// Ends everything that is being answered, and releases stored work to the next host.
    pub(super) async fn end(&self) {
        self.closing.store(true, Ordering::Relaxed);
        let mut work = std::mem::take(&mut *self.work());
        work.shutdown().await;
        if let Some(server) = self.server.get() {
            server.session.end().await;
        }
        let sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sending) = sending {
            sending.abort();
            let _ = sending.await;
        }
    }

    /// Waits until the tasks of dropped calls are cancelled, which the server acknowledges.
    pub(super) async fn settle(&self) {
        if let Some(caller) = self.caller() {
            caller.settle().await;
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(sending) = self.sending.lock().unwrap_or_else(PoisonError::into_inner).take() {
            sending.abort();
        }
    }
}

/// Returns the share of [`BYTES`] that a request of `bytes` bytes takes.
fn weight(bytes: usize) -> u32 {
    let bytes = if bytes <= SMALL { 0 } else { bytes.min(BYTES) };
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// Converts a server's name and version to the handlers' type.
fn implementation(info: &impl serde::Serialize) -> Option<Implementation> {
    let read = serde_json::to_value(info).and_then(serde_json::from_value);
    read.inspect_err(|error| tracing::debug!(%error, "the name and version of the server cannot be read")).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use async_trait::async_trait;
    use serde_json::json;

    use super::super::sink::Sink;
    use super::*;
    use taskcell::mrtr::{Response, SendError};
    use taskcell::protocol::types::{RpcError, TextContent};
    use taskcell::{Handlers, NativeHandler};

    /// Transport that accepts every message and returns nothing.
    struct Silent;

    #[async_trait]
    impl Sink for Silent {
        async fn send(&self, _: Vec<u8>) {}
    }

    #[async_trait]
    impl mrtr::Server for Silent {
        async fn request(&self, _: &str, _: Box<RawValue>) -> Result<Response, SendError> {
            std::future::pending().await
        }
    }

    /// Requests that wait for people are held with their text, so they are bounded in bytes. Short ones pass all the
    /// same.
    #[tokio::test]
    async fn large_requests_that_wait_are_bounded() {
        let gate = Arc::new(Semaphore::new(0));
        let opens = Arc::clone(&gate);
        let sampling = NativeHandler::sampling(move |_, _| {
            let gate = Arc::clone(&gate);
            async move {
                drop(gate.acquire().await);
                Err(RpcError::new(-1, "no"))
            }
        });
        let adapter = Adapter::new(Handlers::default().native(sampling).unwrap());
        let (connection, _for_rmcp) = Connection::new(adapter, Carrier::Stream);
        let server = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": { "name": "s", "version": "1" } });
        let initialized = json!({ "jsonrpc": "2.0", "id": 0, "result": server });
        let _outbox = connection.begin(&serde_json::from_value(initialized).unwrap(), Arc::new(Silent)).unwrap();
        let request = |id: usize, bytes: usize| {
            let text =
                serde_json::to_value(TextContent { text: "x".repeat(bytes), annotations: None, meta: None }).unwrap();
            let mut content = json!({ "type": "text" });
            content.as_object_mut().unwrap().extend(text.as_object().unwrap().clone());
            let params = json!({ "maxTokens": 1, "messages": [{ "role": "user", "content": content }] });
            json!({ "jsonrpc": "2.0", "id": id, "method": "sampling/createMessage", "params": params }).to_string()
        };
        let large = 3 << 20;
        for id in 0..5 {
            assert_eq!(connection.take(request(id, large).as_bytes()), Verdict::Taken);
        }
        let sixth = request(5, large);
        assert_eq!(connection.take(sixth.as_bytes()), Verdict::Busy);
        for id in 6..100 {
            assert_eq!(connection.take(request(id, 10).as_bytes()), Verdict::Taken);
        }
        let mut capacity = connection.capacity(sixth.len());
        assert!(tokio::time::timeout(Duration::from_millis(20), capacity.as_mut()).await.is_err());
        opens.add_permits(1);
        tokio::time::timeout(Duration::from_secs(30), capacity).await.unwrap();
        assert_eq!(connection.take(sixth.as_bytes()), Verdict::Taken);
        connection.end().await;
    }
}
