//! Callers that wait for a task to change.
//!
//! The writer wakes them by id for changes of this process, and all of them when another process has changed the file.
//! A caller registers first and reads the database afterwards, so that it misses no change.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use tokio::sync::watch;

use crate::support::lock;

/// Registered waiters by task.
#[derive(Debug)]
pub(super) struct Watchers {
    /// Waiters by task id. None once the writer has ended.
    by_id: Mutex<Option<HashMap<String, watch::Sender<()>>>>,
    /// Whether any caller waits.
    any: watch::Sender<bool>,
}

/// Registration of one waiter, which ends on drop.
pub(super) struct Watching<'w> {
    watchers: &'w Watchers,
    id: &'w str,
    change: Option<watch::Receiver<()>>,
}

/// Guard that dismisses all waiters on drop.
pub(super) struct CloseOnDrop<'w>(&'w Watchers);

impl Watchers {
    pub(super) fn new() -> Self {
        Self { by_id: Mutex::new(Some(HashMap::new())), any: watch::Sender::new(false) }
    }

    /// Registers a waiter: it notices changes of the task from here on. Returns none when the writer has ended.
    pub(super) fn enter<'w>(&'w self, id: &'w str) -> Option<Watching<'w>> {
        let mut by_id = self.lock();
        let change = match by_id.as_mut()?.get(id) {
            Some(sender) => sender.subscribe(),
            None => {
                let (sender, receiver) = watch::channel(());
                by_id.as_mut()?.insert(id.to_owned(), sender);
                receiver
            }
        };
        self.any.send_replace(true);
        Some(Watching { watchers: self, id, change: Some(change) })
    }

    /// Returns as soon as any caller waits.
    pub(super) async fn wanted(&self) {
        // The sender lives in the same struct, so an error is impossible.
        let _ = self.any.subscribe().wait_for(|any| *any).await;
    }

    /// Wakes the waiters of these tasks.
    pub(super) fn wake(&self, ids: &[String]) {
        if let Some(by_id) = &*self.lock() {
            ids.iter().filter_map(|id| by_id.get(id)).for_each(|sender| {
                sender.send_replace(());
            });
        }
    }

    /// Wakes all waiters.
    pub(super) fn wake_all(&self) {
        if let Some(by_id) = &*self.lock() {
            by_id.values().for_each(|sender| {
                sender.send_replace(());
            });
        }
    }

    /// Returns a guard that dismisses all waiters on drop, because the writer will wake nobody any more.
    pub(super) fn close_on_drop(&self) -> CloseOnDrop<'_> {
        CloseOnDrop(self)
    }

    fn lock(&self) -> MutexGuard<'_, Option<HashMap<String, watch::Sender<()>>>> {
        // No code panics while it holds the lock. If any did, the map would still be consistent.
        lock(&self.by_id)
    }
}

impl Watching<'_> {
    /// Waits until the task may have changed since the registration or the last call. Returns false when no more
    /// changes will be reported.
    pub(super) async fn change(&mut self) -> bool {
        match &mut self.change {
            Some(change) => change.changed().await.is_ok(),
            None => false,
        }
    }
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        let mut by_id = self.watchers.lock();
        // The receiver is dropped before the remaining receivers are counted.
        self.change = None;
        let Some(by_id) = by_id.as_mut() else { return };
        if by_id.get(self.id).is_some_and(|sender| sender.receiver_count() == 0) {
            by_id.remove(self.id);
            self.watchers.any.send_replace(!by_id.is_empty());
        }
    }
}

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        *self.0.lock() = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_is_kept_who_has_left() {
        let watchers = Watchers::new();
        let (first, second) = (watchers.enter("a").unwrap(), watchers.enter("a").unwrap());
        drop(first);
        assert!(watchers.lock().as_ref().unwrap().contains_key("a"));
        drop(second);
        assert!(watchers.lock().as_ref().unwrap().is_empty());
        assert!(!*watchers.any.borrow());
    }

    #[tokio::test]
    async fn only_those_who_wait_for_it_are_woken() {
        let watchers = Watchers::new();
        let (mut a, mut b) = (watchers.enter("a").unwrap(), watchers.enter("b").unwrap());
        watchers.wake(&["a".to_owned()]);
        assert!(a.change().await);
        assert!(!b.change.as_mut().unwrap().has_changed().unwrap());
        watchers.wake_all();
        assert!(a.change().await && b.change().await);
    }

    #[tokio::test]
    async fn nobody_waits_for_a_writer_that_has_ended() {
        let watchers = Watchers::new();
        let mut a = watchers.enter("a").unwrap();
        drop(watchers.close_on_drop());
        assert!(!a.change().await);
        assert!(watchers.enter("a").is_none());
    }
}
