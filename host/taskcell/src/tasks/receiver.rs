//! Rules of a receiver of tasks, over a store. [basic/utilities/tasks, Behavior Requirements]

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

/// Characters of a status message that are kept. The message goes out with every response about the task.
const MAX_STATUS_MESSAGE: usize = 1_000;

/// Bytes of an error as JSON that are always accepted, so that the host's own errors fit.
const MAX_OWN_ERROR: usize = 64 << 10;

/// Callback that receives each changed task after the change is stored.
pub type OnChange = Box<dyn Fn(&Task) + Send + Sync>;

/// Tasks of one principal.
pub struct Tasks {
    pub(super) store: Arc<dyn TaskStore>,
    pub(super) principal: Arc<str>,
    pub(super) limits: TaskLimits,
    json_depth: AtomicUsize,
    pub(super) audit: Option<Arc<AuditLog>>,
    pub(super) worker: Worker,
    on_change: OnChange,
    /// Locks that keep changes of one task, and the reports of these changes, in order. Several tasks share a lock.
    turns: [Mutex<()>; 64],
    secret: OnceCell<[u8; 32]>,
    pub(super) aside: Aside,
}

/// Parameters of a new task.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CreateOptions {
    /// Wishes of the requestor.
    pub metadata: TaskMetadata,
    /// Interval in milliseconds at which the requestor should poll. None for the default.
    pub poll_interval: Option<u32>,
    /// First status message.
    pub status_message: Option<String>,
    /// Request and handler that the task is created from.
    pub origin: Arc<TaskOrigin>,
}

impl CreateOptions {
    /// Creates options for a task from `origin` with the wishes of its requestor, the default poll interval and no
    /// status message.
    #[must_use]
    pub fn new(metadata: TaskMetadata, origin: Arc<TaskOrigin>) -> Self {
        Self { metadata, poll_interval: None, status_message: None, origin }
    }
}

/// Author of a change, and whether the change is reported. By default the change needs no lease and is reported.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Actor<'a> {
    /// Whether to leave out the report to the requestor, which does not know the id of a task before its creation is
    /// answered.
    pub quiet: bool,
    /// Lease of the work that makes the change. The change is refused when the lease is not the newest of the task.
    pub lease: Option<&'a Lease>,
}

impl<'a> Actor<'a> {
    /// Returns the actor that changes a task as the holder of `lease`.
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
    /// Creates the tasks of `principal` in `store`. `on_change` is called after each change that is made through this
    /// value, on the thread that makes the change, and must not block.
    #[must_use]
    pub fn new(store: Arc<dyn TaskStore>, principal: &str, limits: TaskLimits, on_change: OnChange) -> Self {
        let (principal, worker) = (Arc::from(principal), Worker::default());
        let turns = [const { Mutex::const_new(()) }; 64];
        let (json_depth, audit, secret) = (AtomicUsize::new(json::MAX_DEPTH), None, OnceCell::new());
        Self { store, principal, limits, json_depth, audit, worker, on_change, turns, secret, aside: Aside::default() }
    }

    /// Sets the audit log.
    #[must_use]
    pub fn with_audit(mut self, audit: Option<Arc<AuditLog>>) -> Self {
        self.audit = audit;
        self
    }

    /// Sets the depth to which the JSON of a result may nest.
    pub(crate) fn set_json_depth(&self, limit: usize) {
        self.json_depth.store(limit, Ordering::Relaxed);
    }

    /// Creates a task in status `working`.
    ///
    /// # Errors
    /// [`TaskError::TooMany`] and [`TaskError::NoRoom`] at the limits, [`TaskError::Store`] when the store fails.
    pub async fn create(&self, options: CreateOptions) -> Result<Task, TaskError> {
        self.store_new(self.new_record(options), Work::None).await
    }

