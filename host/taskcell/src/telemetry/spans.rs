//! Spans of sessions, requests, background work, and calls to servers of revision 2026-07-28.
//!
//! The span of a request is a child of its session's span, whatever task polls it, and links to the span of the poller.
//! A span that lasts across an await is entered for each poll by [`tracing::Instrument`].

use std::time::Instant;

use serde_json::value::RawValue;
use tracing::Span;
use tracing::field::Empty;

use super::context::{TraceContext, adopt};
use super::{ErrorType, MAX_NAME, Outcome, begin, end, error_type, metrics, span};
use crate::kinds::Kind;
use crate::protocol::types::RpcError;
use crate::text::one_line;

/// Creates the span of a session.
pub(crate) fn session(server: &str, revision: &str) -> Span {
    span!(
        INFO,
        "session",
        taskcell.server = one_line(server, MAX_NAME),
        mcp.protocol.version = one_line(revision, MAX_NAME),
    )
}

/// Watch of one request of the server. Dropping it ends the span.
pub(crate) struct RequestWatch {
    span: Span,
    start: Option<Instant>,
    kind: Option<Kind>,
    outcome: Outcome,
}

impl RequestWatch {
    /// Starts watching a request with this text, as a child of `parent`: the span of its session, or of the call that
    /// the request is an input of.
    pub(crate) fn begin(parent: &Span, revision: &str, method: &str, id: &RawValue, text: &[u8]) -> Self {
        let span = span!(
            INFO,
            parent: parent.id().or_else(|| Span::current().id()),
            "request",
            otel.name = Kind::of(method, false).map_or("other", |kind| kind.info().method),
            otel.kind = "server",
            otel.status_code = Empty,
            mcp.method.name = one_line(method, MAX_NAME),
            mcp.protocol.version = one_line(revision, MAX_NAME),
            jsonrpc.request.id = one_line(id.get().trim_matches('"'), MAX_NAME),
            rpc.response.status_code = Empty,
            error.r#type = Empty,
            taskcell.kind = Empty,
            taskcell.handler.name = Empty,
            taskcell.traceparent = Empty,
            taskcell.outcome = Empty,
            taskcell.wall_us = Empty,
        );
        if !span.is_disabled() {
            let current = Span::current();
            if parent.id().is_some_and(|parent| current.id() != Some(parent)) {
                span.follows_from(current);
            }
            adopt(&span, parent, std::str::from_utf8(text).ok().and_then(TraceContext::of_request));
        }
        let start = begin(&span);
        Self { span, start, kind: None, outcome: Outcome::Dropped }
    }

    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// Records how the request ended: the handler that answered, and the error if the answer is one.
    pub(crate) fn ended(
        &mut self,
        outcome: Outcome,
        kind: Option<Kind>,
        handler: Option<&str>,
        error: Option<&RpcError>,
    ) {
        (self.outcome, self.kind) = (outcome, kind);
        if self.span.is_disabled() {
            return;
        }
        self.span.record("taskcell.kind", kind.map(|kind| kind.info().export));
        self.span.record("taskcell.handler.name", handler.map(|handler| one_line(handler, MAX_NAME)));
        failed_with(&self.span, outcome, error);
    }
}

impl Drop for RequestWatch {
    fn drop(&mut self) {
        if let Some(start) = self.start {
            let wall = end(&self.span, start, self.outcome);
            metrics::request_ended(self.kind, self.outcome, wall);
        }
    }
}

/// Watch of the work of one task. Dropping it ends the span.
pub(crate) struct WorkWatch {
    span: Span,
    start: Option<Instant>,
    outcome: Outcome,
}

