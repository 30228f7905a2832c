//! Where tasks are kept: the trait that every back end keeps.
//!
//! The trait knows no rule of MCP: those stand in [`Tasks`](super::Tasks), once for all back ends. What it does know
//! is what several hosts over one store need. A record is replaced only by whoever saw its last version. Work is
//! done by whoever holds the newest lease. And nothing is said in terms of this process: a task may be created
//! by one host, worked on by a second and cancelled by a third.
//!
//! A worker holds all its leases for one time, which it renews in one step: the cost of staying alive does not grow
//! with the number of tasks it works on. The time is measured by the store's own clock, since hosts' clocks differ.
//!
//! `contract` is the suite that every back end passes (feature `contract`).

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::record::{Claim, Full, Job, Lease, NewTask, Outcome, Room, StoreOutcome, TaskRecord, Transition};

/// The store could not do it; the text is for the operator, not for the peer.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);

/// Whose tasks are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrincipalFilter<'a> {
    /// Those of one principal: every request is served with this.
    Of(&'a str),
    /// All: for the operator's tools, never for a request.
    Anyone,
}

impl PrincipalFilter<'_> {
    /// Whether a principal's tasks are meant.
    #[must_use]
    pub fn includes(self, principal: &str) -> bool {
        match self {
            Self::Of(owner) => owner == principal,
            Self::Anyone => true,
        }
    }
}

/// Where tasks are kept.
///
/// Each call is one step for all who share the store: it happens whole or not at all, and what it answered with is
/// durable if the store is. Dropping a call's future may or may not undo it.
#[async_trait]
pub trait TaskStore: Send + Sync + 'static {
    /// The secret that cursors are signed with: random, made once for the store, the same for all who share it.
    async fn secret(&self) -> Result<[u8; 32], StoreError>;

    /// Stores a new task and gives its place. Where its principal has no such `room`, nothing is stored. A job is
    /// stored and leased to its worker in the same step, with fence 1.
    async fn create(&self, task: NewTask, room: Room) -> Result<Result<u64, Full>, StoreError>;

    /// Says that the requestors of reserved tasks are about to be told of them, so that they stay without a job.
    /// Nothing happens to a task that this worker has not reserved, or has no more.
    async fn confirm(&self, ids: &[String], worker: &str) -> Result<(), StoreError>;

    /// Finds a task; one that has expired may still be found.
    async fn get(&self, filter: PrincipalFilter<'_>, id: &str) -> Result<Option<TaskRecord>, StoreError>;

    /// What a task ended with; none when it has not ended, or is gone.
    async fn outcome(&self, filter: PrincipalFilter<'_>, id: &str) -> Result<Option<Outcome>, StoreError>;

    /// Puts a record in the place of the one that it was made from. Where that is of another version by now, nothing
    /// changes. A final status removes the task's job.
    async fn transition(&self, change: Transition) -> Result<StoreOutcome, StoreError>;

    /// The tasks after a place (all when none), in the order of creation, `limit` at most.
    async fn list(
        &self,
        filter: PrincipalFilter<'_>,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<TaskRecord>, StoreError>;

    /// Waits until a task is of another version than `seen`, or gone, whoever changed it. May return early.
    async fn changed(&self, id: &str, seen: u64) -> Result<(), StoreError>;

    /// Removes a task with all that belongs to it; says whether it was there.
    async fn remove(&self, filter: PrincipalFilter<'_>, id: &str) -> Result<bool, StoreError>;

    /// Removes tasks that have expired by `now`, and those that a worker reserved whose time has run out or who has
    /// resigned; some hundreds at a time at most. Gives them. Called often: must be cheap when there is nothing to do.
    async fn remove_expired(&self, now: Timestamp) -> Result<Vec<TaskRecord>, StoreError>;

    /// Gives a worker time from now on. False when the worker was known and its time has run out: what it held may
    /// be another's by now, so it must stop, and come back under another name.
    async fn renew(&self, worker: &str, time: Duration) -> Result<bool, StoreError>;

    /// Adds the job of a task that has none and has not ended, leased to a worker with fence 1. None when the task is
    /// gone, has ended, has a job, or is reserved by another worker. `room` is that of [`Room::bytes`].
    async fn enqueue(
        &self,
        filter: PrincipalFilter<'_>,
        id: &str,
        job: &Job,
        worker: &str,
        room: u64,
    ) -> Result<Result<Option<Lease>, Full>, StoreError>;

    /// Leases jobs of a principal to a worker, the oldest first, `limit` at most: those that nobody holds, and those
    /// whose worker's time has run out. Nothing when this worker's own time has run out.
    async fn claim(&self, principal: &str, worker: &str, limit: usize) -> Result<Vec<Claim>, StoreError>;

    /// Gives a lease back: the job can be claimed. Nothing happens when it is not the newest.
    async fn release(&self, lease: &Lease) -> Result<(), StoreError>;

    /// Forgets a worker and gives all its leases back.
    async fn resign(&self, worker: &str) -> Result<(), StoreError>;
}
