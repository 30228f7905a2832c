//! State of a gateway, and the messages of the client on their way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::value::RawValue;
use taskcell::protocol::code;
use taskcell::protocol::types::RpcError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::calls::OpenCalls;
use crate::hold::{Hold, quiet};
use crate::initialize;
use crate::kept::KeptAnswers;
use crate::options::GatewayOptions;
use crate::owners::ClientTasks;
use crate::peek::{self, CancelledParams, Peek, Truncated};
use crate::plan::Plan;
use crate::policy::Topic;
use crate::questions::Questions;
use crate::text;
use crate::transport::{Connector, Frame, Sender, TransportError};
use crate::upstream::{Backoff, Opened, Upstream};

/// State that the two directions share.
pub(crate) struct Relay {
    pub(crate) options: GatewayOptions,
    pub(crate) client: Arc<dyn Sender>,
    pub(crate) connector: Arc<dyn Connector>,
    /// Connection with the server; none while there is none.
    pub(crate) upstream: Mutex<Option<Arc<Upstream>>>,
    /// Where open connections go to be received from; none once the gateway is closing.
    pub(crate) opened: Mutex<Option<mpsc::Sender<Opened>>>,
    pub(crate) backoff: Backoff,
    pub(crate) plan: Mutex<Arc<Plan>>,
    pub(crate) calls: Mutex<OpenCalls>,
    pub(crate) questions: Questions,
    pub(crate) kept: Mutex<KeptAnswers>,
    pub(crate) client_tasks: Mutex<ClientTasks>,
    pub(crate) hold: Mutex<Hold>,
    /// Topics whose questions the client turned out not to support.
    pub(crate) unsupported: Mutex<Vec<Topic>>,
    /// `initialize` as it was sent to the server, for a server that is started again.
    pub(crate) initialize: Mutex<Option<Frame>>,
    /// Requests of the gateway itself to the server.
    pub(crate) own: Mutex<HashMap<String, oneshot::Sender<Frame>>>,
}

