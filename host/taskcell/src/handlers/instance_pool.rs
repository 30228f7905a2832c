//! Cells that go on to the next request, for handlers that are slow to start.
//!
//! A fresh cell costs an interpreter a millisecond, and that is what a sandbox is for, so this is off unless the
//! operator says how many requests one instance may answer. Even then no two sessions share one: what a request leaves
//! behind in memory is seen at most by later requests of the same server. A cell that was ended by a trap or a limit,
//! or has been refused something within its limits, is not used again.
//!
//! A cell that waits for its next request has its place in the pool. When the places run out, a fresh cell takes
//! that of one that waits. When a handler is replaced, those of it that wait end.

use std::sync::{Arc, Mutex, MutexGuard};

use wasmtime::Store;
use wasmtime::component::Instance;

use super::component::Handler;
use crate::grants::{CellState, HandlerInfo};
use crate::sandbox::{EvictIdle, Permit, Permits};
use crate::support::lock;

/// A cell that has answered and may answer again.
pub(super) struct WarmInstance {
    pub(super) store: Store<CellState>,
    pub(super) instance: Instance,
    /// Requests that it may still answer.
    pub(super) left: u32,
    pub(super) permit: Permit<Arc<Permits>>,
}

/// The cells of a session that wait for its next request.
#[derive(Default)]
pub(crate) struct InstancePool(Arc<IdleInstances>);

/// Idle instances of a session.
#[derive(Default)]
struct IdleInstances(Mutex<State>);

#[derive(Default)]
struct State {
    /// The handlers that may keep cells: those that serve, as far as they are reused.
    handlers: Vec<Arc<HandlerInfo>>,
    /// By handler, the oldest first.
    cells: Vec<(Arc<HandlerInfo>, WarmInstance)>,
    /// Instances kept per handler: the number of processors, because more do not run at once anyway. Stored, because
    /// asking for the number costs more than a request.
    capacity: usize,
}

impl InstancePool {
    /// Keeps cells of these handlers alone from now on. Those that wait and are of others end here; one that is running
    /// ends when its request does.
    pub(crate) fn serve<'a>(&self, handlers: impl Iterator<Item = &'a Arc<Handler>>) {
        let handlers: Vec<_> = handlers.filter(|handler| handler.reuse() > 1).collect();
        for handler in &handlers {
            handler.engine().may_evict(&self.0);
        }
        let mut idle = self.0.lock();
        if !handlers.is_empty() && idle.capacity == 0 {
            idle.capacity = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        }
        idle.handlers = handlers.iter().map(|handler| Arc::clone(handler.info())).collect();
        let State { handlers, cells, .. } = &mut *idle;
        let of_others =
            |(info, _): &mut (Arc<HandlerInfo>, WarmInstance)| !handlers.iter().any(|one| Arc::ptr_eq(one, info));
        let ended: Vec<_> = cells.extract_if(.., of_others).collect();
        // To end a cell takes a while.
        drop(idle);
        drop(ended);
    }

    /// A cell of the handler: the one that answered last, whose memory is still in the processor's caches.
    pub(super) fn take(&self, handler: &Handler) -> Option<WarmInstance> {
        if handler.reuse() <= 1 {
            return None;
        }
        let cells = &mut self.0.lock().cells;
        let index = cells.iter().rposition(|(info, _)| Arc::ptr_eq(info, handler.info()))?;
        Some(cells.remove(index).1)
    }

    /// Keeps a cell of the handler for its next request, unless it was replaced meanwhile.
    pub(super) fn put(&self, handler: &Handler, cell: WarmInstance) {
        let info = handler.info();
        let mut idle = self.0.lock();
        if !idle.handlers.iter().any(|one| Arc::ptr_eq(one, info)) {
            // To end a cell takes a while.
            drop(idle);
            return;
        }
        let capacity = idle.capacity;
        let cells = &mut idle.cells;
        let of_handler = |(other, _): &(Arc<HandlerInfo>, WarmInstance)| Arc::ptr_eq(other, info);
        let full = cells.iter().filter(|entry| of_handler(entry)).count() >= capacity;
        let oldest = full.then(|| cells.iter().position(of_handler)).flatten();
        let oldest = oldest.map(|index| cells.remove(index));
        cells.push((Arc::clone(info), cell));
        drop(idle);
        drop(oldest);
    }
}

impl EvictIdle for IdleInstances {
    fn evict_one(&self) -> bool {
        let mut idle = self.lock();
        let oldest = if idle.cells.is_empty() { None } else { Some(idle.cells.remove(0)) };
        drop(idle);
        oldest.is_some()
    }
}

impl IdleInstances {
    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }
}
