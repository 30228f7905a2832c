//! A tool that runs as a task of its server: the call makes the task, which is followed to its end.
//! [2025-11-25, basic/utilities/tasks; server/tools, Tool-Level Negotiation]
//!
//! Revision 2026-07-28 leaves it to the server whether a call becomes a task; [`taskcell::mrtr`] follows those.

use std::time::Duration;

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::client::Client;
use super::peer::Answer;
use super::terminal::{self, Progress, one_line};
use taskcell::protocol::types::TaskStatus;

/// How long to wait between two polls where the server says nothing, and the least and the most that it may say.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);
const LEAST_INTERVAL: Duration = Duration::from_millis(20);
const LONGEST_INTERVAL: Duration = Duration::from_secs(60);
/// How long a task is followed: as long as one of revision 2026-07-28.
const MAX_TIME: Duration = Duration::from_secs(60 * 60);
/// How long the server may take to hear that a task is cancelled.
const CANCEL_TIME: Duration = Duration::from_secs(2);
/// Bytes of a task's id.
const MAX_ID: usize = 1_024;

/// What a server says of running a tool as a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TaskSupport {
    /// Only as a task.
    Required,
    /// Either way.
    Optional,
    /// Never as a task: also where the server says nothing.
    Forbidden,
}

impl TaskSupport {
    /// What a tool of a list says.
    pub(super) fn of(tool: &Value) -> Self {
        match tool.pointer("/execution/taskSupport").and_then(Value::as_str) {
            Some("required") => Self::Required,
            Some("optional") => Self::Optional,
            _ => Self::Forbidden,
        }
    }
}

/// Whether a server runs tools as tasks at all; what its tools say counts only then.
pub(super) fn takes_tasks(server: &Value) -> bool {
    server.pointer("/capabilities/tasks/requests/tools/call").is_some()
}

/// A state of a task of the server.
struct State {
    id: String,
    status: TaskStatus,
    interval: Duration,
}

impl State {
    fn read(task: &Value) -> anyhow::Result<Self> {
        let id = task.get("taskId").and_then(Value::as_str).context("the server's task has no taskId")?;
        if id.len() > MAX_ID {
            bail!("the id of the server's task has more than {MAX_ID} bytes");
        }
        let status = task.get("status").context("the server's task has no status")?;
        let status = TaskStatus::deserialize(status);
        let status = status.with_context(|| format!("the server's task {} has an unknown status", one_line(id)))?;
        // A hint: what cannot be read is none.
        let interval = task.get("pollInterval").and_then(Value::as_f64);
        let interval = interval.and_then(|interval| Duration::try_from_secs_f64(interval / 1e3).ok());
        let interval = interval.unwrap_or(DEFAULT_INTERVAL).clamp(LEAST_INTERVAL, LONGEST_INTERVAL);
        Ok(Self { id: id.to_owned(), status, interval })
    }

    fn has_ended(&self) -> bool {
        matches!(self.status, TaskStatus::Completed | TaskStatus::Failed | TaskStatus::Cancelled)
    }
}

/// A call that runs as a task.
pub(super) struct ToolTask {
    progress: Progress,
    /// The task as the server told of it last.
    pub(super) last: Option<Value>,
    /// The task that is not known to have ended.
    running: Option<String>,
    shown: Option<(TaskStatus, String)>,
}

impl ToolTask {
    pub(super) fn new(progress: Progress) -> Self {
        Self { progress, last: None, running: None, shown: None }
    }

    /// Follows the task that this answer of `tools/call` made, and gives what a plain call would have.
    ///
    /// # Errors
    /// The connection has ended, the server broke the protocol, or the task took too long.
    pub(super) async fn finish(&mut self, client: &mut Client, made: Value) -> anyhow::Result<Answer> {
        let Some(task) = made.get("task").cloned() else {
            // A server that ran the tool at once, though it was asked for a task.
            if made.get("content").is_some() {
                return Ok(Ok(made));
            }
            bail!("the server answered a call as a task without a task");
        };
        let mut state = self.see(task)?;
        let id = state.id.clone();
        self.running = Some(id.clone());
        let about = json!({ "taskId": id });
        let now = Instant::now();
        let until = now.checked_add(MAX_TIME).unwrap_or(now);
        // Input is asked for while its result is: the client asks for the result at once. [basic/utilities/tasks,
        // Input Required Status]
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
                bail!("tasks/get of {} gave the task {}", one_line(&id), one_line(&state.id));
            }
        }
        let result = client.request_within("tasks/result", about.clone(), MAX_TIME).await?;
        self.running = None;
        // The last state is for people; the result counts, whatever comes of asking.
        if let (false, Ok(Ok(task))) = (state.has_ended(), client.request("tasks/get", about).await) {
            let _ = self.see(task);
        }
        Ok(result)
    }

    /// Tells the server that nobody waits for the task any more; does not wait long for what it says.
    pub(super) async fn cancel(&mut self, client: &mut Client) {
        if let Some(id) = self.running.take() {
            let cancelled = client.request("tasks/cancel", json!({ "taskId": id }));
            if !matches!(tokio::time::timeout(CANCEL_TIME, cancelled).await, Ok(Ok(Ok(_)))) {
                tracing::debug!(task.id = one_line(&id), "a task of the server could not be cancelled");
            }
        }
    }

    /// Reads a state, and shows it where it is another one.
    fn see(&mut self, task: Value) -> anyhow::Result<State> {
        let state = State::read(&task)?;
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
            State::read(&task).map(|state| (state.status, state.interval)).map_err(|error| format!("{error:#}"))
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
