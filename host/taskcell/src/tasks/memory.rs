//! Task store in memory. Its tasks are gone with the process.
//!
//! One lock covers several indexes: by id, by position in a principal's list, by expiry and by pending work. Each
//! lookup takes logarithmic time, so the cost of an operation hardly grows with the number of tasks. The lock is never
//! held across an await.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::watch;

use super::{
    Claim, Full, Job, Lease, NewTask, Outcome, PrincipalFilter, Room, StoreError, StoreOutcome, TaskRecord, TaskStore,
    Transition, Work, cursor, json_size,
};
use crate::support::lock;

/// Expired tasks that one step removes.
const AT_ONCE: usize = 500;

/// Longest time of a worker: longer than any process lives, and within the range of a clock.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Time for which a worker whose time ran out is remembered, so that it learns of that when it returns.
const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

/// Task store that lives as long as the process.
#[derive(Debug)]
pub struct MemoryStore {
    secret: [u8; 32],
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    tasks: HashMap<String, Entry>,
    /// All tasks, and the tasks of each principal, in the order of creation.
    all: BTreeMap<u64, String>,
    lists: HashMap<Arc<str>, BTreeMap<u64, String>>,
    expiry: BTreeSet<(Timestamp, String)>,
    /// Tasks of each principal with a job that no worker holds.
    free: HashMap<Arc<str>, BTreeMap<u64, String>>,
    workers: HashMap<String, Worker>,
    /// End of the time of each worker that may hold something.
    times: BTreeSet<(Instant, String)>,
    /// Past end of the time of each worker that has lost its leases.
    lost: BTreeSet<(Instant, String)>,
    /// Reserved tasks whose worker is gone. Their requestors do not know them.
    abandoned: BTreeSet<String>,
    /// Bytes of the data kept for each principal's tasks.
    held: HashMap<Arc<str>, u64>,
}

#[derive(Debug)]
struct Entry {
    record: TaskRecord,
    outcome: Option<Outcome>,
    job: Option<Arc<Job>>,
    /// Whether the requestor does not know the task yet and `worker` reserves it.
    reserved: bool,
    size: Sizes,
    /// Worker and fence of the newest lease. Without a worker the job is free.
    worker: Option<String>,
    fence: u64,
    /// Workers that were lost while they held the job.
    lost: u32,
    /// Version of the task, watched by those who wait for the next one. The sender is dropped with the task, which
    /// wakes them too.
    version: watch::Sender<u64>,
}

/// Bytes of the data kept for a task, as JSON.
#[derive(Debug, Clone, Copy, Default)]
struct Sizes {
    origin: u64,
    job: u64,
    outcome: u64,
}

impl Sizes {
    fn sum(self) -> u64 {
        self.origin.saturating_add(self.job).saturating_add(self.outcome)
    }
}

#[derive(Debug)]
struct Worker {
    until: Instant,
    holds: BTreeSet<String>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// Creates an empty store.
    #[must_use]
    pub fn new() -> Self {
        Self { secret: cursor::secret(), state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock. If any did, the indexes would still be consistent enough to read.
        lock(&self.state)
    }
}

impl State {
    fn find(&self, filter: PrincipalFilter<'_>, id: &str) -> Option<&Entry> {
        self.tasks.get(id).filter(|entry| filter.includes(&entry.record.principal))
    }

    fn remove(&mut self, id: &str) -> Option<TaskRecord> {
        self.drop_job(id);
        let Entry { record, size, .. } = self.tasks.remove(id)?;
        self.count(&record.principal, size.sum(), 0);
        self.all.remove(&record.sequence);
        self.expiry.remove(&(record.expires_at(), record.id.clone()));
        remove_from(&mut self.lists, &record);
        Some(record)
    }

    /// Returns the bytes of the data kept for a principal's tasks.
    fn held(&self, principal: &str) -> u64 {
        self.held.get(principal).copied().unwrap_or_default()
    }

    /// Replaces the size of one task, `before`, by `after` in the bytes of its principal.
    fn count(&mut self, principal: &Arc<str>, before: u64, after: u64) {
        let held = self.held(principal).saturating_sub(before).saturating_add(after);
        match held {
            0 => self.held.remove(principal),
            held => self.held.insert(Arc::clone(principal), held),
        };
    }

