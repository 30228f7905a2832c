//! Stored data of a task: its record, its outcome and its pending work.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::milliseconds;
use crate::protocol::types::{RequestContext, RpcError, Task, TaskInput, TaskOutput, TaskStatus};
use crate::validation::ExpectedResult;

/// Outcome of a task: its result or its error.
pub type Outcome = Result<TaskOutput, RpcError>;

/// Record of a task. The outcome is stored beside it, because it may be large and is read once.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskRecord {
    /// Principal that owns the task.
    pub principal: Arc<str>,
    /// Random id.
    pub id: String,
    /// Position among all tasks of the store, in the order of creation. The store assigns it, because a clock may jump.
    pub sequence: u64,
    /// Request and handler that the task was created from.
    pub origin: Arc<TaskOrigin>,
    /// Current status.
    pub status: TaskStatus,
    /// Details of the status, for people.
    pub status_message: Option<String>,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Time of the last change, never before the creation.
    pub updated_at: Timestamp,
    /// Time to live, from the creation.
    pub ttl: Duration,
    /// Interval in milliseconds at which the requestor should poll.
    pub poll_interval: u32,
    /// Number of the version, which grows by one with each change.
    pub version: u64,
}

/// Request and handler that a task was created from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskOrigin {
    /// Kind of the request, by the name of its export, such as `augmented-sampling`.
    pub kind: String,
    /// SHA-256 digest of the component that accepted the request, in hexadecimal, or `native` for a closure of the
    /// application.
    pub handler: String,
    /// Kind of result that the request expects.
    #[serde(default)]
    pub expects: ExpectedResult,
}

/// Pending work of a task, with all data that another process needs to do it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Kind of the request that spawned the job, by the name of its export. Any host that serves this kind can do the
    /// job.
    pub kind: String,
    /// Context of the request.
    pub context: RequestContext,
    /// Input of the work.
    pub input: TaskInput,
}

/// Right to work on a task. It lasts until the worker's time runs out or another worker gets the right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Id of the task.
    pub id: String,
    /// Name of the worker that holds the lease.
    pub worker: String,
    /// Number of the lease among the leases of its task, from one. A store accepts changes only under the newest lease,
    /// so a worker that was thought dead cannot overwrite its successor. The number also counts how often the work was
    /// started.
    pub fence: u64,
}

/// Work with the right to do it.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// Right to do the work.
    pub lease: Lease,
    /// Number of workers whose time ran out while they held this work. A worker that gives the work back, as a host
    /// does on an orderly shutdown, does not count.
    pub lost: u32,
    /// Work to do.
    pub job: Arc<Job>,
}

/// Task to store.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTask {
    /// Record of the task, with version 0. The store assigns the sequence.
    pub record: TaskRecord,
    /// Work of the task.
    pub work: Work,
}

/// Work of a new task. The store must know the worker by [`TaskStore::renew`].
///
/// [`TaskStore::renew`]: super::TaskStore::renew
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Work {
    /// No work. A later request or the time to live ends the task.
    None,
    /// Job that a worker has leased.
    Leased {
        /// Job to do.
        job: Arc<Job>,
        /// Name of the worker that holds the lease.
        worker: String,
    },
    /// Reservation: the requestor does not know the task yet. [`TaskStore::confirm`] or [`TaskStore::enqueue`] ends the
    /// reservation. When the worker is lost before that, the store removes the task.
    ///
    /// [`TaskStore::confirm`]: super::TaskStore::confirm
    /// [`TaskStore::enqueue`]: super::TaskStore::enqueue
    Reserved {
        /// Name of the worker that reserves the task.
        worker: String,
    },
}

/// Limits on the tasks of one principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Largest number of tasks.
    pub tasks: usize,
    /// Bytes of the data kept beside the records: [`TaskOrigin`], [`Job`] and [`Outcome`], as JSON.
    pub bytes: u64,
}

impl Room {
    /// Creates limits for `tasks` tasks of any size.
    #[must_use]
    pub fn for_tasks(tasks: usize) -> Self {
        Self { tasks, bytes: u64::MAX }
    }
}

/// Limit that leaves no room in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Full {
    /// The principal has [`Room::tasks`] tasks.
    Tasks,
    /// The principal's tasks would exceed [`Room::bytes`].
    Bytes,
}

/// Change of a task.
#[derive(Debug, Clone, PartialEq)]
pub struct Transition {
    /// Record after the change, with a version of `seen` plus one.
    pub record: TaskRecord,
    /// Version that the change is based on.
    pub seen: u64,
    /// Outcome of the task, present when the status is final.
    pub outcome: Option<Outcome>,
    /// Lease under which the change is made. Without one, no lease is checked.
    pub lease: Option<Lease>,
    /// Bytes that the principal's tasks may have together with this outcome: [`Room::bytes`]. A change that does not
    /// increase them is always accepted.
    pub room: u64,
}

/// Result of a [`Transition`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreOutcome {
    /// The store holds the change.
    Applied,
    /// The task has another version by now, or is gone; the change is not stored.
    Conflict,
    /// The lease is not the newest of the task; the change is not stored.
    Fenced,
    /// The outcome exceeds [`Transition::room`]; the change is not stored.
    Full,
}

impl TaskRecord {
    /// Returns the task as its requestor sees it.
    #[must_use]
    pub fn task(&self) -> Task {
        Task {
            task_id: self.id.clone(),
            status: self.status,
            status_message: self.status_message.clone(),
            created_at: format!("{:.3}", self.created_at),
            last_updated_at: format!("{:.3}", self.updated_at),
            ttl: Some(milliseconds(self.ttl)),
            poll_interval: Some(self.poll_interval),
        }
    }

    /// Returns the time at which the task expires.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.created_at.checked_add(self.ttl).unwrap_or(Timestamp::MAX)
    }
}
