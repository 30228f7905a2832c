//! For whom a model is run, and what it used: the line of the audit log.

use std::sync::{Arc, Mutex};

use serde::Deserialize;

use crate::kinds::Kind;
use crate::protocol::types::{CreateMessageRequest, CreateMessageResult, Implementation, Json, RpcError};
use crate::support::lock;
use crate::tasks::{AuditLog, ModelCall};
use crate::text::one_line;

/// Hints of a request that stand in the audit log, and characters of each.
const HINTS: usize = 8;
const MAX_NAME: usize = 200;

/// A session, as a model tells it from others: it is the same [`Arc`] in all calls of a session, and is dropped with
/// the session's last work. Who keeps something for each session keeps it by a [`Weak`](std::sync::Weak).
#[derive(Default)]
pub struct SessionIdentity {
    principal: String,
    audit: Option<Arc<AuditLog>>,
}

impl SessionIdentity {
    pub(crate) fn new(principal: &str, audit: Option<Arc<AuditLog>>) -> Self {
        Self { principal: principal.to_owned(), audit }
    }
}

impl std::fmt::Debug for SessionIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionIdentity").finish_non_exhaustive()
    }
}

/// For whom a model is run.
#[derive(Debug)]
#[non_exhaustive]
pub struct ModelContext {
    /// The server that asks.
    pub server: Arc<Implementation>,
    /// The session in which it asks.
    pub session: Arc<SessionIdentity>,
    /// The digest of the handler that runs the model; empty outside of a cell.
    pub handler: Arc<str>,
    /// The kind of the request, or of the task, that the handler serves.
    pub kind: Option<Kind>,
    used: Mutex<ModelUse>,
}

/// Usage of a model call. Unknown numbers are `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelUse {
    /// The model that ran, by its name.
    pub model: Option<String>,
    /// Tokens that it read.
    pub input_tokens: Option<u64>,
    /// Tokens that it wrote.
    pub output_tokens: Option<u64>,
}

impl ModelContext {
    /// The context of a call outside of any cell, such as an application's own.
    #[must_use]
    pub fn new(server: Arc<Implementation>, session: Arc<SessionIdentity>) -> Self {
        Self { server, session, handler: Arc::from(""), kind: None, used: Mutex::default() }
    }

    /// Says what the call used, for the audit log. May be called again as more becomes known; the last one counts.
    pub fn report(&self, used: ModelUse) {
        *lock(&self.used) = used;
    }

    /// Usage of the call as last reported.
    #[must_use]
    pub fn used(&self) -> ModelUse {
        lock(&self.used).clone()
    }
}

/// The line that a call will have in the audit log; one that is dropped before its end was cancelled.
pub(super) struct Audit<'a> {
    context: &'a ModelContext,
    task: Option<String>,
    hints: Vec<String>,
    /// The request whole, where the log is to have it.
    request: Option<Json>,
    ended: bool,
}

impl<'a> Audit<'a> {
    pub(super) fn new(context: &'a ModelContext, task: Option<String>, request: &CreateMessageRequest) -> Self {
        let log = context.session.audit.as_ref();
        let hints = request.model_preferences.iter().filter_map(|preferences| preferences.hints.as_ref()).flatten();
        let hints = hints.filter_map(|hint| hint.name.as_deref()).take(HINTS);
        Self {
            context,
            task,
            hints: if log.is_some() { hints.map(|name| one_line(name, MAX_NAME)).collect() } else { Vec::new() },
            request: log.filter(|log| log.has_payloads()).and_then(|_| serde_json::to_string(request).ok()),
            ended: false,
        }
    }

    pub(super) fn end(mut self, answer: &Result<CreateMessageResult, RpcError>) {
        self.ended = true;
        match answer {
            Ok(result) => {
                let payloads = self.request.is_some();
                let result = if payloads { serde_json::to_string(result).ok() } else { None };
                self.write("ok", None, result.as_deref());
            }
            Err(error) => self.write(&kind(error), Some(error.code), None),
        }
    }

    fn write(&self, outcome: &str, error: Option<i32>, response: Option<&str>) {
        let Some(log) = &self.context.session.audit else { return };
        let used = self.context.used();
        log.model(&ModelCall {
            principal: &self.context.session.principal,
            server: &self.context.server.name,
            kind: self.context.kind,
            handler: &self.context.handler,
            task: self.task.as_deref(),
            hints: &self.hints,
            model: used.model.as_deref(),
            input_tokens: used.input_tokens,
            output_tokens: used.output_tokens,
            outcome,
            error,
            request: self.request.as_deref(),
            response,
        });
    }
}

impl Drop for Audit<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.write("cancelled", None, None);
        }
    }
}

/// The stable word of an error; `error` where it has none.
fn kind(error: &RpcError) -> String {
    #[derive(Deserialize)]
    struct Data {
        kind: String,
    }
    let data = error.data.as_deref().and_then(|data| serde_json::from_str::<Data>(data).ok());
    data.map_or_else(|| "error".to_owned(), |data| one_line(&data.kind, MAX_NAME))
}
