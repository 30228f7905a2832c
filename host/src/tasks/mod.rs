//! The tasks of one requestor: the rules of a receiver, over a store.
//!
//! Whoever asks for a change (a handler through its `tasks` import, the host itself) asks here, so the rules of
//! MCP's task utility are kept in one place: a task starts `working`, a final status never changes, times to live
//! have a maximum, and an id that is unknown, expired or another principal's is the same error. What a task is
//! kept in is a [`TaskStore`]; what works on it is any future. Neither WebAssembly nor JSON-RPC is known here.

mod error;
mod memory;
mod store;
mod work;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

pub use error::TaskError;
pub use memory::MemoryStore;
pub use store::{Position, StoreError, TaskRecord, TaskStore};

use crate::protocol::types::{ListTasksResult, RpcError, Task, TaskMetadata, TaskOutput, TaskStatus};
use work::Work;

/// What bounds the tasks of a principal.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TaskLimits {
    /// How long a task is kept when the requestor names no time.
    pub default_ttl: Duration,
    /// The longest time a task is kept, whatever the requestor asks.
    pub max_ttl: Duration,
    /// The poll interval given when the handler names none.
    pub poll_interval: Duration,
    /// Tasks kept at once for one principal.
    pub tasks: usize,
    /// Tasks on one page of a list.
    pub page: usize,
}

impl Default for TaskLimits {
    fn default() -> Self {
        Self {
            default_ttl: Duration::from_secs(60 * 60),
            max_ttl: Duration::from_secs(24 * 60 * 60),
            poll_interval: Duration::from_millis(500),
            tasks: 1_000,
            page: 50,
        }
    }
}

/// Told of each change of a task after it was stored.
pub type OnChange = Box<dyn Fn(&Task) + Send + Sync>;

/// The tasks of one principal.
pub struct Tasks {
    store: Arc<dyn TaskStore>,
    principal: String,
    limits: TaskLimits,
    on_change: OnChange,
    work: Work,
}

impl std::fmt::Debug for Tasks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tasks").field("principal", &self.principal).finish_non_exhaustive()
    }
}

impl Tasks {
    /// The tasks of `principal` in `store`. `on_change` is called after each change, from whichever thread made
    /// it, and must not block.
    #[must_use]
    pub fn new(store: Arc<dyn TaskStore>, principal: String, limits: TaskLimits, on_change: OnChange) -> Self {
        Self { store, principal, limits, on_change, work: Work::default() }
    }

    /// Makes a task in status `working`.
    ///
    /// # Errors
    /// [`TaskError::TooMany`] at the limit, or a failing store.
    pub async fn create(
        &self,
        metadata: TaskMetadata,
        poll_interval: Option<u32>,
        status_message: Option<String>,
    ) -> Result<Task, TaskError> {
        let now = Timestamp::now();
        self.store.remove_expired(now).await?;
        if self.store.count(&self.principal).await? >= self.limits.tasks {
            return Err(TaskError::TooMany { limit: self.limits.tasks });
        }
        let wanted = metadata.ttl.map_or(self.limits.default_ttl, |ttl| Duration::from_millis(ttl.into()));
        let ttl = wanted.min(self.limits.max_ttl);
        let poll_interval = poll_interval.unwrap_or_else(|| milliseconds(self.limits.poll_interval));
        let record = TaskRecord {
            principal: self.principal.clone(),
            id: uuid::Uuid::new_v4().to_string(),
            status: TaskStatus::Working,
            status_message: status_message.map(|message| shortened(&message)),
            created_at: now,
            updated_at: now,
            ttl,
            poll_interval,
            version: 0,
            outcome: None,
        };
        let task = record.task();
        self.store.create(record).await?;
        Ok(task)
    }

    /// Finds a task.
    ///
    /// # Errors
    /// [`TaskError::NotFound`], or a failing store.
    pub async fn get(&self, id: &str) -> Result<Task, TaskError> {
        self.find(id).await.map(|record| record.task())
    }

    /// One page of the tasks, the oldest first.
    ///
    /// # Errors
    /// [`TaskError::Cursor`], or a failing store.
    pub async fn list(&self, cursor: Option<&str>) -> Result<ListTasksResult, TaskError> {
        let after = cursor.map(|cursor| Position::from_cursor(cursor).ok_or(TaskError::Cursor)).transpose()?;
        self.store.remove_expired(Timestamp::now()).await?;
        // One more than a page tells whether there is a next one.
        let limit = self.limits.page.saturating_add(1);
        let mut records = self.store.list(&self.principal, after.as_ref(), limit).await?;
        let more = records.len() > self.limits.page;
        records.truncate(self.limits.page);
        let next_cursor = if more { records.last().map(|last| last.position().to_cursor()) } else { None };
        Ok(ListTasksResult { tasks: records.iter().map(TaskRecord::task).collect(), next_cursor, meta: None })
    }

