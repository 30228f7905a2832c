//! Work of the tasks of one principal: storing, starting, keeping leases, and ending with the task.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::Instant;

use super::{Runner, Running};
use crate::protocol::types::RpcError;
use crate::support::lock;
use crate::tasks::{Actor, Claim, Job, Lease, Outcome, TaskError, TaskLimits, TaskOperation, TaskStore, Tasks};
use crate::telemetry::{Usage, limit_hit};

/// Pause between two sweeps of expired tasks.
const SWEEP: Duration = Duration::from_secs(1);
/// Longest pause before another attempt to store an outcome.
const MAX_PAUSE: Duration = Duration::from_secs(5);

impl Tasks {
    /// Keeps leases, removes expired tasks and does the work of stopped hosts, as long as both `self` and `runner`
    /// live. Does nothing outside of a tokio runtime, or when it was called before.
    pub fn keep(self: &Arc<Self>, runner: &Arc<impl Runner>) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let mut state = self.worker.lock();
        if state.keeper.is_none() && !state.stopped {
            let runner: Arc<dyn Runner> = Arc::clone(runner) as Arc<dyn Runner>;
            state.keeper = Some(runtime.spawn(keep(Arc::downgrade(self), Arc::downgrade(&runner))));
        }
    }

    /// Stores work for a task that has none and has not ended. [`Tasks::start`] runs the work.
    ///
    /// # Errors
    /// [`TaskError::NotFound`] when the task is gone, has ended or has work, [`TaskError::NoRoom`], and
    /// [`TaskError::Store`] when the store fails.
    pub async fn spawn(&self, id: &str, job: Job) -> Result<Claim, TaskError> {
        let worker = self.worker.name(&self.store, self.limits.lease).await?;
        let guard = EnqueueGuard { store: &self.store, lease: Some(Lease { id: id.to_owned(), worker, fence: 1 }) };
        let room = self.limits.total_size;
        let lease = self.store.enqueue(self.mine(), id, &job, guard.worker(), room).await?;
        guard.disarm();
        let lease =
            lease.map_err(|full| self.full(full))?.ok_or(TaskError::NotFound { operation: TaskOperation::Retrieve })?;
        Ok(Claim { lease, lost: 0, job: Arc::new(job) })
    }

    /// Runs claimed work. The work is dropped when its task is gone or ends by other means.
    pub fn start(self: &Arc<Self>, claim: Claim, runner: &Arc<impl Runner>) {
        self.start_any(claim, Arc::clone(runner) as Arc<dyn Runner>, false);
    }

    fn start_any(self: &Arc<Self>, claim: Claim, runner: Arc<dyn Runner>, recovered: bool) {
        let Lease { id, fence, .. } = claim.lease.clone();
        let mut state = self.worker.lock();
        if state.stopped {
            // The lease was given back with all others, or runs out.
            return;
        }
        let (tasks, wake) = (Arc::clone(self), Arc::clone(&self.worker.wake));
        let registry = Arc::downgrade(&self.worker.state);
        // The lock is held until the handle is stored, so the work cannot end before it is registered.
        let work = tokio::spawn(async move {
            work_on(&tasks, &claim, &*runner).await;
            if let Some(registry) = registry.upgrade() {
                lock(&registry).done(&claim.lease);
            }
            if recovered {
                wake.notify_one();
            }
        });
        if let Some(before) = state.running.insert(id, Running { work, fence, recovered }) {
            // The earlier work has lost its lease; otherwise this claim could not exist.
            before.work.abort();
        }
    }

    /// Stops all background work in this process for good. The tasks stay as they are, and the next host of this
    /// principal does their work.
    pub fn stop(&self) {
        let (_, name) = self.worker.stop_all();
        // Without a runtime the process is ending, and the leases run out by themselves.
        if let (Some(name), Ok(runtime)) = (name, tokio::runtime::Handle::try_current()) {
            let store = Arc::clone(&self.store);
            runtime.spawn(async move { store.resign(&name).await });
        }
    }

    /// Stops all background work like [`Tasks::stop`], and waits until it is stopped and its leases are given back.
    pub async fn close(&self) {
        let (ended, name) = self.worker.stop_all();
        for work in ended {
            let _ = work.await;
        }
        if let Some(name) = name
            && let Err(error) = self.store.resign(&name).await
        {
            tracing::warn!(%error, "unfinished work cannot be given back; it starts again when its lease ends");
        }
    }

    /// Renews the leases. When their time has run out, other workers may do the work by now, so it stops here. It also
    /// stops when the store does not answer for that long, because another worker that reaches the store has the work
    /// by then.
    async fn renew(&self) {
        let Some(name) = self.worker.lock().name.clone() else { return };
        let asked = Instant::now();
        let renewed = self.store.renew(&name, self.limits.lease).await;
        let mut state = self.worker.lock();
        match renewed {
            Ok(true) => state.until = asked.checked_add(self.limits.lease),
            Ok(false) => {
                tracing::warn!("the leases of background work ran out: it is stopped here and begun again");
                state.leave();
            }
            Err(error) => {
                tracing::warn!(%error, "the leases of background work could not be renewed");
                if state.until.is_some_and(|until| until <= Instant::now()) {
                    tracing::warn!("background work is stopped: its leases have run out by now");
                    state.leave();
                }
            }
        }
    }

    /// Does the work of this principal that stopped hosts left.
    async fn recover(self: &Arc<Self>, runner: &Arc<dyn Runner>) -> Result<(), TaskError> {
        let room = self.limits.recovered.saturating_sub(self.worker.recovered());
        if room == 0 {
            return Ok(());
        }
        let name = self.worker.name(&self.store, self.limits.lease).await?;
        for claim in self.store.claim(&self.principal, &name, room).await? {
            let Lease { id, fence, .. } = &claim.lease;
            tracing::info!(task.id = id, attempt = fence, "work that a stopped host left is begun again");
            self.start_any(claim, Arc::clone(runner), true);
        }
        Ok(())
    }

    /// Returns the version of a task that has not ended, or none when the task has ended or is gone.
    async fn unended(&self, id: &str) -> Option<u64> {
        loop {
            match self.find(id).await {
                Ok(record) => return Some(record.version).filter(|_| !record.status.is_final()),
                // A failing store says nothing about the task.
                Err(TaskError::Store(_)) => tokio::time::sleep(MAX_PAUSE).await,
                Err(_) => return None,
            }
        }
    }

    /// Waits until a task of this version has ended or is gone.
    async fn ended(&self, id: &str, mut version: u64) {
        loop {
            if self.store.changed(id, version).await.is_err() {
                tokio::time::sleep(MAX_PAUSE).await;
            }
            match self.unended(id).await {
                Some(next) => version = next,
                None => return,
            }
        }
    }

    /// Ends a task with the outcome of its work, however long the store takes.
    async fn settle(&self, lease: &Lease, mut outcome: Outcome) {
        let mut pause = Duration::from_millis(100);
        loop {
            match self.finish(&lease.id, &outcome, Actor::work(lease)).await {
                // Work whose result is refused has failed.
                Err(
                    error @ (TaskError::Output(_)
                    | TaskError::OutputTooLarge { .. }
                    | TaskError::OutputTooDeep { .. }
                    | TaskError::NoRoom { .. }),
                ) => outcome = Err(error.into()),
                Err(TaskError::Store(error)) => {
                    tracing::error!(task.id = lease.id, %error, "the outcome of a task cannot be stored; trying again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(MAX_PAUSE);
                }
                // The handler may have ended the task itself.
                _ => return,
            }
        }
    }
}

