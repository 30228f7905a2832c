//! Trait of the task stores.
//!
//! The trait knows no rule of MCP: the rules stand in [`Tasks`](super::Tasks), once for all back ends. The trait covers
//! the needs of several hosts that share one store. A record is replaced only on the basis of its last version. Only
//! the holder of the newest lease does the work of a task. Nothing depends on one process: one host may create a task,
//! a second may work on it, and a third may cancel it.
//!
//! A worker renews the time of all its leases in one step, so the cost of staying alive does not grow with the number
//! of its tasks. The store measures the time by its own clock, because the clocks of hosts differ.
//!
//! `contract` is the suite that every back end passes (feature `contract`).

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::record::{Claim, Full, Job, Lease, NewTask, Outcome, Room, StoreOutcome, TaskRecord, Transition};

/// Failure of a store. The text is for the operator, not for the peer.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);

/// Selection of tasks by their principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrincipalFilter<'a> {
    /// Tasks of one principal. Every request uses this filter.
    Of(&'a str),
    /// Tasks of all principals: for the operator's commands, never for a request.
    Anyone,
}

impl PrincipalFilter<'_> {
    /// Whether the filter selects the tasks of `principal`.
    #[must_use]
    pub fn includes(self, principal: &str) -> bool {
        match self {
            Self::Of(owner) => owner == principal,
            Self::Anyone => true,
        }
    }
}

/// Store of tasks.
///
/// Each call is one step for all hosts that share the store: it happens as a whole or not at all, and its effect is
/// durable if the store is. Dropping the future of a call may or may not undo it.
#[async_trait]
pub trait TaskStore: Send + Sync + 'static {
    /// Returns the secret that signs cursors. It is random, created once for the store, and shared by all its hosts.
    async fn secret(&self) -> Result<[u8; 32], StoreError>;

    /// Stores a new task and returns its sequence, or stores nothing when the principal has no such `room`. In the same
    /// step a job is stored and leased to its worker with fence 1.
    async fn create(&self, task: NewTask, room: Room) -> Result<Result<u64, Full>, StoreError>;

    /// Ends the reservation of tasks, so that they stay without a job. Called right before their requestors learn of
    /// them. Tasks that this worker does not reserve are left alone.
    async fn confirm(&self, ids: &[String], worker: &str) -> Result<(), StoreError>;

    /// Returns the record of a task, possibly of an expired one.
    async fn get(&self, filter: PrincipalFilter<'_>, id: &str) -> Result<Option<TaskRecord>, StoreError>;

    /// Returns the outcome of a task, or none when the task has not ended or is gone.
    async fn outcome(&self, filter: PrincipalFilter<'_>, id: &str) -> Result<Option<Outcome>, StoreError>;

    /// Replaces a record by the changed one, unless the task has another version than the change is based on. A final
    /// status removes the task's job.
    async fn transition(&self, change: Transition) -> Result<StoreOutcome, StoreError>;

    /// Returns at most `limit` tasks in the order of creation: those with a sequence above `after`, or the first ones.
    async fn list(
        &self,
        filter: PrincipalFilter<'_>,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<TaskRecord>, StoreError>;

    /// Waits until a task has another version than `seen` or is gone, whichever host changed it. May return early.
    async fn changed(&self, id: &str, seen: u64) -> Result<(), StoreError>;

    /// Removes a task with all its data. Returns whether it existed.
    async fn remove(&self, filter: PrincipalFilter<'_>, id: &str) -> Result<bool, StoreError>;

    /// Removes tasks that have expired by `now`, and reserved tasks whose worker has resigned or has run out of time.
    /// Returns the removed tasks, some hundreds at most. The call is frequent and must be cheap when there is nothing
    /// to remove.
    async fn remove_expired(&self, now: Timestamp) -> Result<Vec<TaskRecord>, StoreError>;

    /// Extends the time of a worker to `time` from now. Returns false when the store knew the worker and its time has
    /// run out. Other workers may hold its leases by then, so it must stop and return under another name.
    async fn renew(&self, worker: &str, time: Duration) -> Result<bool, StoreError>;

    /// Adds a job to a task that has none and has not ended, and leases it to `worker` with fence 1. Returns none when
    /// the task is gone, has ended, has a job, or is reserved by another worker. `room` is the limit of
    /// [`Room::bytes`].
    async fn enqueue(
        &self,
        filter: PrincipalFilter<'_>,
        id: &str,
        job: &Job,
        worker: &str,
        room: u64,
    ) -> Result<Result<Option<Lease>, Full>, StoreError>;

    /// Leases at most `limit` jobs of a principal to a worker, the oldest first: jobs that no worker holds, and jobs
    /// whose worker's time has run out. Leases nothing when this worker's own time has run out.
    async fn claim(&self, principal: &str, worker: &str, limit: usize) -> Result<Vec<Claim>, StoreError>;

    /// Gives a lease back, so that the job can be claimed. Does nothing when the lease is not the newest of its task.
    async fn release(&self, lease: &Lease) -> Result<(), StoreError>;

    /// Forgets a worker and gives all its leases back.
    async fn resign(&self, worker: &str) -> Result<(), StoreError>;
}
