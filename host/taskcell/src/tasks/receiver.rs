//! The rules of a receiver of tasks, over a store. [basic/utilities/tasks, Behavior Requirements]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::{Mutex, OnceCell};

use super::aside::Aside;
use super::worker::Worker;
use super::{
    AuditLog, Claim, Full, Job, Lease, NewTask, Outcome, PrincipalFilter, Room, StoreOutcome, TaskError, TaskLimits,
    TaskOperation, TaskOrigin, TaskRecord, TaskStore, Transition, Work, cursor, milliseconds,
};
use crate::protocol::json;
use crate::protocol::types::{ListTasksResult, RpcError, Task, TaskMetadata, TaskOutput, TaskStatus};
use crate::support::polled;
use crate::telemetry;

/// Characters of a status message that are kept: it goes out with every answer about the task.
const MAX_STATUS_MESSAGE: usize = 1_000;

/// Bytes of an error as JSON that are always taken: the host's own errors have to fit.
const MAX_OWN_ERROR: usize = 64 << 10;

/// Told of each change of a task after it was stored.
pub type OnChange = Box<dyn Fn(&Task) + Send + Sync>;

/// The tasks of one principal.
pub struct Tasks {
    pub(super) store: Arc<dyn TaskStore>,
    pub(super) principal: Arc<str>,
    pub(super) limits: TaskLimits,
    json_depth: AtomicUsize,
    pub(super) audit: Option<Arc<AuditLog>>,
    pub(super) worker: Worker,
    on_change: OnChange,
    /// Held while a task is changed and the change told, so that changes are told in their order. Tasks share locks.
    turns: [Mutex<()>; 64],
    secret: OnceCell<[u8; 32]>,
    pub(super) aside: Aside,
}

/// Options for a new task.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CreateOptions {
    /// The requestor's wishes.
    pub metadata: TaskMetadata,
    /// Suggested interval between polls, in milliseconds; `None` for the default.
    pub poll_interval: Option<u32>,
    /// The first status message.
    pub status_message: Option<String>,
    /// Origin of the task.
    pub origin: Arc<TaskOrigin>,
}

impl CreateOptions {
    /// A task with these wishes of its requestor, made from this.
    #[must_use]
    pub fn new(metadata: TaskMetadata, origin: Arc<TaskOrigin>) -> Self {
        Self { metadata, poll_interval: None, status_message: None, origin }
    }
}

/// On whose behalf a task is changed. The default is anyone's, and the requestor is told.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Actor<'a> {
    /// The requestor is not told: it does not know the task's id before its creation was answered.
    pub quiet: bool,
    /// The lease of the work that makes the change: when it is not the newest any more, the change is refused.
    pub lease: Option<&'a Lease>,
}

impl<'a> Actor<'a> {
    /// On behalf of the work that holds a lease.
    #[must_use]
    pub fn work(lease: &'a Lease) -> Self {
        Self { quiet: false, lease: Some(lease) }
    }
}

impl std::fmt::Debug for Tasks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tasks").field("principal", &self.principal).finish_non_exhaustive()
    }
}

impl Tasks {
    /// The tasks of `principal` in `store`. `on_change` is called after each change that is made here, from whichever
    /// thread made it, and must not block.
    #[must_use]
    pub fn new(store: Arc<dyn TaskStore>, principal: &str, limits: TaskLimits, on_change: OnChange) -> Self {
        let (principal, worker) = (Arc::from(principal), Worker::default());
        let turns = [const { Mutex::const_new(()) }; 64];
        let (json_depth, audit, secret) = (AtomicUsize::new(json::MAX_DEPTH), None, OnceCell::new());
        Self { store, principal, limits, json_depth, audit, worker, on_change, turns, secret, aside: Aside::default() }
    }

    /// With an audit log.
    #[must_use]
    pub fn with_audit(mut self, audit: Option<Arc<AuditLog>>) -> Self {
        self.audit = audit;
        self
    }

    /// Bounds how deeply the JSON of a result may nest.
    pub(crate) fn set_json_depth(&self, limit: usize) {
        self.json_depth.store(limit, Ordering::Relaxed);
    }