/// Guard of an enqueue. When the call is dropped or fails, the store may hold the work all the same, leased to a worker
/// that does not know it. The guard gives the lease back.
struct EnqueueGuard<'a> {
    store: &'a Arc<dyn TaskStore>,
    lease: Option<Lease>,
}

impl EnqueueGuard<'_> {
    fn worker(&self) -> &str {
        self.lease.as_ref().map_or("", |lease| &lease.worker)
    }

    fn disarm(mut self) {
        self.lease = None;
    }
}

impl Drop for EnqueueGuard<'_> {
    fn drop(&mut self) {
        if let (Some(lease), Ok(runtime)) = (self.lease.take(), tokio::runtime::Handle::try_current()) {
            let store = Arc::clone(self.store);
            runtime.spawn(async move { store.release(&lease).await });
        }
    }
}

/// Does claimed work, unless its task ends first.
async fn work_on(tasks: &Tasks, claim: &Claim, runner: &dyn Runner) {
    let attempts = tasks.limits.attempts.max(1);
    if claim.lost >= attempts {
        let message = format!("The host was lost each of the {attempts} times that it did this work");
        let usage = Usage { current: Some(claim.lost.into()), limit: attempts.into() };
        limit_hit::log("attempts", usage, None, &message, "work is not begun again");
        return tasks.settle(&claim.lease, Err(RpcError::internal("attempts", message))).await;
    }
    // The task is checked before the work starts: a user must not be asked on behalf of a cancelled task.
    let Some(version) = tasks.unended(&claim.lease.id).await else { return };
    let work = AssertUnwindSafe(runner.run(claim)).catch_unwind();
    tokio::select! {
        biased;
        () = tasks.ended(&claim.lease.id, version) => {
            tracing::info!(task.id = claim.lease.id, "work is stopped: its task has ended without it");
        }
        outcome = work => {
            // A bug of the host must not leave a task that never ends.
            let outcome = outcome.unwrap_or_else(|_| Err(RpcError::internal("panic", "The host failed")));
            tasks.settle(&claim.lease, outcome).await;
        }
    }
}

/// Loop of [`Tasks::keep`].
async fn keep(tasks: Weak<Tasks>, runner: Weak<dyn Runner>) {
    let Some(TaskLimits { lease, .. }) = tasks.upgrade().map(|tasks| tasks.limits.clone()) else { return };
    // Three chances to renew before the leases run out.
    let period = (lease / 3).max(Duration::from_millis(1));
    let (mut renew_at, mut claim_at) = (Instant::now(), Instant::now());
    loop {
        let wake = {
            let (Some(tasks), Some(runner)) = (tasks.upgrade(), runner.upgrade()) else { return };
            if let Err(error) = tasks.sweep().await {
                tracing::warn!(%error, "expired tasks could not be removed");
            }
            if renew_at <= Instant::now() {
                tasks.renew().await;
                renew_at = Instant::now() + period;
            }
            if claim_at <= Instant::now() {
                if let Err(error) = tasks.recover(&runner).await {
                    tracing::warn!(%error, "unfinished work could not be looked for");
                }
                claim_at = Instant::now() + period;
            }
            Arc::clone(&tasks.worker.wake)
        };
        // Nothing is held while waiting, so that the worker can end.
        if tokio::time::timeout(SWEEP.min(period), wake.notified()).await.is_ok() {
            claim_at = Instant::now();
        }
    }
}