    /// Forgets the job or the reservation of a task, and the worker that holds it.
    fn drop_job(&mut self, id: &str) {
        let Some(entry) = self.tasks.get_mut(id) else { return };
        let reserved = std::mem::take(&mut entry.reserved);
        if entry.job.take().is_none() && !reserved {
            return;
        }
        let (principal, before) = (Arc::clone(&entry.record.principal), entry.size.sum());
        entry.size.job = 0;
        let after = entry.size.sum();
        match entry.worker.take() {
            Some(worker) => {
                if let Some(worker) = self.workers.get_mut(&worker) {
                    worker.holds.remove(id);
                }
            }
            None if reserved => {
                self.abandoned.remove(id);
            }
            None => remove_from(&mut self.free, &entry.record),
        }
        self.count(&principal, before, after);
    }

    /// Makes the job of a task available to claims. A reserved task has no job, so it is marked for removal.
    fn set_free(&mut self, id: &str) {
        let Some(entry) = self.tasks.get_mut(id) else { return };
        entry.worker = None;
        if entry.reserved {
            self.abandoned.insert(id.to_owned());
            return;
        }
        let TaskRecord { principal, sequence, .. } = &entry.record;
        self.free.entry(Arc::clone(principal)).or_default().insert(*sequence, id.to_owned());
    }

    /// Leases the job of a task to `worker`. The task must not be in the index of free jobs.
    fn lease(&mut self, id: &str, worker: &str) -> Option<Claim> {
        let entry = self.tasks.get_mut(id)?;
        let job = Arc::clone(entry.job.as_ref()?);
        entry.fence = entry.fence.saturating_add(1);
        let (fence, lost) = (entry.fence, entry.lost);
        self.hold(id, worker);
        Some(Claim { lease: Lease { id: id.to_owned(), worker: worker.to_owned(), fence }, lost, job })
    }

    /// Makes `worker` the holder of a task. A worker that has resigned meanwhile holds nothing, and is not remembered
    /// for it.
    fn hold(&mut self, id: &str, worker: &str) {
        match (self.tasks.get_mut(id), self.workers.get_mut(worker)) {
            (Some(entry), Some(holder)) => {
                entry.worker = Some(worker.to_owned());
                holder.holds.insert(id.to_owned());
                self.times.insert((holder.until, worker.to_owned()));
            }
            _ => self.set_free(id),
        }
    }

    fn forget_worker(&mut self, name: &str) {
        let Some(worker) = self.workers.remove(name) else { return };
        let time = (worker.until, name.to_owned());
        self.times.remove(&time);
        self.lost.remove(&time);
        for id in worker.holds {
            self.set_free(&id);
        }
    }

    /// Frees the tasks of workers whose time has run out. These workers stay known without holding anything, so that
    /// they learn of their loss when they renew their time.
    fn free_lost(&mut self, now: Instant) {
        while self.times.first().is_some_and(|(until, _)| *until <= now)
            && let Some((until, name)) = self.times.pop_first()
        {
            self.lost.insert((until, name.clone()));
            let holds = self.workers.get_mut(&name).map(|worker| std::mem::take(&mut worker.holds));
            for id in holds.unwrap_or_default() {
                if let Some(entry) = self.tasks.get_mut(&id).filter(|entry| !entry.reserved) {
                    entry.lost = entry.lost.saturating_add(1);
                }
                self.set_free(&id);
            }
        }
    }

    /// Forgets the workers whose time ran out long ago.
    fn forget_lost(&mut self, now: Instant) {
        let long_ago = |until: &Instant| now.saturating_duration_since(*until) >= REMEMBERED;
        while self.lost.first().is_some_and(|(until, _)| long_ago(until))
            && let Some((_, name)) = self.lost.pop_first()
        {
            self.forget_worker(&name);
        }
    }
}

/// Removes a task from an index by principal and sequence.
fn remove_from(index: &mut HashMap<Arc<str>, BTreeMap<u64, String>>, record: &TaskRecord) {
    if let Some(list) = index.get_mut(&record.principal) {
        list.remove(&record.sequence);
        if list.is_empty() {
            index.remove(&record.principal);
        }
    }
}

#[async_trait]
impl TaskStore for MemoryStore {
    async fn secret(&self) -> Result<[u8; 32], StoreError> {
        Ok(self.secret)
    }

