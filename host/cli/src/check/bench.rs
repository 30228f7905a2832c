//! Test bench of a handler: a fresh conversation for each case, with all state in memory.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::client::child::this_program;
use taskcell::protocol::types::RpcError;
use taskcell::session::{Answered, Event, Outbox, WorkFailed};
use taskcell::tasks::{TaskLimits, Tasks};
use taskcell::{Grants, Handler, Handlers, Session, SessionOptions};

/// Page size of task lists, small so that a few tasks fill more than one page.
pub(super) const PAGE: usize = 2;

/// A handler with the settings of its conversations.
pub(super) struct Bench<'a> {
    handler: Handler,
    grants: Box<dyn Fn() -> Grants + Send + Sync + 'a>,
    of: Box<dyn Fn(Handlers) -> Handlers + Send + Sync + 'a>,
    /// Timeout of an answer, and of the work of a task.
    pub(super) patience: Duration,
}

/// Observed result of a request.
#[derive(Debug)]
pub(super) enum Observed {
    Result(Value),
    Error(RpcError),
    /// No response, and none to come: for a notification or a cancelled request.
    Nothing,
    /// No response within the timeout.
    Late,
}

/// A conversation with the handler.
pub(super) struct Conversation {
    session: Session,
    /// Receiver of notifications, which are discarded.
    _outbox: Outbox,
    /// Tasks of the conversation, as the host sees them.
    pub(super) tasks: Tasks,
    reached: Arc<AtomicBool>,
    printed: Arc<Mutex<Vec<String>>>,
    patience: Duration,
}

impl<'a> Bench<'a> {
    /// Creates a bench. `grants` creates the grants of each case; `of` adds the declared features to the handler.
    pub(super) fn new(
        handler: Handler,
        grants: impl Fn() -> Grants + Send + Sync + 'a,
        of: impl Fn(Handlers) -> Handlers + Send + Sync + 'a,
        patience: Duration,
    ) -> Self {
        Self { handler, grants: Box::new(grants), of: Box::new(of), patience }
    }

    /// Returns the handler.
    pub(super) fn handler(&self) -> &Handler {
        &self.handler
    }

    /// Returns the handler with its declared features.
    pub(super) fn declared(&self) -> anyhow::Result<Handlers> {
        self.handlers(|grants| grants)
    }

    fn handlers(&self, change: impl FnOnce(Grants) -> Grants) -> anyhow::Result<Handlers> {
        let handler = self.handler.with_grants(change((self.grants)()))?;
        Ok((self.of)(Handlers::new([handler])?))
    }

    /// Begins a conversation.
    pub(super) fn converse(&self) -> anyhow::Result<Conversation> {
        self.converse_with(|grants| grants)
    }

    /// Begins a conversation whose tasks may have the longest possible time to live.
    pub(super) fn converse_for_long(&self) -> anyhow::Result<Conversation> {
        let max_ttl = Duration::from_millis(u32::MAX.into());
        let mut limits = TaskLimits::default();
        limits.max_ttl = max_ttl;
        self.begin(|grants| grants, limits)
    }

    /// Begins a conversation with changed grants for the same imports.
    pub(super) fn converse_with(&self, change: impl FnOnce(Grants) -> Grants) -> anyhow::Result<Conversation> {
        self.begin(change, TaskLimits::default())
    }

    fn begin(&self, change: impl FnOnce(Grants) -> Grants, mut limits: TaskLimits) -> anyhow::Result<Conversation> {
        let reached = Arc::new(AtomicBool::new(false));
        let words = Arc::new(Mutex::new(Vec::new()));
        let mut options = SessionOptions::new(this_program());
        limits.page = PAGE;
        options.tasks = limits;
        options.observer = Some(Arc::new({
            let (reached, words) = (Arc::clone(&reached), Arc::clone(&words));
            move |event: &Event<'_>| {
                if let Event::Answered(Answered { handler: Some(_), .. }) = event {
                    reached.store(true, Ordering::Relaxed);
                }
                if let Event::Answered(Answered { printed, .. }) | Event::WorkFailed(WorkFailed { printed, .. }) = event
                    && !printed.is_empty()
                {
                    *words.lock().unwrap_or_else(PoisonError::into_inner) = printed.to_vec();
                }
            }
        }));
        let (store, limits) = (Arc::clone(&options.store), options.tasks.clone());
        let tasks = Tasks::new(store, &options.principal, limits, Box::new(|_| {}));
        let (session, outbox) = Session::new(self.handlers(change)?, options);
        Ok(Conversation { session, _outbox: outbox, tasks, reached, printed: words, patience: self.patience })
    }
}

impl Conversation {
    /// Sends a request and waits for its response.
    pub(super) async fn ask(&self, method: &str, params: &Value) -> anyhow::Result<Observed> {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        self.send(&request).await
    }

    /// Sends a message and waits for its response.
    pub(super) async fn send(&self, message: &Value) -> anyhow::Result<Observed> {
        #[derive(Deserialize)]
        struct Response {
            result: Option<Box<RawValue>>,
            error: Option<RpcError>,
        }
        let message = message.to_string();
        let answer = self.session.answer(message.as_bytes());
        let answer = match tokio::time::timeout(self.patience, answer).await {
            Ok(Some(answer)) => answer,
            Ok(None) => return Ok(Observed::Nothing),
            Err(_) => return Ok(Observed::Late),
        };
        let response: Response = serde_json::from_slice(&answer).context("the answer is no response")?;
        Ok(match (response.result, response.error) {
            (_, Some(error)) => Observed::Error(error),
            (Some(result), None) => Observed::Result(serde_json::from_str(result.get())?),
            (None, None) => Observed::Nothing,
        })
    }

    /// Returns the last lines that the handler printed before its most recent cell without an answer ended.
    pub(super) fn printed(&self) -> Vec<String> {
        self.printed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether any request so far was answered by the handler instead of the host.
    pub(super) fn reached(&self) -> bool {
        self.reached.load(Ordering::Relaxed)
    }
}
