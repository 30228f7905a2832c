//! Tasks of a server: polled until they end, given the input that they ask for, and cancelled when the call is dropped.

use std::collections::HashSet;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use serde_json::value::{RawValue, to_raw_value};
use tokio::time::Instant;
use tracing::Instrument;

use super::error::MAX_QUOTE;
use super::members::Members;
use super::wire::{inputs, type_of};
use super::{CallError, Caller};
use crate::protocol::types::{RpcError, TaskStatus};
use crate::protocol::{Bounds, plain};
use crate::support::lock;
use crate::telemetry;
use crate::text::one_line;

/// Interval of polls where the server names none, and the least one: a server must not keep the client busy with
/// polling.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);
const LEAST_INTERVAL: Duration = Duration::from_millis(20);

/// Time limit for a server to acknowledge that a task is cancelled.
const CANCEL_TIME: Duration = Duration::from_secs(5);

/// Task of a server, as the client sees it. [ext-tasks, Tasks]
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RemoteTask {
    /// Server's id of the task. An application that stores it can [`Caller::resume`] after a restart.
    pub id: String,
    /// Status of the task.
    pub status: TaskStatus,
    /// Status message of the server, unfiltered.
    pub message: Option<String>,
}

/// State of a task, with the members that depend on it. [ext-tasks, Task Status]
pub(super) struct TaskState {
    task: RemoteTask,
    interval: Duration,
    inputs: Members,
    /// Result of a completed task.
    result: Option<Box<RawValue>>,
    /// Error of a failed task.
    error: Option<RpcError>,
}

impl TaskState {
    /// Creates the state of a task of which only the id is known.
    pub(super) fn begun(id: &str) -> Self {
        let task = RemoteTask { id: id.to_owned(), status: TaskStatus::InputRequired, message: None };
        Self { task, interval: Duration::ZERO, inputs: Members::default(), result: None, error: None }
    }

    /// Reads a `CreateTaskResult`, or the result of `tasks/get`.
    pub(super) fn read(members: &Members, bounds: Bounds) -> Result<Self, String> {
        let id = members.text("taskId")?.ok_or("the task has no `taskId`")?;
        let status = members.get("status").ok_or("the task has no `status`")?;
        let status =
            serde_json::from_str(status.get()).map_err(|error| format!("`status`: {}", plain(&error.to_string())))?;
        let message = members.text("statusMessage")?;
        // The interval is a hint: a value that cannot be read counts as absent.
        let interval =
            members.get("pollIntervalMs").and_then(|interval| serde_json::from_str::<f64>(interval.get()).ok());
        let interval = interval.and_then(|interval| Duration::try_from_secs_f64(interval / 1e3).ok());
        let error = members.get("error").map(|error| serde_json::from_str(error.get()));
        Ok(Self {
            task: RemoteTask { id, status, message },
            interval: interval.unwrap_or(DEFAULT_INTERVAL).max(LEAST_INTERVAL),
            inputs: inputs(members, bounds)?,
            result: members.get("result").map(ToOwned::to_owned),
            error: error.transpose().map_err(|error| format!("`error`: {}", plain(&error.to_string())))?,
        })
    }

    /// Returns the time of the next poll.
    fn next_poll(&self) -> Instant {
        let now = Instant::now();
        now.checked_add(self.interval).unwrap_or(now)
    }

    /// Returns the outcome of the call, once the task has ended.
    fn outcome(self) -> Option<Result<Box<RawValue>, CallError>> {
        let broken = |why: &str| CallError::Answer(why.to_owned());
        Some(match self.task.status {
            TaskStatus::Working | TaskStatus::InputRequired => return None,
            TaskStatus::Completed => match self.result {
                Some(result) => match type_of(&result) {
                    Ok(None) => Ok(result),
                    Ok(Some(_)) => Err(broken("the result of the task is not complete")),
                    Err(why) => Err(CallError::Answer(why)),
                },
                None => Err(broken("the task is completed and has no `result`")),
            },
            TaskStatus::Failed => Err(match self.error {
                Some(error) => CallError::Refused(error),
                None => broken("the task has failed and has no `error`"),
            }),
            TaskStatus::Cancelled => Err(CallError::Cancelled { message: self.task.message }),
        })
    }
}

impl Caller {
    /// Follows a task to its end. A task that the client gives up is cancelled.
    pub(super) async fn finish(&self, task: TaskState) -> Result<Box<RawValue>, CallError> {
        let limit = self.options.task_time;
        let span = telemetry::remote_task(&task.task.id);
        let mut running = Running { caller: self, id: task.task.id.clone(), over: false };
        let outcome = match tokio::time::timeout(limit, self.follow(task).instrument(span)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(CallError::TaskTime { limit }),
        };
        running.over = true;
        match outcome {
            // The server has ended these tasks, does not know them, or cannot be reached.
            Ok(_) | Err(CallError::Refused(_) | CallError::Cancelled { .. } | CallError::Transport(_)) => {}
            Err(_) => cancel(self, &running.id).await,
        }
        outcome
    }