    async fn create(&self, task: NewTask, room: Room) -> Result<Result<u64, Full>, StoreError> {
        let NewTask { mut record, work } = task;
        let (job, worker, reserved) = match work {
            Work::None => (None, None, false),
            Work::Leased { job, worker } => (Some(job), Some(worker), false),
            Work::Reserved { worker } => (None, Some(worker), true),
        };
        let mut size = Sizes { origin: json_size(&*record.origin)?, ..Sizes::default() };
        if let Some(job) = &job {
            size.job = json_size(&**job)?;
        }
        let mut state = self.lock();
        if state.tasks.contains_key(&record.id) {
            return Err(StoreError(format!("there is a task with the id {} already", record.id)));
        }
        let list = state.lists.get(&record.principal);
        if list.map_or(0, BTreeMap::len) >= room.tasks {
            return Ok(Err(Full::Tasks));
        }
        if state.held(&record.principal).saturating_add(size.sum()) > room.bytes {
            return Ok(Err(Full::Bytes));
        }
        state.count(&record.principal, 0, size.sum());
        state.last = state.last.saturating_add(1);
        let sequence = state.last;
        record.sequence = sequence;
        let id = record.id.clone();
        state.expiry.insert((record.expires_at(), id.clone()));
        state.all.insert(sequence, id.clone());
        state.lists.entry(Arc::clone(&record.principal)).or_default().insert(sequence, id.clone());
        let version = watch::Sender::new(record.version);
        let entry = Entry { record, outcome: None, job, reserved, size, worker: None, fence: 0, lost: 0, version };
        state.tasks.insert(id.clone(), entry);
        match worker {
            Some(worker) if reserved => state.hold(&id, &worker),
            Some(worker) => drop(state.lease(&id, &worker)),
            None => {}
        }
        Ok(Ok(sequence))
    }

    async fn confirm(&self, ids: &[String], worker: &str) -> Result<(), StoreError> {
        let mut state = self.lock();
        for id in ids {
            let reserved = |entry: &&Entry| entry.reserved && entry.worker.as_deref() == Some(worker);
            if state.tasks.get(id).filter(reserved).is_some() {
                state.drop_job(id);
            }
        }
        Ok(())
    }

    async fn get(&self, filter: PrincipalFilter<'_>, id: &str) -> Result<Option<TaskRecord>, StoreError> {
        Ok(self.lock().find(filter, id).map(|entry| entry.record.clone()))
    }

    async fn outcome(&self, filter: PrincipalFilter<'_>, id: &str) -> Result<Option<Outcome>, StoreError> {
        Ok(self.lock().find(filter, id).and_then(|entry| entry.outcome.clone()))
    }

    async fn transition(&self, change: Transition) -> Result<StoreOutcome, StoreError> {
        let Transition { record, seen, outcome, lease, room } = change;
        let outcome_size = outcome.as_ref().map(json_size).transpose()?.unwrap_or_default();
        let origin_size = json_size(&*record.origin)?;
        let mut state = self.lock();
        let held = state.held(&record.principal);
        let Some(entry) = state.tasks.get_mut(&record.id) else { return Ok(StoreOutcome::Conflict) };
        if entry.record.principal != record.principal {
            return Ok(StoreOutcome::Conflict);
        }
        if lease.is_some_and(|lease| entry.fence != lease.fence || entry.worker.as_ref() != Some(&lease.worker)) {
            return Ok(StoreOutcome::Fenced);
        }
        if entry.record.version != seen {
            return Ok(StoreOutcome::Conflict);
        }
        let over = record.status.is_final();
        let before = entry.size.sum();
        let job = if over { 0 } else { entry.size.job };
        let size = Sizes { origin: origin_size, job, outcome: outcome_size };
        if size.sum() > before && held.saturating_sub(before).saturating_add(size.sum()) > room {
            return Ok(StoreOutcome::Full);
        }
        entry.size = Sizes { job: entry.size.job, ..size };
        let counted = (Arc::clone(&record.principal), before, entry.size.sum());
        entry.version.send_replace(record.version);
        entry.outcome = outcome;
        let id = record.id.clone();
        let (before, after) = (entry.record.expires_at(), record.expires_at());
        entry.record = record;
        state.count(&counted.0, counted.1, counted.2);
        if before != after {
            state.expiry.remove(&(before, id.clone()));
            state.expiry.insert((after, id.clone()));
        }
        if over {
            state.drop_job(&id);
        }
        Ok(StoreOutcome::Applied)
    }

