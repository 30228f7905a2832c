//! Background work: what runs here, under which lease, and what a stopped host left.
//!
//! Work is stored before the requestor hears of its task, leased to this worker. So a host that is killed loses
//! nothing: its leases run out, and another worker of the same principal (the same program, started again) does the
//! work from its start. Only of the same principal, because a session runs with the grants that were given for its
//! own server: work of one server never runs with the rights of another's.
//!
//! A worker that could not renew its leases in time stops what it does. If it came too late for that, its changes are
//! refused by the store, which knows the newest lease of each task.

mod work;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{Claim, Lease, Outcome, TaskError, TaskStore};
use crate::support::lock;

/// Does the work of tasks.
#[async_trait]
pub trait Runner: Send + Sync + 'static {
    /// Does the work that is claimed. What it gives ends the task, unless it has ended by then. Dropped when the task
    /// is cancelled or gone, or the lease is lost.
    async fn run(&self, claim: &Claim) -> Outcome;
}

/// State of the running worker.
#[derive(Debug, Default)]
pub(super) struct Worker {
    state: Arc<Mutex<State>>,
    /// Wakes the loop: a piece of work that was left behind is done, so there is room for the next.
    wake: Arc<Notify>,
    registering: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    /// The name that leases are under; none before the first and after the time of the last ran out.
    name: Option<String>,
    /// Until when the leases are certainly this worker's, by the clock of this host.
    until: Option<Instant>,
    running: HashMap<String, Running>,
    keeper: Option<JoinHandle<()>>,
    /// Nothing is started any more.
    stopped: bool,
}

#[derive(Debug)]
struct Running {
    work: JoinHandle<()>,
    fence: u64,
    recovered: bool,
}

impl State {
    /// Forgets the name, and stops what was done under it.
    fn leave(&mut self) {
        self.name = None;
        self.running.drain().for_each(|(_, running)| running.work.abort());
    }

    /// Forgets work that is done, unless its successor stands in its place by now.
    fn done(&mut self, lease: &Lease) {
        if self.running.get(&lease.id).is_some_and(|running| running.fence == lease.fence) {
            self.running.remove(&lease.id);
        }
    }
}

impl Worker {
    /// The name under which the store knows this worker, which it is told at the first use.
    pub(super) async fn name(&self, store: &Arc<dyn TaskStore>, lease: Duration) -> Result<String, TaskError> {
        if let Some(name) = &self.lock().name {
            return Ok(name.clone());
        }
        let _one_at_a_time = self.registering.lock().await;
        if let Some(name) = &self.lock().name {
            return Ok(name.clone());
        }
        let (name, asked) = (uuid::Uuid::new_v4().to_string(), Instant::now());
        let mut guard = WorkerRegistrationGuard { store, name: Some(name.clone()) };
        store.renew(&name, lease).await?;
        let mut state = self.lock();
        // One that has stopped resigned before: nobody would do it for this name.
        if !state.stopped {
            guard.name = None;
            (state.name, state.until) = (Some(name.clone()), asked.checked_add(lease));
        }
        Ok(name)
    }

    /// Ends the work of a task and waits until it is dropped.
    pub(super) async fn stop(&self, id: &str) {
        let running = self.lock().running.remove(id);
        if let Some(Running { work, .. }) = running {
            work.abort();
            // The only error is the cancellation itself.
            let _ = work.await;
        }
    }

    /// Ends all work, and lets none begin; gives what is to be waited for, and the name whose leases are left.
    fn stop_all(&self) -> (Vec<JoinHandle<()>>, Option<String>) {
        let mut state = self.lock();
        state.stopped = true;
        let mut ended: Vec<_> = state.running.drain().map(|(_, running)| running.work).collect();
        ended.iter().for_each(JoinHandle::abort);
        if let Some(keeper) = state.keeper.take() {
            keeper.abort();
            ended.push(keeper);
        }
        (ended, state.name.take())
    }

    fn recovered(&self) -> usize {
        self.lock().running.values().filter(|running| running.recovered).count()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.stop_all();
    }
}

/// A name that the store is told. When that is dropped or fails, or the worker has stopped meanwhile, the store may
/// know it all the same, and would for a day: it resigns.
struct WorkerRegistrationGuard<'a> {
    store: &'a Arc<dyn TaskStore>,
    name: Option<String>,
}

impl Drop for WorkerRegistrationGuard<'_> {
    fn drop(&mut self) {
        if let (Some(name), Ok(runtime)) = (self.name.take(), tokio::runtime::Handle::try_current()) {
            let store = Arc::clone(self.store);
            runtime.spawn(async move { store.resign(&name).await });
        }
    }
}
