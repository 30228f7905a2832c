//! Grant `tasks`: the tasks of the conversation, as state that outlives the cell.

use std::sync::Arc;

use super::generated::taskcell::handlers::tasks::{Host, TaskOptions};
use crate::grants::CellState;
use crate::protocol::types::{ListTasksResult, RpcError, Task, TaskInput, TaskMetadata, TaskOutput, TaskStatus};
use crate::tasks::{CreateOptions, Outcome, TaskError, Tasks};
use crate::telemetry::{Import, import};

/// Result of a host function: a trap, or the value for the guest.
type Given<T> = wasmtime::Result<Result<T, RpcError>>;

/// Places that a cell takes to read the result of a task: it holds the result in its own memory, too.
const RESULT_OF_CELL: u32 = 2;

impl CellState {
    fn tasks(&self) -> wasmtime::Result<Arc<Tasks>> {
        let session = self.context.session.as_ref();
        let tasks = session.map(|session| Arc::clone(&session.tasks));
        tasks.ok_or_else(|| wasmtime::format_err!("tasks cannot be used while a component is loaded"))
    }

    async fn finish(&mut self, task_id: &str, outcome: Outcome) -> Given<Task> {
        let finished = self.tasks()?.finish(task_id, &outcome, self.context.by(task_id)).await;
        Ok(finished.map_err(|error| self.refused(&error)))
    }

    /// Waits for a place to read a result in. All who waited for the same task come here at once.
    async fn take_result_place(&mut self) {
        if let (None, Some(places)) = (&self.context.result, &self.context.results) {
            // The semaphore is never closed.
            self.context.result = Arc::clone(places).acquire_many_owned(RESULT_OF_CELL).await.ok();
        }
    }

    /// A refusal as the guest gets it. The operator is told of each kind once a cell: a guest may ask without end.
    fn refused(&mut self, error: &TaskError) -> RpcError {
        match error.told() {
            Some(kind) if !self.context.told.contains(&kind) => {
                self.context.told.push(kind);
                error.log();
            }
            _ => error.count(),
        }
        error.to_rpc()
    }
}

impl Host for &mut CellState {
    async fn create(&mut self, metadata: TaskMetadata, options: TaskOptions) -> Given<Task> {
        import(Import("taskcell:handlers/tasks", "create"), async {
            let TaskOptions { poll_interval, status_message } = options;
            let tasks = self.tasks()?;
            let mut wanted = CreateOptions::new(metadata, self.context.origin());
            (wanted.poll_interval, wanted.status_message) = (poll_interval, status_message);
            let created = match self.context.created.admit(&tasks) {
                Ok(()) => tasks.reserve(wanted).await,
                Err(error) => Err(error),
            };
            if let Ok(task) = &created {
                self.context.created.add(tasks, task.clone());
            }
            Ok(created.map_err(|error| self.refused(&error)))
        })
        .await
    }

    async fn get(&mut self, task_id: String) -> Given<Task> {
        import(Import("taskcell:handlers/tasks", "get"), async {
            Ok(self.tasks()?.get(&task_id).await.map_err(|error| self.refused(&error)))
        })
        .await
    }

    async fn list(&mut self, cursor: Option<String>) -> Given<ListTasksResult> {
        import(Import("taskcell:handlers/tasks", "list"), async {
            Ok(self.tasks()?.list(cursor.as_deref()).await.map_err(|error| self.refused(&error)))
        })
        .await
    }

    async fn update(&mut self, task_id: String, status: TaskStatus, message: Option<String>) -> Given<Task> {
        import(Import("taskcell:handlers/tasks", "update"), async {
            let by = self.context.by(&task_id);
            let updated = self.tasks()?.update(&task_id, status, message.as_deref(), by).await;
            Ok(updated.map_err(|error| self.refused(&error)))
        })
        .await
    }

    async fn complete(&mut self, task_id: String, output: TaskOutput) -> Given<Task> {
        import(Import("taskcell:handlers/tasks", "complete"), async { self.finish(&task_id, Ok(output)).await }).await
    }

    async fn fail(&mut self, task_id: String, error: RpcError) -> Given<Task> {
        import(Import("taskcell:handlers/tasks", "fail"), async { self.finish(&task_id, Err(error)).await }).await
    }

    async fn cancel(&mut self, task_id: String) -> Given<Task> {
        import(Import("taskcell:handlers/tasks", "cancel"), async {
            Ok(self.tasks()?.cancel(&task_id).await.map_err(|error| self.refused(&error)))
        })
        .await
    }

    async fn wait_for_result(&mut self, task_id: String) -> Given<TaskOutput> {
        import(Import("taskcell:handlers/tasks", "wait-for-result"), async {
            let tasks = self.tasks()?;
            let outcome = match tasks.wait_for_end(&task_id).await {
                Ok(()) => {
                    self.take_result_place().await;
                    tasks.outcome(&task_id).await
                }
                Err(error) => Err(error),
            };
            Ok(outcome.unwrap_or_else(|error| Err(self.refused(&error))))
        })
        .await
    }

    async fn spawn(&mut self, task_id: String, input: TaskInput) -> Given<()> {
        import(Import("taskcell:handlers/tasks", "spawn"), async {
            let Some(room) = self.context.spawn_room else {
                let message = "Work is spawned only by a handler that exports `background`, while it serves a request";
                return Ok(Err(RpcError::internal("spawn", message)));
            };
            if self.context.spawned.iter().any(|(id, _)| *id == task_id) {
                return Ok(Err(RpcError::invalid_params("Work was already spawned for this task")));
            }
            match self.tasks()?.get(&task_id).await {
                Ok(task) if task.status.is_final() => {
                    return Ok(Err(RpcError::invalid_params("The task has ended")));
                }
                Ok(_) => {}
                // The requestor wished for so short a time to live that the task is over already. There is nothing to
                // be done for the task, and nothing is wrong.
                Err(TaskError::NotFound { .. }) if self.context.created.contains(&task_id) => return Ok(Ok(())),
                Err(error) => return Ok(Err(self.refused(&error))),
            }
            let size = match self.context.spawned_with(&input, room) {
                Ok(size) => size,
                Err(error) => return Ok(Err(self.refused(&error))),
            };
            self.context.spawned_size = size;
            self.context.spawned.push((task_id, input));
            Ok(Ok(()))
        })
        .await
    }
}
