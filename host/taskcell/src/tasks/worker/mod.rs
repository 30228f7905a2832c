//! Background work: the work that runs in this process, its leases, and recovery after a stopped host.
//!
//! Work is stored and leased to this worker before the requestor learns of its task. So no work is lost with a killed
//! host: its leases run out, and another worker of the same principal (the same program, started again) does the work
//! from its start. Only workers of the same principal do so, because a session runs with the grants that were given for
//! its own server. Work of one server never runs with the rights of another's.
//!
//! A worker that could not renew its leases in time stops its work. If it stops too late, the store refuses its
//! changes, because it knows the newest lease of each task.

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

/// Worker function for the jobs of tasks.
#[async_trait]
pub trait Runner: Send + Sync + 'static {
    /// Does claimed work. The outcome ends the task, unless the task has ended by then. The future is dropped when the
    /// task is cancelled or gone, or when the lease is lost.
    async fn run(&self, claim: &Claim) -> Outcome;
}

/// Background work of this process for one principal.
#[derive(Debug, Default)]
pub(super) struct Worker {
    state: Arc<Mutex<State>>,
    /// Wakes the loop when recovered work is done, because there is room for the next piece then.
    wake: Arc<Notify>,
    registering: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    /// Name that holds the leases. None before the first lease, and after the time of the last name ran out.
    name: Option<String>,
    /// Time, by the clock of this host, until which the leases certainly belong to this worker.
    until: Option<Instant>,
    running: HashMap<String, Running>,
    keeper: Option<JoinHandle<()>>,
    /// Whether no more work starts.
    stopped: bool,
}

#[derive(Debug)]
struct Running {
    work: JoinHandle<()>,
    fence: u64,
    recovered: bool,
}

impl State {
    /// Forgets the name, and stops the work that runs under it.
    fn leave(&mut self) {
        self.name = None;
        self.running.drain().for_each(|(_, running)| running.work.abort());
    }

    /// Forgets finished work, unless its successor has replaced it by now.
    fn done(&mut self, lease: &Lease) {
        if self.running.get(&lease.id).is_some_and(|running| running.fence == lease.fence) {
            self.running.remove(&lease.id);
        }
    }
}

impl Worker {
    /// Returns the name under which the store knows this worker. The first call registers it.
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
        // A stopped worker has resigned before and would not resign this name.
        if !state.stopped {
            guard.name = None;
            (state.name, state.until) = (Some(name.clone()), asked.checked_add(lease));
        }
        Ok(name)
    }

    /// Stops the work of a task and waits until its future is dropped.
    pub(super) async fn stop(&self, id: &str) {
        let running = self.lock().running.remove(id);
        if let Some(Running { work, .. }) = running {
            work.abort();
            // The only possible error is the cancellation itself.
            let _ = work.await;
        }
    }

    /// Stops all work for good. Returns the handles to wait for, and the name whose leases remain.
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

/// Guard of a registration. When the registration is dropped or fails, or the worker has stopped meanwhile, the store
/// may know the name all the same, and would keep it for a day. The guard resigns it.
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
