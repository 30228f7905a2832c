//! The tasks made in one cell, which must not outlive a request that fails.
//!
//! Their requestor learns of them by the answer. When there is none, because the handler failed or the request was
//! cancelled and its cell dropped, nobody would ever end them.

use std::sync::Arc;

use crate::protocol::types::{RpcError, Task};
use crate::tasks::{Actor, TaskError, Tasks};

/// The tasks made in one cell. Dropping it ends them as failed.
#[derive(Default)]
pub(crate) struct Created {
    tasks: Option<Arc<Tasks>>,
    /// As they were when they were made.
    made: Vec<Task>,
}

impl Created {
    /// Refuses to make more tasks in one cell than a principal may have at once: those that expire meanwhile are
    /// remembered here, too.
    pub(super) fn admit(&self, tasks: &Tasks) -> Result<(), TaskError> {
        let limit = tasks.max_tasks();
        if self.made.len() < limit { Ok(()) } else { Err(TaskError::TooMany { limit }) }
    }

    pub(super) fn add(&mut self, tasks: Arc<Tasks>, task: Task) {
        self.tasks = Some(tasks);
        self.made.push(task);
    }

    pub(super) fn contains(&self, id: &str) -> bool {
        self.get(id).is_some()
    }

    /// A task as it was when it was made in this cell.
    pub(crate) fn get(&self, id: &str) -> Option<&Task> {
        self.made.iter().find(|task| task.task_id == id)
    }

    /// The ids of the tasks.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.made.iter().map(|task| task.task_id.as_str())
    }

    /// Keeps the tasks: the requestor learns of them.
    pub(crate) fn keep(mut self) {
        self.made.clear();
    }

    /// Ends the tasks with the error that their requestor gets instead.
    pub(crate) async fn discard(mut self, error: &RpcError) {
        discard(self.tasks.take(), std::mem::take(&mut self.made), error).await;
    }
}

impl Drop for Created {
    fn drop(&mut self) {
        if self.made.is_empty() {
            return;
        }
        let (tasks, made) = (self.tasks.take(), std::mem::take(&mut self.made));
        // Without a runtime the process is ending, and the tasks in memory with it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                discard(tasks, made, &RpcError::internal("cancelled", "The request was cancelled")).await;
            });
        }
    }
}

async fn discard(tasks: Option<Arc<Tasks>>, made: Vec<Task>, error: &RpcError) {
    let Some(tasks) = tasks else { return };
    for Task { task_id, .. } in made {
        // The handler may have ended it itself.
        let _ = tasks.finish(&task_id, &Err(error.clone()), Actor { quiet: true, lease: None }).await;
    }
}
