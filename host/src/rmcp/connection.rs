//! One connection: which messages of the server are for the handlers, and the session that answers them.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use futures_util::future::BoxFuture;
use rmcp::RoleClient;
use rmcp::model::{
    ClientJsonRpcMessage, ClientRequest, JsonRpcMessage, JsonRpcResponse, ServerJsonRpcMessage, ServerResult,
};
use rmcp::service::TxJsonRpcMessage;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use super::{Adapter, capabilities};
use crate::protocol::jsonrpc::Message;
use crate::protocol::types::Implementation;
use crate::session::Outbox;
use crate::session::Session;

/// Requests of the server that are answered at once; what comes on top waits where it is.
const AT_ONCE: usize = 4_096;

/// What becomes of a message of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// rmcp gets it.
    NotOurs,
    /// The handlers have it.
    Taken,
    /// The handlers would, but so many are being answered that it has to wait for [`Connection::room`].
    Busy,
}

/// Ends when a message that had to wait can be looked at again.
pub(super) type Room = BoxFuture<'static, ()>;

pub(super) struct Connection {
    adapter: Adapter,
    /// None before the server has said what it is.
    session: OnceLock<Arc<Session>>,
    /// What serves the session: a future for each request, and the one that sends what it says.
    work: Mutex<JoinSet<()>>,
    sending: Mutex<Option<JoinHandle<()>>>,
    places: Arc<Semaphore>,
    answering: Arc<Answering>,
}

/// The ids of the requests that are being answered, as they were written.
#[derive(Default)]
struct Answering(Mutex<HashSet<String>>);

impl Answering {
    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes an id out again, however its request ends.
struct Entry {
    answering: Arc<Answering>,
    id: String,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.answering.lock().remove(&self.id);
    }
}

impl Connection {
    pub(super) fn new(adapter: Adapter) -> Arc<Self> {
        Arc::new(Self {
            adapter,
            session: OnceLock::new(),
            work: Mutex::default(),
            sending: Mutex::default(),
            places: Arc::new(Semaphore::new(AT_ONCE)),
            answering: Arc::default(),
        })
    }

    /// What rmcp sends, with what the handlers can do.
    pub(super) fn declare(&self, message: TxJsonRpcMessage<RoleClient>) -> ClientJsonRpcMessage {
        match message {
            JsonRpcMessage::Request(request) if matches!(request.request, ClientRequest::InitializeRequest(_)) => {
                JsonRpcMessage::Request(capabilities::into_initialize(request, &self.adapter.handlers.current()))
            }
            other => other,
        }
    }

    /// Whether the session has yet to begin.
    pub(super) fn awaits_server(&self) -> bool {
        self.session.get().is_none()
    }

    /// Begins the session, when this is the server's answer to `initialize`. Gives what the session has to say.
    pub(super) fn begin(&self, message: &ServerJsonRpcMessage) -> Option<Outbox> {
        let JsonRpcMessage::Response(JsonRpcResponse { result: ServerResult::InitializeResult(result), .. }) = message
        else {
            return None;
        };
        let server = serde_json::to_value(&result.server_info).and_then(serde_json::from_value::<Implementation>);
        let server = server.inspect_err(|error| tracing::warn!(%error, "the server does not say what it is")).ok()?;
        let mut options = (self.adapter.options)(server);
        options.protocol_version = result.protocol_version.to_string();
        let (session, outbox) = Session::new(self.adapter.handlers.clone(), options);
        self.session.set(Arc::new(session)).ok().map(|()| outbox)
    }

    /// Keeps what sends the session's messages, to end it with the connection.
    pub(super) fn keep(&self, sending: JoinHandle<()>) {
        *self.sending.lock().unwrap_or_else(PoisonError::into_inner) = Some(sending);
    }

    /// Looks at a message of the server, and has it answered when it is for the handlers.
    pub(super) fn take(&self, text: &[u8]) -> Verdict {
        let Some(session) = self.session.get() else { return Verdict::NotOurs };
        // What is no message is rmcp's to complain about.
        let Ok(message) = Message::read(text) else { return Verdict::NotOurs };
        match (message.id, message.method.as_deref()) {
            (Some(id), Some(_)) if session.takes(&message) => self.answer(session, id, text),
            (None, Some("notifications/cancelled")) if self.is_of_ours(message.params) => {
                self.spawn(session, text, ());
                Verdict::Taken
            }
            _ => Verdict::NotOurs,
        }
    }

    fn answer(&self, session: &Arc<Session>, id: &RawValue, text: &[u8]) -> Verdict {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { return Verdict::Busy };
        let id = id.get().to_owned();
        self.answering.lock().insert(id.clone());
        let entry = Entry { answering: Arc::clone(&self.answering), id };
        self.spawn(session, text, (place, entry));
        Verdict::Taken
    }

    fn spawn(&self, session: &Arc<Session>, text: &[u8], until: impl Send + 'static) {
        let (session, text) = (Arc::clone(session), text.to_vec());
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        while work.try_join_next().is_some() {}
        work.spawn(async move {
            session.handle(&text).await;
            drop(until);
        });
    }

    /// Whether a cancellation is of a request that the handlers are answering.
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

    /// Waits for a place among the requests that are being answered.
    pub(super) fn room(&self) -> Room {
        let places = Arc::clone(&self.places);
        Box::pin(async move { drop(places.acquire().await) })
    }

    /// Ends all that is being answered, and gives work that is kept in a store back.
    pub(super) async fn close(&self) {
        let mut work = std::mem::take(&mut *self.work.lock().unwrap_or_else(PoisonError::into_inner));
        work.shutdown().await;
        if let Some(session) = self.session.get() {
            session.end().await;
        }
        let sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sending) = sending {
            sending.abort();
            let _ = sending.await;
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