/// Locks what no code holds for longer than a change of it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Relay {
    pub(crate) fn new(options: GatewayOptions, client: Arc<dyn Sender>, connector: Arc<dyn Connector>) -> Self {
        Self {
            options,
            client,
            connector,
            upstream: Mutex::default(),
            opened: Mutex::default(),
            backoff: Backoff::new(),
            plan: Mutex::new(Arc::new(Plan::transparent())),
            calls: Mutex::default(),
            questions: Questions::new(),
            kept: Mutex::default(),
            client_tasks: Mutex::default(),
            hold: Mutex::default(),
            unsupported: Mutex::default(),
            initialize: Mutex::default(),
            own: Mutex::default(),
        }
    }

    pub(crate) fn notice(&self, line: &str) {
        (self.options.notice)(line);
    }

    pub(crate) fn plan(&self) -> Arc<Plan> {
        Arc::clone(&lock(&self.plan))
    }

    pub(crate) fn upstream(&self) -> Option<Arc<Upstream>> {
        lock(&self.upstream).clone()
    }

    /// Sends a frame to the client. One that is gone is noticed by the end of its messages.
    pub(crate) async fn to_client(&self, frame: Frame) {
        if let Err(error) = self.client.send(frame).await {
            tracing::debug!(%error, "the client takes no more messages");
        }
    }

    /// Sends a frame to the server; false when there is none. One that has ended is noticed by the end of its messages.
    async fn to_server(&self, frame: Frame) -> bool {
        let Some(upstream) = self.upstream() else { return false };
        upstream.sender.send(frame).await.inspect_err(|error| tracing::debug!(%error, "the server is gone")).is_ok()
    }

    /// Answers a request of the client with an error of the gateway's own.
    async fn refuse(&self, id: &str, message: impl Into<String>) {
        self.to_client(text::error(id, &RpcError::new(code::INTERNAL_ERROR, message.into()))).await;
    }

    /// Takes a message of the client.
    pub(crate) async fn from_client(self: &Arc<Self>, frame: Frame) {
        match Peek::at(&frame) {
            Peek::Request { id, method, params } => self.client_request(&frame, id.get(), &method, params).await,
            Peek::Notification { method, params } => self.client_notification(&frame, &method, params).await,
            Peek::Response { id: Some(id), outcome } => {
                if let Some(answer) = self.client_answered(&frame, id.get(), outcome).await {
                    self.to_server(answer).await;
                }
            }
            Peek::Batch(messages) => {
                for message in messages {
                    if let Peek::Request { id, method, .. } = Peek::at(message.get().as_bytes()) {
                        lock(&self.calls).open(id.get(), &method, None);
                    }
                }
                self.to_server(frame).await;
            }
            Peek::Response { id: None, .. } | Peek::Other => drop(self.to_server(frame).await),
        }
    }

    async fn client_request(self: &Arc<Self>, frame: &Frame, id: &str, method: &str, params: Option<&RawValue>) {
        if method == "server/discover" && !self.options.discover {
            let error = RpcError::new(code::METHOD_NOT_FOUND, "Method not found: server/discover");
            return self.to_client(text::error(id, &error)).await;
        }
        let frame = if method == "initialize" { self.initializes(frame, params) } else { frame.clone() };
        if self.upstream().is_none()
            && let Err(why) = self.restart(method == "initialize").await
        {
            return self.refuse(id, why).await;
        }
        let token = peek::progress_token(params);
        if !lock(&self.calls).open(id, method, token) {
            return self.refuse(id, "Too many requests are open: the gateway keeps no more").await;
        }
        let frame = if method == "tools/call" { lock(&self.hold).take(frame, Instant::now()) } else { Some(frame) };
        let Some(frame) = frame else { return };
        if !self.to_server(frame).await && lock(&self.calls).close(id).is_some() {
            self.refuse(id, "The server has ended").await;
        }
    }

    /// Makes the plan for a client, and returns its `initialize` for the server.
    fn initializes(&self, frame: &Frame, params: Option<&RawValue>) -> Frame {
        let plan = match initialize::facts(params) {
            Some(facts) => {
                let handlers = self.options.handlers.current().capabilities();
                let plan = Plan::new(&facts, &handlers, &self.options.policy, &self.options.dead_clients);
                let sent = initialize::with_capabilities(frame, params, &facts.capabilities, &plan.declared);
                self.notice(&format!(
                    "client {:?} asks for MCP {}; declared to the server: {}",
                    facts.name, facts.revision, plan.declared
                ));
                (plan, sent)
            }
            None => {
                self.notice("the client's initialize cannot be read: it passes as it is, and handlers answer nothing");
                (Plan::transparent(), frame.clone())
            }
        };
        let (plan, sent) = plan;
        *lock(&self.plan) = Arc::new(plan);
        *lock(&self.initialize) = Some(sent.clone());
        lock(&self.unsupported).clear();
        sent
    }

    async fn client_notification(self: &Arc<Self>, frame: &Frame, method: &str, params: Option<&RawValue>) {
        match method {
            "notifications/initialized" => {
                lock(&self.hold).begin(Instant::now());
                let relay = Arc::clone(self);
                tokio::spawn(async move {
                    quiet(relay.questions.open()).await;
                    relay.release().await;
                });
            }
            "notifications/cancelled" => {
                // The call that is cancelled may be held.
                if lock(&self.hold).has_calls() {
                    self.release().await;
                }
                if let Some(CancelledParams { request_id }) = peek::read(params) {
                    lock(&self.calls).close(request_id.get());
                    self.call_cancelled(request_id.get()).await;
                }
            }
            _ => {}
        }
        self.to_server(frame.clone()).await;
    }

    /// Sends the calls that are held.
    pub(crate) async fn release(&self) {
        let calls = lock(&self.hold).end();
        for call in calls {
            self.to_server(call).await;
        }
    }

    /// Answers for a message of the client that is too long.
    pub(crate) async fn client_was_too_long(&self, error: &TransportError) {
        let TransportError::TooLarge { beginning, end, .. } = error else { return };
        self.notice(&format!("the client: {error}"));
        if let Truncated::Request(id) = peek::truncated(beginning, end) {
            let error = RpcError::new(code::INVALID_REQUEST, error.to_string());
            self.to_client(text::error(&id, &error)).await;
        }
    }
}