    /// Creates a task that its requestor does not know yet. [`Tasks::confirm`] or [`Tasks::spawn`] must follow. When
    /// this host is lost before that, the next host removes the task.
    ///
    /// # Errors
    /// The errors of [`Tasks::create`].
    pub(crate) async fn reserve(&self, options: CreateOptions) -> Result<Task, TaskError> {
        let worker = self.worker.name(&self.store, self.limits.lease).await?;
        self.store_new(self.new_record(options), Work::Reserved { worker }).await
    }

    /// Keeps tasks that [`Tasks::reserve`] created and that have no work. Call this right before their requestor learns
    /// of them.
    ///
    /// # Errors
    /// [`TaskError::Store`] when the store fails.
    pub(crate) async fn confirm(&self, ids: &[String]) -> Result<(), TaskError> {
        if ids.is_empty() {
            return Ok(());
        }
        let worker = self.worker.name(&self.store, self.limits.lease).await?;
        Ok(self.store.confirm(ids, &worker).await?)
    }

    /// Creates a task in status `working` together with its work, in one step, so that neither is ever stored without
    /// the other. [`Tasks::start`] runs the work.
    ///
    /// # Errors
    /// The errors of [`Tasks::create`].
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
            // Expired tasks must not count against the limit, even if the sweeper has not removed them yet.
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

    /// Returns the number of tasks that the principal may have at once.
    pub(crate) fn max_tasks(&self) -> usize {
        self.limits.tasks
    }

    pub(super) fn full(&self, full: Full) -> TaskError {
        match full {
            Full::Tasks => TaskError::TooMany { limit: self.limits.tasks },
            Full::Bytes => TaskError::NoRoom { limit: self.limits.total_size },
        }
    }

    /// Returns a task.
    ///
    /// # Errors
    /// [`TaskError::NotFound`], and [`TaskError::Store`] when the store fails.
    pub async fn get(&self, id: &str) -> Result<Task, TaskError> {
        self.find(id).await.map(|record| record.task())
    }

