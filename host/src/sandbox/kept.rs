//! Cells that go on to the next request, for handlers that are slow to start.
//!
//! A fresh cell costs an interpreter a millisecond, and that is what a sandbox is for, so this is off unless the operator
//! says how many requests one instance may answer. Even then no two sessions share one: what a request leaves behind in
//! memory is seen at most by later requests of the same server. A cell that was ended by a trap or a limit, or has been
//! refused something within its limits, is not used again.
//!
//! A cell that waits for its next request has its place in the pool. When the places run out, a fresh cell takes
//! that of one that waits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use wasmtime::Store;
use wasmtime::component::Instance;

use super::cell::CellState;
use super::handler::Handler;
use super::places::{Place, Places};
use crate::grants::Owner;

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
pub(crate) struct Kept(Option<Arc<Waiting>>);

/// Those of a session.
pub(super) struct Waiting {
    /// By handler, the oldest first.
    cells: Mutex<Vec<(Arc<Owner>, KeptCell)>>,
    /// How many of each handler: as there are processors, for more do not compute at once anyway. To ask for their number
    /// costs more than a request.
    most: usize,
}

impl Kept {
    /// For a session with these handlers. Where none of them is reused there is nothing to keep.
    pub(crate) fn new<'a>(handlers: impl Iterator<Item = &'a Handler>) -> Self {
        let mut kept = Self::default();
        for handler in handlers.filter(|handler| handler.reuse() > 1) {
            let waiting = kept.0.get_or_insert_with(|| {
                let most = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
                Arc::new(Waiting { cells: Mutex::default(), most })
            });
            handler.engine().may_take_from(waiting);
        }
        kept
    }

    /// A cell of the handler: the one that answered last, whose memory is still in the processor's caches.
    pub(super) fn take(&self, handler: &Handler) -> Option<KeptCell> {
        let mut waiting = self.0.as_ref()?.lock();
        let place = waiting.iter().rposition(|(owner, _)| Arc::ptr_eq(owner, handler.owner()))?;
        Some(waiting.remove(place).1)
    }

    /// Keeps a cell of the handler for its next request.
    pub(super) fn put(&self, handler: &Handler, cell: KeptCell) {
        let Some(waiting) = &self.0 else { return };
        let (owner, most) = (handler.owner(), waiting.most);
        let mut waiting = waiting.lock();
        let of_handler = |(other, _): &(Arc<Owner>, KeptCell)| Arc::ptr_eq(other, owner);
        let full = waiting.iter().filter(|entry| of_handler(entry)).count() >= most;
        let oldest = full.then(|| waiting.iter().position(of_handler)).flatten();
        let oldest = oldest.map(|place| waiting.remove(place));
        waiting.push((Arc::clone(owner), cell));
        // To end a cell takes a while.
        drop(waiting);
        drop(oldest);
    }
}

impl Waiting {
    /// Ends the cell that has waited longest. False when there is none.
    pub(super) fn end_one(&self) -> bool {
        let mut waiting = self.lock();
        let oldest = if waiting.is_empty() { None } else { Some(waiting.remove(0)) };
        drop(waiting);
        oldest.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Arc<Owner>, KeptCell)>> {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sessions whose waiting cells an engine may end.
#[derive(Default)]
pub(super) struct Sessions(Mutex<Vec<Weak<Waiting>>>);

impl Sessions {
    pub(super) fn add(&self, waiting: &Arc<Waiting>) {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|session| session.strong_count() > 0);
        if !sessions.iter().any(|session| session.as_ptr() == Arc::as_ptr(waiting)) {
            sessions.push(Arc::downgrade(waiting));
        }
    }

    /// Ends a cell that waits. False when there is none.
    pub(super) fn end_one(&self) -> bool {
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sessions: Vec<_> = sessions.iter().filter_map(Weak::upgrade).collect();
        sessions.iter().any(|session| session.end_one())
    }
}
