//! Keys and values in memory, which end with the process.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;

use super::quota::Held;
use super::{KeyValue, KeyValueError, Listed, Quota, sum};
use crate::support::lock;

/// Keys and values in memory.
#[derive(Debug, Default)]
pub struct MemoryKeyValue {
    quota: Quota,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By bucket and key.
    entries: BTreeMap<(String, String), Entry>,
    held: Held,
    /// The place of the newest key.
    last: u64,
}

#[derive(Debug)]
struct Entry {
    place: u64,
    value: Vec<u8>,
}

impl MemoryKeyValue {
    /// An empty store with this quota.
    #[must_use]
    pub fn new(quota: Quota) -> Self {
        Self { quota, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    fn value(&self, bucket: &str, key: &str) -> Option<&Vec<u8>> {
        self.entries.get(&(bucket.to_owned(), key.to_owned())).map(|entry| &entry.value)
    }

    fn set(&mut self, bucket: &str, key: &str, value: Vec<u8>, quota: &Quota) -> Result<(), KeyValueError> {
        let old = self.value(bucket, key).map(|value| value.len() as u64);
        let held = self.held.set(bucket, key, old, value.len() as u64);
        quota.change(self.held, held)?;
        self.held = held;
        match self.entries.entry((bucket.to_owned(), key.to_owned())) {
            std::collections::btree_map::Entry::Occupied(mut found) => found.get_mut().value = value,
            std::collections::btree_map::Entry::Vacant(free) => {
                self.last = self.last.saturating_add(1);
                free.insert(Entry { place: self.last, value });
            }
        }
        Ok(())
    }
}

#[async_trait]
impl KeyValue for MemoryKeyValue {
    fn quota(&self) -> &Quota {
        &self.quota
    }

    async fn get(&self, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, KeyValueError> {
        Ok(self.lock().value(bucket, key).cloned())
    }

    async fn set(&self, bucket: &str, key: &str, value: Vec<u8>) -> Result<(), KeyValueError> {
        self.lock().set(bucket, key, value, &self.quota)
    }

    async fn delete(&self, bucket: &str, key: &str) -> Result<bool, KeyValueError> {
        let mut state = self.lock();
        let Some(entry) = state.entries.remove(&(bucket.to_owned(), key.to_owned())) else { return Ok(false) };
        state.held = state.held.delete(bucket, key, entry.value.len() as u64);
        Ok(true)
    }

    async fn exists(&self, bucket: &str, key: &str) -> Result<bool, KeyValueError> {
        Ok(self.lock().value(bucket, key).is_some())
    }

    async fn list_keys(&self, bucket: &str, after: u64, most: usize) -> Result<Vec<Listed>, KeyValueError> {
        let state = self.lock();
        let of_bucket = state.entries.iter().filter(|((of, _), entry)| of == bucket && entry.place > after);
        let mut found: Vec<_> =
            of_bucket.map(|((_, key), entry)| Listed { key: key.clone(), place: entry.place }).collect();
        found.sort_by_key(|listed| listed.place);
        found.truncate(most);
        Ok(found)
    }

    async fn increment(&self, bucket: &str, key: &str, delta: u64) -> Result<u64, KeyValueError> {
        let mut state = self.lock();
        let (sum, digits) = sum(state.value(bucket, key).map(Vec::as_slice), delta)?;
        state.set(bucket, key, digits, &self.quota)?;
        Ok(sum)
    }
}