    /// Returns one page of the tasks, the oldest first. [basic/utilities/tasks, Task Listing]
    ///
    /// # Errors
    /// [`TaskError::Cursor`], and [`TaskError::Store`] when the store fails.
    pub async fn list(&self, cursor: Option<&str>) -> Result<ListTasksResult, TaskError> {
        let secret = self.secret.get_or_try_init(|| self.store.secret()).await?;
        let read = |cursor| cursor::read(secret, &self.principal, cursor).ok_or(TaskError::Cursor);
        let mut after = cursor.map(read).transpose()?;
        let now = Timestamp::now();
        let mut records = Vec::new();
        // One task more than a page tells whether there is a next page. Expired tasks are left out.
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

    /// Sets the status message and a status that is not final.
    ///
    /// # Errors
    /// [`TaskError::Final`] when the task has ended, [`TaskError::NotAllowed`] for a final status,
    /// [`TaskError::NotFound`], [`TaskError::LeaseLost`], and [`TaskError::Store`] when the store fails.
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

    /// Ends a task with its result or its error.
    ///
    /// # Errors
    /// [`TaskError::Output`], [`TaskError::OutputTooDeep`] and [`TaskError::OutputTooLarge`] when the result does not
    /// fit the task's request, [`TaskError::NoRoom`], [`TaskError::Final`] when the task has ended,
    /// [`TaskError::NotFound`], [`TaskError::LeaseLost`], and [`TaskError::Store`] when the store fails. An error
    /// leaves the task unchanged.
    pub async fn finish(&self, id: &str, outcome: &Outcome, by: Actor<'_>) -> Result<Task, TaskError> {
        let outcome = match outcome {
            Ok(output) => Ok(self.checked(id, output.clone()).await?),
            Err(error) => Err(error.clone()),
        };
        self.change(id, TaskOperation::Change, by, |record| {
            match &outcome {
                Ok(output) => {
                    record.status = TaskStatus::Completed;
                    // The message describes the work, which is done.
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

    /// Returns the output as the result of the task's request, if it is valid for that request. The origin of a task
    /// never changes, so the check happens once and before the task is changed.
    async fn checked(&self, id: &str, output: TaskOutput) -> Result<TaskOutput, TaskError> {
        let record = self.find(id).await?;
        if record.status.is_final() {
            // The change that follows is refused anyway.
            return Ok(output);
        }
        if let TaskOutput::Custom(object) = &output {
            // Checked before the text is parsed, because the parser would not tell depth from other errors.
            self.within_depth(|| json::check_depth(object))?.map_err(TaskError::Output)?;
        }
        self.expected(&record.origin, output).await
    }

    /// Refuses a result or an error that cannot be written as JSON or is too large, because no store could keep it.
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

    /// Ends a task as `cancelled`. Work of the task in this process has stopped when this returns; in another process
    /// it stops soon after. [basic/utilities/tasks, Task Cancellation]
    ///
    /// # Errors
    /// [`TaskError::Final`] when the task has ended, [`TaskError::NotFound`], and [`TaskError::Store`] when the store
    /// fails.
    pub async fn cancel(&self, id: &str) -> Result<Task, TaskError> {
        // The status changes before the work stops, so that a result stored from now on meets a final task.
        let cancelled = |record: &mut TaskRecord| {
            record.status = TaskStatus::Cancelled;
            record.status_message = None;
            Ok(Some(Err(TaskError::cancelled())))
        };
        let task = self.change(id, TaskOperation::Cancel, Actor::default(), cancelled).await?;
        self.worker.stop(id).await;
        Ok(task)
    }

    /// Waits until a task is final and returns its outcome. [basic/utilities/tasks, Result Retrieval]
    ///
    /// # Errors
    /// [`TaskError::NotFound`], also when the task expires meanwhile, and [`TaskError::Store`] when the store fails.
    pub async fn wait(&self, id: &str) -> Result<Outcome, TaskError> {
        self.wait_for_end(id).await?;
        self.outcome(id).await
    }

    /// Returns the outcome of a task that has ended.
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
            // An expired task is gone, which the next iteration finds out.
            if let Ok(changed) = tokio::time::timeout(left, change).await {
                changed?;
            }
        }
    }

    /// Counts one more request about tasks against the rate limit.
    ///
    /// # Errors
    /// [`TaskError::TooOften`] when the request exceeds the limit.
    pub(crate) fn admit(&self) -> Result<(), TaskError> {
        self.limits.rate.refuses(&self.principal).map_or(Ok(()), |limit| Err(TaskError::TooOften { limit }))
    }

    /// Removes expired tasks. [basic/utilities/tasks, Resource Management]
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

    /// Changes a task that is not final. Tries again when another change came in between.
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
        // The reference calls an unknown id a failed retrieval, except when a task is cancelled.
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
            // A clock may jump back, but the time of the last change never does.
            record.updated_at = record.updated_at.max(Timestamp::now());
            let task = record.task();
            let audited = self.audit.as_ref().map(|audit| (audit, record.clone()));
            // An error that ends a task always has room; otherwise the task could not end.
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

/// Guard of a creation. A creation that is dropped, because its request was cancelled, may have been stored all the
/// same. The guard removes such a task: no requestor knows it, and its work would be leased to a worker that never
/// starts it.
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
        // Without a runtime the process is ending, and the lease of the work runs out.
        let (Some(id), Ok(runtime)) = (self.id.take(), tokio::runtime::Handle::try_current()) else { return };
        let (store, principal) = (Arc::clone(&self.tasks.store), Arc::clone(&self.tasks.principal));
        runtime.spawn(async move {
            if let Err(error) = store.remove(PrincipalFilter::Of(&principal), &id).await {
                tracing::warn!(task.id = id, %error, "a task that nobody asked for any more could not be removed");
            }
        });
    }
}

/// Whether an error is as small as the host's own errors.
fn is_small(error: &RpcError) -> bool {
    error.message.len().saturating_add(error.data.as_ref().map_or(0, String::len)) <= MAX_OWN_ERROR
}

fn shortened(message: &str) -> String {
    message.chars().take(MAX_STATUS_MESSAGE).collect()
}