    /// Sets a status that is not final, and the status message. A change that the requestor must not hear of yet
    /// is `quiet`: it does not know the task's id before its creation was answered.
    ///
    /// # Errors
    /// [`TaskError::Final`] when the task has ended, [`TaskError::NotAllowed`] for a final status,
    /// [`TaskError::NotFound`], or a failing store.
    pub async fn update(
        &self,
        id: &str,
        status: TaskStatus,
        message: Option<String>,
        quiet: bool,
    ) -> Result<Task, TaskError> {
        if status.is_final() {
            return Err(TaskError::NotAllowed { status });
        }
        self.change(id, Verb::Update, quiet, |record| {
            record.status = status;
            record.status_message = message.as_deref().map(shortened);
        })
        .await
    }

    /// Ends a task with its result, or with the error that stands for it; `quiet` as in [`Tasks::update`].
    ///
    /// # Errors
    /// [`TaskError::Final`] when the task has ended, [`TaskError::NotFound`], or a failing store.
    pub async fn finish(
        &self,
        id: &str,
        outcome: Result<TaskOutput, RpcError>,
        quiet: bool,
    ) -> Result<Task, TaskError> {
        self.change(id, Verb::Finish, quiet, |record| {
            match &outcome {
                Ok(_) => record.status = TaskStatus::Completed,
                Err(error) => {
                    record.status = TaskStatus::Failed;
                    record.status_message = Some(shortened(&error.message));
                }
            }
            record.outcome = Some(outcome.clone());
        })
        .await
    }

    /// Ends a task as `cancelled`, and whatever works on it before this returns.
    ///
    /// # Errors
    /// [`TaskError::Final`] when the task has ended, [`TaskError::NotFound`], or a failing store.
    pub async fn cancel(&self, id: &str) -> Result<Task, TaskError> {
        // First the status, then the work: what it stores from now on meets a task that is final.
        let task = self
            .change(id, Verb::Cancel, false, |record| {
                record.status = TaskStatus::Cancelled;
                record.outcome = Some(Err(TaskError::cancelled()));
            })
            .await?;
        self.work.stop(id).await;
        Ok(task)
    }

    /// Waits until a task is final and gives what it ended with.
    ///
    /// # Errors
    /// [`TaskError::NotFound`], also when the task expires meanwhile, or a failing store.
    pub async fn wait(&self, id: &str) -> Result<Result<TaskOutput, RpcError>, TaskError> {
        loop {
            let record = self.find(id).await?;
            if let Some(outcome) = record.outcome {
                return Ok(outcome);
            }
            let left = record.expires_at().duration_since(Timestamp::now()).unsigned_abs();
            let change = self.store.changed(&self.principal, id, record.version);
            // Past its time to live the task is gone, which the next round finds out.
            if let Ok(changed) = tokio::time::timeout(left, change).await {
                changed?;
            }
        }
    }

    /// Lets `work` run for a task that has not ended and has none running; what it gives ends the task, unless the
    /// task has ended by then. It is dropped when the task is cancelled, or when all of this principal's work is
    /// stopped.
    pub fn start<F>(self: &Arc<Self>, id: String, work: F)
    where
        F: Future<Output = Result<TaskOutput, RpcError>> + Send + 'static,
    {
        let tasks = Arc::downgrade(self);
        self.work.start(id.clone(), async move {
            // Asked only now, when a cancellation would find this work: before, it could slip in between.
            let ended = match tasks.upgrade() {
                Some(tasks) => tasks.get(&id).await.map_or(true, |task| task.status.is_final()),
                None => true,
            };
            if ended {
                return;
            }
            let outcome = work.await;
            let Some(tasks) = tasks.upgrade() else { return };
            match tasks.finish(&id, outcome, false).await {
                // The handler may have ended the task itself.
                Ok(_) | Err(TaskError::Final { .. }) => {}
                Err(error) => tracing::warn!(task.id = id, %error, "the outcome of a task could not be stored"),
            }
        });
    }

    /// Stops all background work. The tasks stay as they are.
    pub fn stop_all(&self) {
        self.work.stop_all();
    }

    async fn find(&self, id: &str) -> Result<TaskRecord, TaskError> {
        let record = self.store.get(&self.principal, id).await?;
        record.filter(|record| record.expires_at() > Timestamp::now()).ok_or(TaskError::NotFound { cancelling: false })
    }

    /// Changes a task that is not final. Tries again when somebody else changed it in between.
    async fn change(
        &self,
        id: &str,
        verb: Verb,
        quiet: bool,
        apply: impl Fn(&mut TaskRecord) + Send,
    ) -> Result<Task, TaskError> {
        loop {
            let mut record = self.find(id).await.map_err(|error| error.for_cancelling(verb == Verb::Cancel))?;
            if record.status.is_final() {
                return Err(TaskError::Final { status: record.status, cancelling: verb == Verb::Cancel });
            }
            let seen = record.version;
            apply(&mut record);
            record.version = seen.saturating_add(1);
            record.updated_at = Timestamp::now();
            let task = record.task();
            if self.store.replace(record, seen).await? {
                if !quiet {
                    (self.on_change)(&task);
                }
                return Ok(task);
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Update,
    Finish,
    Cancel,
}

impl TaskStatus {
    /// Whether the status never changes again.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// Characters of a status message that are kept: it goes out with every answer about the task.
const MAX_STATUS_MESSAGE: usize = 1_000;

fn shortened(message: &str) -> String {
    message.chars().take(MAX_STATUS_MESSAGE).collect()
}

/// A duration for the wire.
fn milliseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