    /// Makes a task in status `working`.
    ///
    /// # Errors
    /// [`TaskError::TooMany`] and [`TaskError::NoRoom`] at the limits, or a failing store.
    pub async fn create(&self, options: CreateOptions) -> Result<Task, TaskError> {
        self.store_new(self.new_record(options), Work::None).await
    }

    /// Makes a task whose requestor is not told of the task yet: [`Tasks::confirm`] or [`Tasks::spawn`] is to follow.
    /// When this host is lost before, the next one removes the task.
    ///
    /// # Errors
    /// Those of [`Tasks::create`].
    pub(crate) async fn reserve(&self, options: CreateOptions) -> Result<Task, TaskError> {
        let worker = self.worker.name(&self.store, self.limits.lease).await?;
        self.store_new(self.new_record(options), Work::Reserved { worker }).await
    }

    /// Lets tasks stay that were made by [`Tasks::reserve`] and have no work: their requestor is about to be told.
    ///
    /// # Errors
    /// A failing store.
    pub(crate) async fn confirm(&self, ids: &[String]) -> Result<(), TaskError> {
        if ids.is_empty() {
            return Ok(());
        }
        let worker = self.worker.name(&self.store, self.limits.lease).await?;
        Ok(self.store.confirm(ids, &worker).await?)
    }

    /// Makes a task in status `working` with work to be done for it. Both are stored in one step, so that there is
    /// never the one without the other; [`Tasks::start`] lets the work run.
    ///
    /// # Errors
    /// Those of [`Tasks::create`].
    pub async fn create_with_work(&self, options: CreateOptions, job: Job) -> Result<(Task, Claim), TaskError> {
        let worker = self.worker.name(&self.store, self.limits.lease).await?;
        let (record, job) = (self.new_record(options), Arc::new(job));
        let lease = Lease { id: record.id.clone(), worker: worker.clone(), fence: 1 };
        let task = self.store_new(record, Work::Leased { job: Arc::clone(&job), worker }).await?;
        Ok((task, Claim { lease, lost: 0, job }))
    }

    fn new_record(&self, options: CreateOptions) -> TaskRecord {
        let CreateOptions { metadata, poll_interval, status_message, origin } = options;
        let now = Timestamp::now();
        let wanted = metadata.ttl.map_or(self.limits.default_ttl, |ttl| Duration::from_millis(ttl.into()));
        TaskRecord {
            principal: Arc::clone(&self.principal),
            id: uuid::Uuid::new_v4().to_string(),
            sequence: 0,
            origin,
            status: TaskStatus::Working,
            status_message: status_message.map(|message| shortened(&message)),
            created_at: now,
            updated_at: now,
            ttl: wanted.min(self.limits.max_ttl),
            poll_interval: poll_interval.unwrap_or_else(|| milliseconds(self.limits.poll_interval)),
            version: 0,
        }
    }

    async fn store_new(&self, record: TaskRecord, work: Work) -> Result<Task, TaskError> {
        let task = record.task();
        let audited = self.audit.as_ref().map(|audit| (audit, record.clone()));
        let room = Room { tasks: self.limits.tasks, bytes: self.limits.total_size };
        let guard = CreateGuard { tasks: self, id: Some(record.id.clone()) };
        let new = NewTask { record, work };
        if self.store.create(new.clone(), room).await?.is_err() {
            // What has expired counts no more, though the sweeper has not come by yet.
            self.sweep().await?;
            if let Err(full) = self.store.create(new, room).await? {
                guard.disarm();
                return Err(self.full(full));
            }
        }
        guard.disarm();
        telemetry::task_created();
        if let Some((audit, record)) = audited {
            audit.task("created", &record);
        }
        Ok(task)
    }

    /// Tasks that the principal may have at once.
    pub(crate) fn max_tasks(&self) -> usize {
        self.limits.tasks
    }

    pub(super) fn full(&self, full: Full) -> TaskError {
        match full {
            Full::Tasks => TaskError::TooMany { limit: self.limits.tasks },
            Full::Bytes => TaskError::NoRoom { limit: self.limits.total_size },
        }
    }

