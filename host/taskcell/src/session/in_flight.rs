//! Requests in progress, by which `notifications/cancelled` finds them. [basic/utilities/cancellation]
//!
//! Messages are handled concurrently, so a cancellation may overtake its request. A cancellation without a request is
//! therefore kept for a while, which is harmless because an id is used once in a session. [basic, Requests]

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard};

use tokio::sync::oneshot;

use crate::protocol::jsonrpc::MAX_ID;
use crate::support::lock;

/// Number of cancellations that are kept for requests yet to come.
const EARLY: usize = 64;

#[derive(Debug, Default)]
pub(super) struct InFlight {
    state: Mutex<State>,
}

/// Requests by the JSON text of their ids, which a server repeats exactly.
#[derive(Debug, Default)]
struct State {
    requests: HashMap<String, oneshot::Sender<()>>,
    early: VecDeque<String>,
}

impl State {
    /// Removes the cancellation that overtook a request; whether there was one.
    fn take_early(&mut self, id: &str) -> bool {
        let place = self.early.iter().position(|early| early == id);
        place.and_then(|place| self.early.remove(place)).is_some()
    }
}

/// Registration of a request in progress. Dropping it removes the request.
pub(super) struct RegistrationGuard<'a> {
    in_flight: &'a InFlight,
    id: &'a str,
    pub(super) cancelled: oneshot::Receiver<()>,
}

impl InFlight {
    /// Whether a request was cancelled before it came.
    pub(super) fn was_cancelled(&self, id: &str) -> bool {
        self.lock().take_early(id)
    }

    pub(super) fn enter<'a>(&'a self, id: &'a str) -> RegistrationGuard<'a> {
        let (cancel, cancelled) = oneshot::channel();
        let mut state = self.lock();
        if state.take_early(id) {
            let _ = cancel.send(());
        } else {
            state.requests.insert(id.to_owned(), cancel);
        }
        RegistrationGuard { in_flight: self, id, cancelled }
    }

    /// Cancels a request, now or when it comes. An id longer than [`MAX_ID`] is ignored, because no request has one.
    pub(super) fn cancel(&self, id: &str) {
        if id.len() > MAX_ID {
            return;
        }
        let mut state = self.lock();
        match state.requests.remove(id) {
            Some(cancel) => {
                let _ = cancel.send(());
            }
            None => {
                state.early.truncate(EARLY - 1);
                state.early.push_front(id.to_owned());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Drop for RegistrationGuard<'_> {
    fn drop(&mut self) {
        self.in_flight.lock().requests.remove(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancellation_may_overtake_its_request() {
        let in_flight = InFlight::default();
        in_flight.cancel("7");
        assert!(in_flight.enter("7").cancelled.try_recv().is_ok());
        assert!(in_flight.enter("7").cancelled.try_recv().is_err(), "it counts once");
    }

    #[test]
    fn early_cancellations_are_bounded() {
        let in_flight = InFlight::default();
        for id in 0..1_000 {
            in_flight.cancel(&id.to_string());
        }
        assert_eq!(in_flight.lock().early.len(), EARLY);
        assert!(in_flight.enter("999").cancelled.try_recv().is_ok());
        assert!(in_flight.enter("1").cancelled.try_recv().is_err());
        // Kept ids are bounded in length as well.
        for length in [MAX_ID + 1, 4 << 20] {
            in_flight.cancel(&"9".repeat(length));
        }
        assert_eq!(in_flight.lock().early.front().map(String::as_str), Some("998"));
    }
}
