//! The background work of tasks: what runs, and how it is ended.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinHandle;

/// The work that is running, by task id.
#[derive(Debug, Default)]
pub(super) struct Work {
    running: Arc<Mutex<Running>>,
}

type Running = HashMap<String, JoinHandle<()>>;

impl Work {
    /// Starts work for a task, unless some is running: two would race for one result.
    pub(super) fn start<F>(&self, id: String, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut running = lock(&self.running);
        if running.contains_key(&id) {
            tracing::warn!(task.id = id, "work was spawned twice for one task; the second is not started");
            return;
        }
        let registry = Arc::downgrade(&self.running);
        let key = id.clone();
        // The lock is held until the handle is in, so the work cannot end before it is known.
        let handle = tokio::spawn(async move {
            work.await;
            if let Some(registry) = registry.upgrade() {
                lock(&registry).remove(&key);
            }
        });
        running.insert(id, handle);
    }

    /// Ends the work of a task and waits until it is dropped.
    pub(super) async fn stop(&self, id: &str) {
        let handle = lock(&self.running).remove(id);
        if let Some(handle) = handle {
            handle.abort();
            // The only error is the cancellation itself.
            let _ = handle.await;
        }
    }

    pub(super) fn stop_all(&self) {
        for (_, handle) in lock(&self.running).drain() {
            handle.abort();
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.stop_all();
    }
}

fn lock(running: &Mutex<Running>) -> MutexGuard<'_, Running> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}