    async fn list(
        &self,
        filter: PrincipalFilter<'_>,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<TaskRecord>, StoreError> {
        let state = self.lock();
        let list = match filter {
            PrincipalFilter::Of(principal) => state.lists.get(principal),
            PrincipalFilter::Anyone => Some(&state.all),
        };
        let Some(list) = list else { return Ok(Vec::new()) };
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let places = list.range((start, Bound::Unbounded)).take(limit);
        Ok(places.filter_map(|(_, id)| state.tasks.get(id)).map(|entry| entry.record.clone()).collect())
    }

    async fn changed(&self, id: &str, seen: u64) -> Result<(), StoreError> {
        let Some(mut version) = self.lock().tasks.get(id).map(|entry| entry.version.subscribe()) else {
            return Ok(());
        };
        // An error means that the task is gone, which is a change.
        let _ = version.wait_for(|version| *version != seen).await;
        Ok(())
    }

    async fn remove(&self, filter: PrincipalFilter<'_>, id: &str) -> Result<bool, StoreError> {
        let mut state = self.lock();
        let there = state.find(filter, id).is_some();
        Ok(there && state.remove(id).is_some())
    }

    async fn remove_expired(&self, now: Timestamp) -> Result<Vec<TaskRecord>, StoreError> {
        let mut state = self.lock();
        state.free_lost(Instant::now());
        let mut removed = Vec::new();
        while removed.len() < AT_ONCE
            && let Some(id) = state.abandoned.pop_first()
        {
            removed.extend(state.remove(&id));
        }
        while removed.len() < AT_ONCE
            && let Some((at, id)) = state.expiry.first().cloned()
            && at <= now
        {
            state.expiry.pop_first();
            removed.extend(state.remove(&id));
        }
        Ok(removed)
    }

    async fn renew(&self, worker: &str, time: Duration) -> Result<bool, StoreError> {
        let mut state = self.lock();
        let now = Instant::now();
        let until = now.checked_add(time.min(LONGEST)).unwrap_or(now);
        let name = worker.to_owned();
        match state.workers.get_mut(worker) {
            Some(known) if known.until <= now => return Ok(false),
            Some(known) => {
                let before = (std::mem::replace(&mut known.until, until), name.clone());
                state.times.remove(&before);
            }
            None => {
                // Renewals are rare, so old workers are forgotten here.
                state.forget_lost(now);
                state.workers.insert(name.clone(), Worker { until, holds: BTreeSet::new() });
            }
        }
        state.times.insert((until, name));
        Ok(true)
    }

    async fn enqueue(
        &self,
        filter: PrincipalFilter<'_>,
        id: &str,
        job: &Job,
        worker: &str,
        room: u64,
    ) -> Result<Result<Option<Lease>, Full>, StoreError> {
        let size = json_size(job)?;
        let mut state = self.lock();
        let takes = |entry: &&Entry| {
            let makes = !entry.reserved || entry.worker.as_deref() == Some(worker);
            entry.job.is_none() && makes && !entry.record.status.is_final()
        };
        let Some(entry) = state.find(filter, id).filter(takes) else { return Ok(Ok(None)) };
        let (principal, before) = (Arc::clone(&entry.record.principal), entry.size.sum());
        if state.held(&principal).saturating_add(size) > room {
            return Ok(Err(Full::Bytes));
        }
        state.drop_job(id);
        if let Some(entry) = state.tasks.get_mut(id) {
            entry.job = Some(Arc::new(job.clone()));
            entry.size.job = size;
        }
        state.count(&principal, before, before.saturating_add(size));
        Ok(Ok(state.lease(id, worker).map(|claim| claim.lease)))
    }

