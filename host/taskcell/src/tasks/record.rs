//! What is kept of a task: its record, what it ended with, and the work that is still to be done for it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::milliseconds;
use crate::protocol::types::{RequestContext, RpcError, Task, TaskInput, TaskOutput, TaskStatus};
use crate::validation::ExpectedResult;

/// What a task ended with: its result, or the error that stands for it.
pub type Outcome = Result<TaskOutput, RpcError>;

/// A task as it is kept. What it ended with is kept beside it, for it may be large and is asked for once.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskRecord {
    /// Whose task it is.
    pub principal: Arc<str>,
    /// The random id.
    pub id: String,
    /// Where it stands among all tasks of the store, in the order of creation. Given by the store; a clock is no
    /// order, for it may jump.
    pub sequence: u64,
    /// What it was made from.
    pub origin: Arc<TaskOrigin>,
    /// Where it stands.
    pub status: TaskStatus,
    /// More about the status, for people.
    pub status_message: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed; never before it was created.
    pub updated_at: Timestamp,
    /// How long it is kept from its creation.
    pub ttl: Duration,
    /// How often the requestor should ask, in milliseconds.
    pub poll_interval: u32,
    /// Grows by one with each change.
    pub version: u64,
}

/// What a task was made from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskOrigin {
    /// The kind of the request, by the name of its export, such as `augmented-sampling`.
    pub kind: String,
    /// The SHA-256 digest of the component that took it, in hexadecimal; `native` for a closure of the application.
    pub handler: String,
    /// What its result has to be.
    #[serde(default)]
    pub expects: ExpectedResult,
}

/// The work that is still to be done for a task, with all that it needs to be done by another process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The kind of the request that it was spawned by, by the name of its export: whoever serves that kind can do it.
    pub kind: String,
    /// The request's context.
    pub context: RequestContext,
    /// What to do.
    pub input: TaskInput,
}

/// The right to work on a task, until the worker's time runs out or somebody else is given the right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The task.
    pub id: String,
    /// Who holds it.
    pub worker: String,
    /// Grows with each lease of this task, from one. A store takes a change only with the newest, so that a worker
    /// that was thought dead cannot write over its successor. It counts how often the work was begun, too.
    pub fence: u64,
}

/// Work with the right to do it.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The right.
    pub lease: Lease,
    /// How many workers were lost while they held this work: their time ran out. A worker that gives it back, as a host
    /// does that ends in good order, is not lost.
    pub lost: u32,
    /// The work.
    pub job: Arc<Job>,
}

/// A task to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTask {
    /// The task, of version 0. Its sequence is the store's to give.
    pub record: TaskRecord,
    /// Who is at work for the task.
    pub work: Work,
}

/// Who is at work for a new task. A worker must be known to the store by [`TaskStore::renew`].
///
/// [`TaskStore::renew`]: super::TaskStore::renew
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Work {
    /// Nobody. The task ends by a later request, or by its time to live.
    None,
    /// A worker that does this job.
    Leased {
        /// The job.
        job: Arc<Job>,
        /// The worker that holds the lease.
        worker: String,
    },
    /// A worker that still makes the task: the requestor was not told of the task yet. [`TaskStore::confirm`] or
    /// [`TaskStore::enqueue`] ends that. When the worker is lost before, the task is removed, for nobody knows it.
    ///
    /// [`TaskStore::confirm`]: super::TaskStore::confirm
    /// [`TaskStore::enqueue`]: super::TaskStore::enqueue
    Reserved {
        /// The worker that makes the task.
        worker: String,
    },
}

/// What the tasks of one principal may come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Tasks.
    pub tasks: usize,
    /// Bytes of what is kept of the tasks beside their records: [`TaskOrigin`], [`Job`] and [`Outcome`], as JSON.
    pub bytes: u64,
}

impl Room {
    /// Room for so many tasks of any size.
    #[must_use]
    pub fn for_tasks(tasks: usize) -> Self {
        Self { tasks, bytes: u64::MAX }
    }
}

/// Why a store has no room for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Full {
    /// The principal has [`Room::tasks`] tasks.
    Tasks,
    /// The principal's tasks would come to more than [`Room::bytes`].
    Bytes,
}

/// A change of a task.
#[derive(Debug, Clone, PartialEq)]
pub struct Transition {
    /// The task as it is to be, its version one more than `seen`.
    pub record: TaskRecord,
    /// The version that it was made from.
    pub seen: u64,
    /// What the task ended with; there when the status is final.
    pub outcome: Option<Outcome>,
    /// The lease under which it is made. Without one no lease is asked for.
    pub lease: Option<Lease>,
    /// Bytes that the principal's tasks may come to with this outcome: [`Room::bytes`]. A change that does not make
    /// them more is always taken.
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
    /// The task as its requestor sees it.
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

    /// When the task is gone.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.created_at.checked_add(self.ttl).unwrap_or(Timestamp::MAX)
    }
}
