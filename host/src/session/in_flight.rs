//! The requests being served, so that `notifications/cancelled` finds them. [basic/utilities/cancellation]

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

#[derive(Debug, Default)]
pub(super) struct InFlight {
    /// By the JSON text of the id, which a server repeats as it wrote it.
    requests: Mutex<HashMap<String, oneshot::Sender<()>>>,
}

/// A request that is in flight as long as this lives.
pub(super) struct Entry<'a> {
    in_flight: &'a InFlight,
    id: &'a str,
    pub(super) cancelled: oneshot::Receiver<()>,
}

impl InFlight {
    pub(super) fn enter<'a>(&'a self, id: &'a str) -> Entry<'a> {
        let (cancel, cancelled) = oneshot::channel();
        self.lock().insert(id.to_owned(), cancel);
        Entry { in_flight: self, id, cancelled }
    }

    /// Cancels a request. One that has been answered already is not there, which is nobody's fault.
    pub(super) fn cancel(&self, id: &str) {
        if let Some(cancel) = self.lock().remove(id) {
            let _ = cancel.send(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, oneshot::Sender<()>>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.in_flight.lock().remove(self.id);
    }
}