    /// Finds a task.
    ///
    /// # Errors
    /// [`TaskError::NotFound`], or a failing store.
    pub async fn get(&self, id: &str) -> Result<Task, TaskError> {
        self.find(id).await.map(|record| record.task())
    }

    /// One page of the tasks, the oldest first. [basic/utilities/tasks, Task Listing]
    ///
    /// # Errors
    /// [`TaskError::Cursor`], or a failing store.
    pub async fn list(&self, cursor: Option<&str>) -> Result<ListTasksResult, TaskError> {
        let secret = self.secret.get_or_try_init(|| self.store.secret()).await?;
        let read = |cursor| cursor::read(secret, &self.principal, cursor).ok_or(TaskError::Cursor);
        let mut after = cursor.map(read).transpose()?;
        let now = Timestamp::now();
        let mut records = Vec::new();
        // One more than a page tells whether there is a next one. Pages are made of what has not expired.
        let more = loop {
            let wanted = self.limits.page.saturating_add(1);
            let found = self.store.list(self.mine(), after, wanted).await?;
            let end = found.len() < wanted;
            after = found.last().map(|last| last.sequence).or(after);
            records.extend(found.into_iter().filter(|record| record.expires_at() > now));
            if records.len() > self.limits.page || end {
                break records.len() > self.limits.page;
            }
        };
        records.truncate(self.limits.page);
        let last = records.last().filter(|_| more);
        let next_cursor = last.and_then(|last| cursor::write(secret, &self.principal, last.sequence));
        Ok(ListTasksResult { tasks: records.iter().map(TaskRecord::task).collect(), next_cursor, meta: None })
    }

    /// Sets a status that is not final, and the status message.
    ///
    /// # Errors
    /// [`TaskError::Final`] when the task has ended, [`TaskError::NotAllowed`] for a final status,
    /// [`TaskError::NotFound`], [`TaskError::LeaseLost`], or a failing store.
    pub async fn update(
        &self,
        id: &str,
        status: TaskStatus,
        message: Option<&str>,
        by: Actor<'_>,
    ) -> Result<Task, TaskError> {
        if status.is_final() {
            return Err(TaskError::NotAllowed { status });
        }
        self.change(id, TaskOperation::Change, by, |record| {
            record.status = status;
            record.status_message = message.map(shortened);
            Ok(None)
        })
        .await
    }

    /// Ends a task with its result, or with the error that stands for it.
    ///
    /// # Errors
    /// [`TaskError::Output`], [`TaskError::OutputTooDeep`] and [`TaskError::OutputTooLarge`] when the result is none
    /// that the request could have had, [`TaskError::NoRoom`], [`TaskError::Final`] when the task has ended,
    /// [`TaskError::NotFound`], [`TaskError::LeaseLost`], or a failing store. After all of them the task is as it was.
    pub async fn finish(&self, id: &str, outcome: &Outcome, by: Actor<'_>) -> Result<Task, TaskError> {
        let outcome = match outcome {
            Ok(output) => Ok(self.checked(id, output.clone()).await?),
            Err(error) => Err(error.clone()),
        };
        self.change(id, TaskOperation::Change, by, |record| {
            match &outcome {
                Ok(output) => {
                    record.status = TaskStatus::Completed;
                    // It was about the work.
                    record.status_message = None;
                    self.fits(output, self.limits.result_size)?;
                }
                Err(error) => {
                    record.status = TaskStatus::Failed;
                    record.status_message = Some(shortened(&error.message));
                    self.fits(error, self.limits.result_size.max(MAX_OWN_ERROR))?;
                }
            }
            Ok(Some(outcome.clone()))
        })
        .await
    }

    /// The output as the request's result would have been, if it could have been one. What a task was made for never
    /// changes, so this is done before the task is changed, and once.
    async fn checked(&self, id: &str, output: TaskOutput) -> Result<TaskOutput, TaskError> {
        let record = self.find(id).await?;
        if record.status.is_final() {
            // It is not looked at.
            return Ok(output);
        }
        if let TaskOutput::Custom(object) = &output {
            // Before it is read: who reads it says only that it is too much.
            self.within_depth(|| json::check_depth(object))?.map_err(TaskError::Output)?;
        }
        self.expected(&record.origin, output).await
    }

