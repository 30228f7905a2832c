//! What is shown to the person at the terminal.
//!
//! Names, messages and results come from servers and guests. Whatever of them reaches the terminal goes through
//! here and becomes printable.

use std::fmt::Display;
use std::sync::Arc;

use serde_json::Value;

use super::screen;
use crate::printable;
use crate::protocol::types::TaskStatus;
use crate::session::{Event, Observer};

/// Longest piece of foreign text on one line.
const MAX: usize = 300;

/// Text in one line, bounded, with control characters made visible.
pub(super) fn one_line(text: &str) -> String {
    printable::one_line(text, MAX)
}

/// Shows on stderr what happens in a session.
#[derive(Clone, Copy)]
pub(super) struct Progress {
    quiet: bool,
}

impl Progress {
    pub(super) fn new(quiet: bool) -> Self {
        Self { quiet }
    }

    /// Shows a line.
    pub(super) fn line(self, text: impl Display) {
        if !self.quiet {
            screen::line(&one_line(&text.to_string()));
        }
    }

    /// Shows each request and each change of a task, and passes it on to `record`.
    pub(super) fn observer(self, record: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Observer {
        Arc::new(move |event| {
            record(event);
            self.event(event);
        })
    }

    fn event(self, event: &Event<'_>) {
        match event {
            Event::Answered { method, kind, handler, error, elapsed, .. } => {
                let kind = kind.map_or("", |kind| kind.info().export);
                let by = handler.unwrap_or("the host");
                let outcome = error.map_or_else(String::new, |error| format!(": {} {}", error.code, error.message));
                let elapsed = elapsed.as_secs_f64() * 1e3;
                self.line(format!("server asked {method:<22} {kind:<22} answered by {by} in {elapsed:.2} ms{outcome}"));
            }
            Event::Task(task) => {
                let message = task.status_message.as_deref().unwrap_or_default();
                self.line(format!("task {} is {} {message}", task.task_id, status(task.status)));
            }
            Event::Replaced(change) => self.line(format!("replaced     {change}")),
            // The log has a line of it, which is a warning.
            Event::NotReplaced { .. } => {}
        }
    }
}

pub(super) fn status(status: TaskStatus) -> &'static str {
    match status {
        TaskStatus::Working => "working",
        TaskStatus::InputRequired => "waiting for input",
        TaskStatus::Completed => "completed",
        TaskStatus::Failed => "failed",
        TaskStatus::Cancelled => "cancelled",
    }
}

/// The result of a tool as text: its text blocks, and a word for each other block.
pub(super) fn tool_result(result: &Value) -> String {
    let blocks = result.get("content").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let block = |block: &Value| match block.get("text").and_then(Value::as_str) {
        Some(block) => printable::lines(block),
        None => format!("[{}]", one_line(block.get("type").and_then(Value::as_str).unwrap_or("?"))),
    };
    blocks.iter().map(block).collect::<Vec<_>>().join("\n")
}
