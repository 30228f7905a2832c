//! Tool calls that run as a task of the server: the call creates the task, and the client follows it to its end.
//! [2025-11-25, basic/utilities/tasks; server/tools, Tool-Level Negotiation]
//!
//! In revision 2026-07-28 the server decides whether a call becomes a task; [`taskcell::mrtr`] follows those tasks.

use std::time::Duration;

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::connection::Answer;
use crate::client::Client;
use crate::terminal::{self, Progress, one_line};
use taskcell::protocol::types::TaskStatus;

/// Interval between two polls when the server names none. The next two constants bound an interval that it names.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);
const LEAST_INTERVAL: Duration = Duration::from_millis(20);
const LONGEST_INTERVAL: Duration = Duration::from_secs(60);
/// Longest time to follow a task, the same as for a task of revision 2026-07-28.
const MAX_TIME: Duration = Duration::from_secs(60 * 60);
/// Time to deliver the cancellation of a task to the server.
const CANCEL_TIME: Duration = Duration::from_secs(2);
/// Bytes allowed in a task's id.
const MAX_ID: usize = 1_024;

/// A tool's `taskSupport`: whether it runs as a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TaskSupport {
    /// Runs only as a task.
    Required,
    /// Runs as a task or directly.
    Optional,
    /// Never runs as a task; the default.
    Forbidden,
}

impl TaskSupport {
    /// Reads the task support of a tool in the server's list.
    pub(crate) fn of(tool: &Value) -> Self {
        match tool.pointer("/execution/taskSupport").and_then(Value::as_str) {
            Some("required") => Self::Required,
            Some("optional") => Self::Optional,
            _ => Self::Forbidden,
        }
    }
}

/// Whether a server runs tools as tasks at all. The task support of its tools counts only then.
pub(crate) fn takes_tasks(server: &Value) -> bool {
    server.pointer("/capabilities/tasks/requests/tools/call").is_some()
}

/// State of one of the server's tasks, as last reported.
struct TaskSnapshot {
    id: String,
    status: TaskStatus,
    interval: Duration,
}

impl TaskSnapshot {
    fn read(task: &Value) -> anyhow::Result<Self> {
        let id = task.get("taskId").and_then(Value::as_str).context("the server's task has no taskId")?;
        if id.len() > MAX_ID {
            bail!("the id of the server's task has more than {MAX_ID} bytes");
        }
        let status = task.get("status").context("the server's task has no status")?;
        let status = TaskStatus::deserialize(status);
        let status = status.with_context(|| format!("the server's task {} has an unknown status", one_line(id)))?;
        // The interval is only a hint, so an unreadable one is ignored.
        let interval = task.get("pollInterval").and_then(Value::as_f64);
        let interval = interval.and_then(|interval| Duration::try_from_secs_f64(interval / 1e3).ok());
        let interval = interval.unwrap_or(DEFAULT_INTERVAL).clamp(LEAST_INTERVAL, LONGEST_INTERVAL);
        Ok(Self { id: id.to_owned(), status, interval })
    }

    fn has_ended(&self) -> bool {
        matches!(self.status, TaskStatus::Completed | TaskStatus::Failed | TaskStatus::Cancelled)
    }
}

/// A tool call that runs as a task.
pub(crate) struct ToolTask {
    progress: Progress,
    /// Latest state of the task, as the server reported it.
    pub(crate) last: Option<Value>,
    /// Id of the task while it is not known to have ended.
    running: Option<String>,
    shown: Option<(TaskStatus, String)>,
}

impl ToolTask {
    pub(crate) fn new(progress: Progress) -> Self {
        Self { progress, last: None, running: None, shown: None }
    }