    /// Refuses what is no JSON or too much of it, be it a result or an error: no store could keep it.
    fn fits(&self, outcome: &impl Serialize, limit: usize) -> Result<(), TaskError> {
        let written = self.within_depth(|| serde_json::to_vec(outcome))?;
        match written.map_err(|error| TaskError::Output(error.to_string()))?.len() {
            size if size > limit => Err(TaskError::OutputTooLarge { size, limit }),
            _ => Ok(()),
        }
    }

    fn within_depth<T>(&self, work: impl FnOnce() -> T) -> Result<T, TaskError> {
        let limit = self.json_depth.load(Ordering::Relaxed);
        match json::within(limit, work) {
            (done, false) => Ok(done),
            (_, true) => Err(TaskError::OutputTooDeep { limit }),
        }
    }

    /// Ends a task as `cancelled`, and whatever works on it here before this returns; elsewhere soon after.
    /// [basic/utilities/tasks, Task Cancellation]
    ///
    /// # Errors
    /// [`TaskError::Final`] when the task has ended, [`TaskError::NotFound`], or a failing store.
    pub async fn cancel(&self, id: &str) -> Result<Task, TaskError> {
        // First the status, then the work: what it stores from now on meets a task that is final.
        let cancelled = |record: &mut TaskRecord| {
            record.status = TaskStatus::Cancelled;
            record.status_message = None;
            Ok(Some(Err(TaskError::cancelled())))
        };
        let task = self.change(id, TaskOperation::Cancel, Actor::default(), cancelled).await?;
        self.worker.stop(id).await;
        Ok(task)
    }

    /// Waits until a task is final and gives what it ended with. [basic/utilities/tasks, Result Retrieval]
    ///
    /// # Errors
    /// [`TaskError::NotFound`], also when the task expires meanwhile, or a failing store.
    pub async fn wait(&self, id: &str) -> Result<Outcome, TaskError> {
        self.wait_for_end(id).await?;
        self.outcome(id).await
    }

    /// Returns the outcome of a task.
    pub(crate) async fn outcome(&self, id: &str) -> Result<Outcome, TaskError> {
        let outcome = self.store.outcome(self.mine(), id).await?;
        outcome.ok_or(TaskError::NotFound { operation: TaskOperation::Retrieve })
    }

    /// Waits until a task has ended.
    pub(crate) async fn wait_for_end(&self, id: &str) -> Result<(), TaskError> {
        loop {
            let record = self.find(id).await?;
            if record.status.is_final() {
                return Ok(());
            }
            let left = record.expires_at().duration_since(Timestamp::now()).unsigned_abs();
            let change = polled::outside(self.store.changed(id, record.version));
            // Past its time to live the task is gone, which the next round finds out.
            if let Ok(changed) = tokio::time::timeout(left, change).await {
                changed?;
            }
        }
    }

    /// Takes one more request about tasks, which counts.
    ///
    /// # Errors
    /// [`TaskError::TooOften`].
    pub(crate) fn admit(&self) -> Result<(), TaskError> {
        self.limits.rate.refuses(&self.principal).map_or(Ok(()), |limit| Err(TaskError::TooOften { limit }))
    }

    /// Removes what has expired. [basic/utilities/tasks, Resource Management]
    pub(super) async fn sweep(&self) -> Result<(), TaskError> {
        self.limits.rate.tidy();
        loop {
            let removed = self.store.remove_expired(Timestamp::now()).await?;
            if let Some(audit) = &self.audit {
                removed.iter().for_each(|record| audit.task("expired", record));
            }
            if removed.is_empty() {
                return Ok(());
            }
        }
    }

