//! A store that fails when it is told to.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use taskcell::tasks::{Full, Lease, Room, StoreError, StoreOutcome, Transition};

use super::*;

/// A store in front of another, of which some operations fail.
pub(super) struct Faulty {
    store: Store,
    broken: Mutex<BTreeSet<&'static str>>,
    /// Which operations failed, in their order.
    failed: Mutex<Vec<&'static str>>,
    /// Whether `create` stores its task and then never answers.
    stalls: AtomicBool,
}

impl Faulty {
    pub(super) fn new(store: &Store) -> Arc<Self> {
        Arc::new(Self {
            store: Arc::clone(store),
            broken: Mutex::default(),
            failed: Mutex::default(),
            stalls: AtomicBool::new(false),
        })
    }

    /// A store whose operations all fail.
    pub(super) fn altogether(store: &Store) -> Arc<Self> {
        let faulty = Self::new(store);
        faulty.breaks(&OPERATIONS);
        faulty
    }

    pub(super) fn breaks(&self, operations: &[&'static str]) {
        locked(&self.broken).extend(operations);
    }

    pub(super) fn repair(&self) {
        locked(&self.broken).clear();
    }

    /// Lets creations be stored and never answered.
    pub(super) fn stall(&self) {
        self.stalls.store(true, Ordering::SeqCst);
    }

    /// Waits until an operation has failed so often.
    pub(super) async fn failed(&self, operation: &str, times: usize) {
        until(|| async { locked(&self.failed).iter().filter(|failed| **failed == operation).count() >= times }).await;
    }

    /// The store, unless the operation is broken.
    fn may(&self, operation: &'static str) -> Result<&Store, StoreError> {
        if locked(&self.broken).contains(operation) {
            locked(&self.failed).push(operation);
            return Err(StoreError("/var/secret: disk full".to_owned()));
        }
        Ok(&self.store)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const OPERATIONS: [&str; 15] = [
    "secret",
    "create",
    "confirm",
    "get",
    "outcome",
    "transition",
    "list",
    "changed",
    "remove",
    "remove_expired",
    "renew",
    "enqueue",
    "claim",
    "release",
    "resign",
];

#[async_trait]
impl TaskStore for Faulty {
    async fn secret(&self) -> Result<[u8; 32], StoreError> {
        self.may("secret")?.secret().await
    }

    async fn create(&self, task: NewTask, room: Room) -> Result<Result<u64, Full>, StoreError> {
        let created = self.may("create")?.create(task, room).await;
        if self.stalls.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        created
    }

    async fn confirm(&self, ids: &[String], worker: &str) -> Result<(), StoreError> {
        self.may("confirm")?.confirm(ids, worker).await
    }

    async fn get(&self, filter: PrincipalFilter<'_>, id: &str) -> Result<Option<TaskRecord>, StoreError> {
        self.may("get")?.get(filter, id).await
    }

    async fn outcome(&self, filter: PrincipalFilter<'_>, id: &str) -> Result<Option<Outcome>, StoreError> {
        self.may("outcome")?.outcome(filter, id).await
    }

    async fn transition(&self, change: Transition) -> Result<StoreOutcome, StoreError> {
        self.may("transition")?.transition(change).await
    }

    async fn list(
        &self,
        filter: PrincipalFilter<'_>,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<TaskRecord>, StoreError> {
        self.may("list")?.list(filter, after, limit).await
    }

    async fn changed(&self, id: &str, seen: u64) -> Result<(), StoreError> {
        self.may("changed")?.changed(id, seen).await
    }

    async fn remove(&self, filter: PrincipalFilter<'_>, id: &str) -> Result<bool, StoreError> {
        self.may("remove")?.remove(filter, id).await
    }

    async fn remove_expired(&self, now: Timestamp) -> Result<Vec<TaskRecord>, StoreError> {
        self.may("remove_expired")?.remove_expired(now).await
    }

    async fn renew(&self, worker: &str, time: Duration) -> Result<bool, StoreError> {
        self.may("renew")?.renew(worker, time).await
    }

    async fn enqueue(
        &self,
        filter: PrincipalFilter<'_>,
        id: &str,
        job: &Job,
        worker: &str,
        room: u64,
    ) -> Result<Result<Option<Lease>, Full>, StoreError> {
        self.may("enqueue")?.enqueue(filter, id, job, worker, room).await
    }

    async fn claim(&self, principal: &str, worker: &str, limit: usize) -> Result<Vec<Claim>, StoreError> {
        self.may("claim")?.claim(principal, worker, limit).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.may("release")?.release(lease).await
    }

    async fn resign(&self, worker: &str) -> Result<(), StoreError> {
        self.may("resign")?.resign(worker).await
    }
}