    /// Polls the task and answers its inputs until it ends. [ext-tasks, Task Polling, Task Update Requests]
    async fn follow(&self, mut state: TaskState) -> Result<Box<RawValue>, CallError> {
        let id = state.task.id.clone();
        let mut given = HashSet::new();
        let mut rounds = 0u32;
        self.observe(&state);
        // The answer to the call names the task, without its inputs and its result.
        let next = if state.task.status == TaskStatus::Working { state.next_poll() } else { Instant::now() };
        state = self.poll(&id, next).await?;
        loop {
            let next = state.next_poll();
            let wanted = std::mem::take(&mut state.inputs);
            let asks = state.task.status == TaskStatus::InputRequired;
            if let Some(outcome) = state.outcome() {
                return outcome;
            }
            // A server may repeat inputs for a while that it was given already.
            let wanted: Members = wanted.into_iter().filter(|(key, _)| asks && !given.contains(key)).collect();
            if wanted.is_empty() {
                state = self.poll(&id, next).await?;
                continue;
            }
            rounds = rounds.saturating_add(1);
            if rounds > self.options.rounds {
                return Err(CallError::Rounds { limit: self.options.rounds });
            }
            let answers = tokio::select! {
                biased;
                answers = self.gather(wanted) => answers?,
                // Inputs of a task that has ended need no answer.
                outcome = self.until_ended(&id, next) => return outcome,
            };
            let mut params = self.task_params(&id);
            params.set("inputResponses", answers.write());
            self.request("tasks/update", &params).await?;
            given.extend(answers.into_iter().map(|(key, _)| key));
            state = self.poll(&id, next).await?;
        }
    }

    async fn until_ended(&self, id: &str, mut next: Instant) -> Result<Box<RawValue>, CallError> {
        loop {
            let state = self.poll(id, next).await?;
            next = state.next_poll();
            if let Some(outcome) = state.outcome() {
                return outcome;
            }
        }
    }

    /// Asks for the task's state at the time `next`.
    async fn poll(&self, id: &str, next: Instant) -> Result<TaskState, CallError> {
        tokio::time::sleep_until(next).await;
        let result = self.request("tasks/get", &self.task_params(id)).await?;
        let state = type_of(&result).and_then(|name| match name {
            None => TaskState::read(&Members::read(result.get())?, self.session.handlers.active().bounds),
            Some(name) => Err(format!("`tasks/get` gave a `{}`", one_line(&name, MAX_QUOTE))),
        });
        let state = state.map_err(CallError::Answer)?;
        if state.task.id != id {
            return Err(CallError::Answer("`tasks/get` gave another task".to_owned()));
        }
        self.observe(&state);
        Ok(state)
    }

    fn observe(&self, state: &TaskState) {
        if let Some(observer) = &self.options.observer {
            observer(&state.task);
        }
    }

    /// Returns the parameters of a request about a task.
    pub(super) fn task_params(&self, id: &str) -> Members {
        let mut params = Members::default();
        if let Ok(id) = to_raw_value(id) {
            params.set("taskId", id);
        }
        // Adding to an absent `_meta` cannot fail.
        let _ = self.declared().meta.add_to(&mut params);
        params
    }

    pub(super) fn cancelling(&self) -> MutexGuard<'_, Vec<tokio::task::JoinHandle<()>>> {
        lock(&self.cancelling)
    }
}

/// Asks the server to cancel a task, and ignores its answer.
async fn cancel(caller: &Caller, id: &str) {
    if let Ok(Err(error)) = tokio::time::timeout(CANCEL_TIME, caller.cancel_task(id)).await {
        tracing::debug!(task.id = one_line(id, MAX_QUOTE), %error, "a task of the server could not be cancelled");
    }
}

/// Task that a call waits for. Dropping it before its end cancels the task.
struct Running<'a> {
    caller: &'a Caller,
    id: String,
    over: bool,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // Without a runtime the process is ending, and its connection to the server with it.
        if let (false, Ok(runtime)) = (self.over, tokio::runtime::Handle::try_current()) {
            let (server, params) = (Arc::clone(&self.caller.server), self.caller.task_params(&self.id).write());
            let cancelling = runtime.spawn(async move {
                let _ = tokio::time::timeout(CANCEL_TIME, server.request("tasks/cancel", params)).await;
            });
            let mut all = self.caller.cancelling();
            all.retain(|cancelling| !cancelling.is_finished());
            all.push(cancelling);
        }
    }
}