    pub(super) fn mine(&self) -> PrincipalFilter<'_> {
        PrincipalFilter::Of(&self.principal)
    }

    pub(super) async fn find(&self, id: &str) -> Result<TaskRecord, TaskError> {
        self.find_for(TaskOperation::Retrieve, id).await
    }

    async fn find_for(&self, operation: TaskOperation, id: &str) -> Result<TaskRecord, TaskError> {
        let record = self.store.get(self.mine(), id).await?;
        record.filter(|record| record.expires_at() > Timestamp::now()).ok_or(TaskError::NotFound { operation })
    }

    /// Changes a task that is not final. Tries again when somebody else changed it in between.
    async fn change(
        &self,
        id: &str,
        operation: TaskOperation,
        by: Actor<'_>,
        apply: impl Fn(&mut TaskRecord) -> Result<Option<Outcome>, TaskError> + Send,
    ) -> Result<Task, TaskError> {
        let turn = id.bytes().fold(0usize, |sum, byte| sum.wrapping_add(byte.into())) % self.turns.len();
        let _turn = match self.turns.get(turn) {
            Some(turn) => Some(turn.lock().await),
            None => None,
        };
        // An unknown id is the failure of a retrieval in the reference, unless the task was to be cancelled.
        let lookup = match operation {
            TaskOperation::Cancel => operation,
            TaskOperation::Retrieve | TaskOperation::Change => TaskOperation::Retrieve,
        };
        loop {
            let mut record = self.find_for(lookup, id).await?;
            if record.status.is_final() {
                return Err(TaskError::Final { status: record.status, operation });
            }
            let seen = record.version;
            let outcome = apply(&mut record)?;
            record.version = seen.saturating_add(1);
            // A clock may jump back; a task was never changed before it last was.
            record.updated_at = record.updated_at.max(Timestamp::now());
            let task = record.task();
            let audited = self.audit.as_ref().map(|audit| (audit, record.clone()));
            // There is always room for the error that ends a task, or the task could not end.
            let always = outcome.as_ref().is_none_or(|outcome| outcome.as_ref().is_err_and(is_small));
            let room = if always { u64::MAX } else { self.limits.total_size };
            let change = Transition { record, seen, outcome, lease: by.lease.cloned(), room };
            match self.store.transition(change).await? {
                StoreOutcome::Applied => {}
                StoreOutcome::Conflict => continue,
                StoreOutcome::Fenced => return Err(TaskError::LeaseLost { limit: self.limits.lease }),
                StoreOutcome::Full => return Err(self.full(Full::Bytes)),
            }
            if let Some((audit, record)) = audited {
                audit.task("changed", &record);
            }
            if task.status.is_final() {
                telemetry::task_ended(task.status);
            }
            if !by.quiet {
                (self.on_change)(&task);
            }
            return Ok(task);
        }
    }
}

/// A task that is being stored. When its creation is dropped, because the request was cancelled, the store may have it
/// all the same: it is removed, for nobody hears of it, and its work would be leased to a worker that never begins it.
struct CreateGuard<'a> {
    tasks: &'a Tasks,
    id: Option<String>,
}

impl CreateGuard<'_> {
    fn disarm(mut self) {
        self.id = None;
    }
}

impl Drop for CreateGuard<'_> {
    fn drop(&mut self) {
        // Without a runtime the process is ending, and the lease of the work with it.
        let (Some(id), Ok(runtime)) = (self.id.take(), tokio::runtime::Handle::try_current()) else { return };
        let (store, principal) = (Arc::clone(&self.tasks.store), Arc::clone(&self.tasks.principal));
        runtime.spawn(async move {
            if let Err(error) = store.remove(PrincipalFilter::Of(&principal), &id).await {
                tracing::warn!(task.id = id, %error, "a task that nobody asked for any more could not be removed");
            }
        });
    }
}

impl TaskStatus {
    /// Whether the status never changes again. [basic/utilities/tasks, Task Status Lifecycle]
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// The status as it is on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::InputRequired => "input_required",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Whether an error is as small as those of the host's own.
fn is_small(error: &RpcError) -> bool {
    error.message.len().saturating_add(error.data.as_ref().map_or(0, String::len)) <= MAX_OWN_ERROR
}

fn shortened(message: &str) -> String {
    message.chars().take(MAX_STATUS_MESSAGE).collect()
}
