//! Cells that go on to the next request, for handlers that are slow to start.
//!
//! A fresh cell costs an interpreter a millisecond, and that is what a sandbox is for, so this is off unless the operator
//! says how many requests one instance may answer. Even then no two sessions share one: what a request leaves behind in
//! memory is seen at most by later requests of the same server. A cell that was ended by a trap or a limit, or has been
//! refused something within its limits, is not used again.
//!
//! A cell that waits for its next request has its place in the pool. When the places run out, a fresh cell takes
//! that of one that waits. When a handler is replaced, those of it that wait end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmtime::Store;
use wasmtime::component::Instance;

use super::component::Handler;
use crate::grants::{CellState, Owner};
use crate::sandbox::{EvictIdle, Place, Places};

/// A cell that has answered and may answer again.
pub(super) struct KeptCell {
    pub(super) store: Store<CellState>,
    pub(super) instance: Instance,
    /// Requests that it may still answer.
    pub(super) left: u32,
    pub(super) place: Place<Arc<Places>>,
}

/// The cells of a session that wait for its next request.
#[derive(Default)]
pub(crate) struct Kept(Arc<Waiting>);

/// Those of a session.
#[derive(Default)]
struct Waiting(Mutex<State>);

#[derive(Default)]
struct State {
    /// The handlers that may keep cells: those that serve, as far as they are reused.
    handlers: Vec<Arc<Owner>>,
    /// By handler, the oldest first.
    cells: Vec<(Arc<Owner>, KeptCell)>,
    /// How many of each handler: as there are processors, for more do not compute at once anyway. To ask for their number
    /// costs more than a request.
    most: usize,
}

impl Kept {
    /// Keeps cells of these handlers alone from now on. Those that wait and are of others end here; one that is running
    /// ends when its request does.
    pub(crate) fn serve<'a>(&self, handlers: impl Iterator<Item = &'a Arc<Handler>>) {
        let handlers: Vec<_> = handlers.filter(|handler| handler.reuse() > 1).collect();
        for handler in &handlers {
            handler.engine().may_evict(&self.0);
        }
        let mut waiting = self.0.lock();
        if !handlers.is_empty() && waiting.most == 0 {
            waiting.most = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        }
        waiting.handlers = handlers.iter().map(|handler| Arc::clone(handler.owner())).collect();
        let State { handlers, cells, .. } = &mut *waiting;
        let of_others = |(owner, _): &mut (Arc<Owner>, KeptCell)| !handlers.iter().any(|one| Arc::ptr_eq(one, owner));
        let ended: Vec<_> = cells.extract_if(.., of_others).collect();
        // To end a cell takes a while.
        drop(waiting);
        drop(ended);
    }

    /// A cell of the handler: the one that answered last, whose memory is still in the processor's caches.
    pub(super) fn take(&self, handler: &Handler) -> Option<KeptCell> {
        if handler.reuse() <= 1 {
            return None;
        }
        let cells = &mut self.0.lock().cells;
        let place = cells.iter().rposition(|(owner, _)| Arc::ptr_eq(owner, handler.owner()))?;
        Some(cells.remove(place).1)
    }

    /// Keeps a cell of the handler for its next request, unless it was replaced meanwhile.
    pub(super) fn put(&self, handler: &Handler, cell: KeptCell) {
        let owner = handler.owner();
        let mut waiting = self.0.lock();
        if !waiting.handlers.iter().any(|one| Arc::ptr_eq(one, owner)) {
            // To end a cell takes a while.
            drop(waiting);
            return;
        }
        let most = waiting.most;
        let cells = &mut waiting.cells;
        let of_handler = |(other, _): &(Arc<Owner>, KeptCell)| Arc::ptr_eq(other, owner);
        let full = cells.iter().filter(|entry| of_handler(entry)).count() >= most;
        let oldest = full.then(|| cells.iter().position(of_handler)).flatten();
        let oldest = oldest.map(|place| cells.remove(place));
        cells.push((Arc::clone(owner), cell));
        drop(waiting);
        drop(oldest);
    }
}

impl EvictIdle for Waiting {
    fn evict_one(&self) -> bool {
        let mut waiting = self.lock();
        let oldest = if waiting.cells.is_empty() { None } else { Some(waiting.cells.remove(0)) };
        drop(waiting);
        oldest.is_some()
    }
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