    /// Follows the task that this result of `tools/call` announces. Returns the result that a direct call would have
    /// had.
    ///
    /// # Errors
    /// When the connection has ended, the server broke the protocol, or the task took too long.
    pub(crate) async fn finish(&mut self, client: &mut Client, made: Value) -> anyhow::Result<Answer> {
        let Some(task) = made.get("task").cloned() else {
            // The server ran the tool directly, although it was asked for a task.
            if made.get("content").is_some() {
                return Ok(Ok(made));
            }
            bail!("the server's response to a call as a task has no task");
        };
        let mut state = self.see(task)?;
        let id = state.id.clone();
        self.running = Some(id.clone());
        let about = json!({ "taskId": id });
        let now = Instant::now();
        let until = now.checked_add(MAX_TIME).unwrap_or(now);
        // The server asks for input while a request for the result is open, so the client then requests the result at
        // once. [basic/utilities/tasks, Input Required Status]
        while state.status == TaskStatus::Working {
            if Instant::now() >= until {
                self.cancel(client).await;
                bail!("the server's task {} did not end within {} min", one_line(&id), MAX_TIME.as_secs() / 60);
            }
            tokio::time::sleep(state.interval).await;
            match client.request("tasks/get", about.clone()).await? {
                Ok(task) => state = self.see(task)?,
                Err(error) => return Ok(Err(error)),
            }
            if state.id != id {
                bail!("tasks/get of {} returned the task {}", one_line(&id), one_line(&state.id));
            }
        }
        let result = client.request_within("tasks/result", about.clone(), MAX_TIME).await?;
        self.running = None;
        // The final state is shown to people only; a failure to read it does not change the result.
        if let (false, Ok(Ok(task))) = (state.has_ended(), client.request("tasks/get", about).await) {
            let _ = self.see(task);
        }
        Ok(result)
    }

    /// Tells the server that the task is abandoned, and waits only briefly for the response.
    pub(crate) async fn cancel(&mut self, client: &mut Client) {
        if let Some(id) = self.running.take() {
            let cancelled = client.request("tasks/cancel", json!({ "taskId": id }));
            if !matches!(tokio::time::timeout(CANCEL_TIME, cancelled).await, Ok(Ok(Ok(_)))) {
                tracing::debug!(task.id = one_line(&id), "a task of the server could not be cancelled");
            }
        }
    }

    /// Reads a task state, and shows it if it has changed.
    fn see(&mut self, task: Value) -> anyhow::Result<TaskSnapshot> {
        let state = TaskSnapshot::read(&task)?;
        let message = task.get("statusMessage").and_then(Value::as_str).unwrap_or_default().to_owned();
        let shown = (state.status, message);
        if self.shown.as_ref() != Some(&shown) {
            let (id, status) = (&state.id, terminal::status(state.status));
            self.progress.line(format!("server's task {} is {status}  {}", one_line(id), one_line(&shown.1)));
            self.shown = Some(shown);
        }
        self.last = Some(task);
        Ok(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_read_with_their_bounds() {
        let read = |task: Value| {
            TaskSnapshot::read(&task).map(|state| (state.status, state.interval)).map_err(|error| format!("{error:#}"))
        };
        let task = |interval: Value| json!({ "taskId": "1", "status": "working", "pollInterval": interval });
        for (interval, expected) in [
            (json!(50), Duration::from_millis(50)),
            (json!(0), LEAST_INTERVAL),
            (json!(-1), DEFAULT_INTERVAL),
            (json!("soon"), DEFAULT_INTERVAL),
            (json!(1e300), DEFAULT_INTERVAL),
            (json!(86_400_000), LONGEST_INTERVAL),
        ] {
            assert_eq!(read(task(interval.clone())), Ok((TaskStatus::Working, expected)), "{interval}");
        }
        for (task, word) in [
            (json!({ "status": "working" }), "no taskId"),
            (json!({ "taskId": "1" }), "no status"),
            (json!({ "taskId": "1", "status": "sleeping" }), "unknown status"),
            (json!({ "taskId": "x".repeat(2_000), "status": "working" }), "more than"),
        ] {
            assert!(read(task.clone()).is_err_and(|error| error.contains(word)), "{task}");
        }
    }

    #[test]
    fn support_is_what_the_tool_says() {
        for (tool, expected) in [
            (json!({ "execution": { "taskSupport": "required" } }), TaskSupport::Required),
            (json!({ "execution": { "taskSupport": "optional" } }), TaskSupport::Optional),
            (json!({ "execution": { "taskSupport": "forbidden" } }), TaskSupport::Forbidden),
            (json!({ "execution": { "taskSupport": "maybe" } }), TaskSupport::Forbidden),
            (json!({}), TaskSupport::Forbidden),
        ] {
            assert_eq!(TaskSupport::of(&tool), expected, "{tool}");
        }
        assert!(takes_tasks(&json!({ "capabilities": { "tasks": { "requests": { "tools": { "call": {} } } } } })));
        assert!(!takes_tasks(&json!({ "capabilities": { "tasks": { "list": {} } } })));
    }
}