impl WorkWatch {
    /// Starts watching the work of a task that a request of `kind` with the `_meta` `meta` made.
    pub(crate) fn begin(session: &Span, kind: Option<Kind>, task: &str, attempt: u32, meta: Option<&str>) -> Self {
        let span = span!(
            INFO,
            parent: session.id(),
            "work",
            otel.status_code = Empty,
            task.id = one_line(task, MAX_NAME),
            error.r#type = Empty,
            taskcell.kind = kind.map(|kind| kind.info().export),
            taskcell.attempt = i64::from(attempt),
            taskcell.traceparent = Empty,
            taskcell.outcome = Empty,
            taskcell.wall_us = Empty,
        );
        if !span.is_disabled() {
            adopt(&span, session, meta.and_then(TraceContext::of_meta));
        }
        let start = begin(&span);
        Self { span, start, outcome: Outcome::Dropped }
    }

    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// Records the answer of the handler, or the error of the host when there is no answer.
    pub(crate) fn ended<T>(&mut self, done: &Result<Result<T, RpcError>, RpcError>) {
        let (outcome, error) = match done {
            Ok(Ok(_)) => (Outcome::Ok, None),
            Ok(Err(error)) => (Outcome::Error, Some(error)),
            Err(error) => (Outcome::Failed, Some(error)),
        };
        self.outcome = outcome;
        if let (false, Some(error)) = (self.span.is_disabled(), error) {
            self.span.record("error.type", &*error_type(error, outcome));
        }
    }
}

impl Drop for WorkWatch {
    fn drop(&mut self) {
        if let Some(start) = self.start {
            end(&self.span, start, self.outcome);
        }
    }
}

/// Watch of one call to a server: its span `call`, with duration and outcome; see [`SPANS`](super::SPANS).
///
/// Dropping the watch ends the span, with the outcome `dropped` if no answer was recorded. Run the call inside
/// [`CallWatch::span`], so that its events belong to the span.
#[derive(Debug)]
pub struct CallWatch {
    span: Span,
    start: Option<Instant>,
    outcome: Outcome,
}

impl CallWatch {
    /// Starts the span of a call of `method` in MCP revision `revision`, as a child of the current span.
    #[must_use]
    pub fn begin(revision: &str, method: &str) -> Self {
        let method = || one_line(method, MAX_NAME);
        let span = span!(
            INFO,
            "call",
            otel.name = method(),
            otel.kind = "client",
            otel.status_code = Empty,
            mcp.method.name = method(),
            mcp.protocol.version = one_line(revision, MAX_NAME),
            rpc.response.status_code = Empty,
            error.r#type = Empty,
            taskcell.rounds = Empty,
            taskcell.outcome = Empty,
            taskcell.wall_us = Empty,
        );
        let start = begin(&span);
        Self { span, start, outcome: Outcome::Dropped }
    }

    /// Returns the span of the call.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// Records how often the server has asked for input.
    pub(crate) fn rounds(&self, rounds: u32) {
        self.span.record("taskcell.rounds", i64::from(rounds));
    }

    /// Records the answer of the server as the outcome of the call.
    pub fn answered<T>(&mut self, answer: &Result<T, RpcError>) {
        self.outcome = if answer.is_ok() { Outcome::Ok } else { Outcome::Error };
        if !self.span.is_disabled() {
            failed_with(&self.span, self.outcome, answer.as_ref().err());
        }
    }

    /// Records how the call ended.
    pub(crate) fn ended<T, E: ErrorType>(&mut self, outcome: &Result<T, E>) {
        self.outcome = outcome.as_ref().err().map_or(Outcome::Ok, ErrorType::outcome);
        if let (false, Err(error)) = (self.span.is_disabled(), outcome) {
            failed_with(&self.span, Outcome::Error, error.rpc());
            if error.rpc().is_none() {
                self.span.record("error.type", error.error_type());
            }
        }
    }
}

impl Drop for CallWatch {
    fn drop(&mut self) {
        if let Some(start) = self.start {
            end(&self.span, start, self.outcome);
        }
    }
}

/// Creates the span of a server's task that a call waits for.
pub(crate) fn remote_task(id: &str) -> Span {
    span!(INFO, "remote_task", task.id = one_line(id, MAX_NAME))
}

fn failed_with(span: &Span, outcome: Outcome, error: Option<&RpcError>) {
    if let Some(error) = error {
        span.record("rpc.response.status_code", error.code.to_string());
        span.record("error.type", &*error_type(error, outcome));
    }
}
