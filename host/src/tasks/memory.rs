//! Tasks in memory: gone with the process.
//!
//! One lock over three indexes (by id, by place in a principal's list, by expiry), each found in logarithmic time,
//! so that no operation grows with the number of tasks. The lock is never held across an await.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::watch;

use super::{Position, StoreError, TaskRecord, TaskStore};

/// A store that lives as long as the process.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    tasks: HashMap<String, Entry>,
    lists: HashMap<String, BTreeSet<Position>>,
    expiry: BTreeSet<(Timestamp, String)>,
}

#[derive(Debug)]
struct Entry {
    record: TaskRecord,
    /// The version, for those who wait for the next one. Dropped with the task, which wakes them too.
    version: watch::Sender<u64>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics under the lock; if it did, the indexes would still be whole enough to read.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn find(&self, principal: &str, id: &str) -> Option<&Entry> {
        self.tasks.get(id).filter(|entry| entry.record.principal == principal)
    }

    fn remove(&mut self, id: &str) {
        let Some(Entry { record, .. }) = self.tasks.remove(id) else { return };
        if let Some(list) = self.lists.get_mut(&record.principal) {
            list.remove(&record.position());
            if list.is_empty() {
                self.lists.remove(&record.principal);
            }
        }
    }
}

#[async_trait]
impl TaskStore for MemoryStore {
    async fn create(&self, record: TaskRecord) -> Result<(), StoreError> {
        let mut state = self.lock();
        state.expiry.insert((record.expires_at(), record.id.clone()));
        state.lists.entry(record.principal.clone()).or_default().insert(record.position());
        let version = watch::Sender::new(record.version);
        state.tasks.insert(record.id.clone(), Entry { record, version });
        Ok(())
    }

    async fn get(&self, principal: &str, id: &str) -> Result<Option<TaskRecord>, StoreError> {
        Ok(self.lock().find(principal, id).map(|entry| entry.record.clone()))
    }

    async fn replace(&self, record: TaskRecord, seen: u64) -> Result<bool, StoreError> {
        let mut state = self.lock();
        let Some(entry) = state.tasks.get_mut(&record.id) else { return Ok(false) };
        if entry.record.version != seen || entry.record.principal != record.principal {
            return Ok(false);
        }
        entry.version.send_replace(record.version);
        entry.record = record;
        Ok(true)
    }

    async fn list(
        &self,
        principal: &str,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Vec<TaskRecord>, StoreError> {
        let state = self.lock();
        let Some(list) = state.lists.get(principal) else { return Ok(Vec::new()) };
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let places = list.range((start, Bound::Unbounded)).take(limit);
        Ok(places.filter_map(|place| state.tasks.get(&place.id)).map(|entry| entry.record.clone()).collect())
    }

    async fn count(&self, principal: &str) -> Result<usize, StoreError> {
        Ok(self.lock().lists.get(principal).map_or(0, BTreeSet::len))
    }

    async fn changed(&self, principal: &str, id: &str, seen: u64) -> Result<(), StoreError> {
        let Some(mut version) = self.lock().find(principal, id).map(|entry| entry.version.subscribe()) else {
            return Ok(());
        };
        // An error says that the task is gone, which is a change.
        let _ = version.wait_for(|version| *version != seen).await;
        Ok(())
    }

    async fn remove_expired(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut state = self.lock();
        while let Some((at, _)) = state.expiry.first()
            && *at <= now
        {
            if let Some((_, id)) = state.expiry.pop_first() {
                state.remove(&id);
            }
        }
        Ok(())
    }
}