    async fn claim(&self, principal: &str, worker: &str, limit: usize) -> Result<Vec<Claim>, StoreError> {
        let mut state = self.lock();
        let now = Instant::now();
        state.free_lost(now);
        if state.workers.get(worker).is_none_or(|worker| worker.until <= now) {
            return Ok(Vec::new());
        }
        let mut claims = Vec::new();
        while claims.len() < limit {
            let Some(free) = state.free.get_mut(principal) else { break };
            let Some((_, id)) = free.pop_first() else { break };
            claims.extend(state.lease(&id, worker));
        }
        if state.free.get(principal).is_some_and(BTreeMap::is_empty) {
            state.free.remove(principal);
        }
        Ok(claims)
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        let mut state = self.lock();
        let newest = |entry: &&Entry| entry.fence == lease.fence && entry.worker.as_ref() == Some(&lease.worker);
        if state.tasks.get(&lease.id).filter(newest).is_some() {
            if let Some(worker) = state.workers.get_mut(&lease.worker) {
                worker.holds.remove(&lease.id);
            }
            state.set_free(&lease.id);
        }
        Ok(())
    }

    async fn resign(&self, worker: &str) -> Result<(), StoreError> {
        self.lock().forget_worker(worker);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::types::TaskMetadata;
    use crate::tasks::contract::job;
    use crate::tasks::{CreateOptions, TaskLimits, Tasks};

    /// Workers that come and go in each test below.
    const MANY: usize = 100;

    fn options() -> CreateOptions {
        CreateOptions::new(TaskMetadata { ttl: None }, Arc::default())
    }

    fn tasks(store: &Arc<MemoryStore>) -> Tasks {
        let store = Arc::clone(store) as Arc<dyn TaskStore>;
        Tasks::new(store, "somebody", TaskLimits::default(), Box::new(|_| ()))
    }

    /// Work that is stored under the worker's name afterwards is free at once.
    #[tokio::test]
    async fn a_worker_that_has_resigned_is_not_kept() {
        let store = Arc::new(MemoryStore::new());
        for _ in 0..MANY {
            let name = uuid::Uuid::new_v4().to_string();
            assert!(store.renew(&name, LONGEST).await.unwrap());
            let task = tasks(&store).create(options()).await.unwrap();
            store.resign(&name).await.unwrap();
            store
                .enqueue(PrincipalFilter::Anyone, &task.task_id, &job(), &name, u64::MAX)
                .await
                .unwrap()
                .unwrap()
                .unwrap();
        }
        {
            let state = store.lock();
            assert_eq!((state.workers.len(), state.times.len()), (0, 0));
        }
        assert!(store.renew("next", LONGEST).await.unwrap());
        let claims = store.claim("somebody", "next", 2 * MANY).await.unwrap();
        assert_eq!(claims.len(), MANY);
        assert!(claims.iter().all(|claim| claim.lost == 0), "nobody was lost at it");
    }

    /// No worker would resign for that work any more.
    #[tokio::test]
    async fn work_that_is_stored_after_the_end_leaves_no_worker() {
        let store = Arc::new(MemoryStore::new());
        for _ in 0..MANY {
            let tasks = tasks(&store);
            tasks.close().await;
            tasks.create_with_work(options(), job()).await.unwrap();
            // Spawned futures of this thread run now.
            tokio::task::yield_now().await;
        }
        assert_eq!(store.lock().workers.len(), 0);
    }

    /// The worker learns of its loss for a day.
    #[tokio::test]
    async fn a_worker_that_is_lost_is_forgotten_in_the_end() {
        let store = MemoryStore::new();
        for number in 0..MANY {
            assert!(store.renew(&number.to_string(), Duration::ZERO).await.unwrap());
        }
        let now = Instant::now();
        store.lock().free_lost(now);
        store.lock().forget_lost(now);
        assert!(!store.renew("0", LONGEST).await.unwrap(), "it learns of it");
        store.lock().forget_lost(now + REMEMBERED);
        let state = store.lock();
        assert_eq!((state.workers.len(), state.times.len(), state.lost.len()), (0, 0, 0));
    }
}
