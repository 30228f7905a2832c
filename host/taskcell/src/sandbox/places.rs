//! Places for so many at the same time, counted by one number.
//!
//! Nobody waits for a place, so this needs no queue: a semaphore has one, with a lock that each return takes.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Places for so many.
#[derive(Debug)]
pub(crate) struct Places {
    taken: AtomicU32,
    limit: AtomicU32,
}

impl Places {
    pub(crate) fn new(limit: u32) -> Self {
        Self { taken: AtomicU32::new(0), limit: AtomicU32::new(limit) }
    }

    /// How many there are.
    pub(crate) fn limit(&self) -> u32 {
        self.limit.load(Ordering::Relaxed)
    }

    /// Lets there be so many from now on. Who has a place keeps it, also where there are more of them.
    pub(crate) fn set_limit(&self, limit: u32) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// A place, if one is free.
    pub(crate) fn take(&self) -> Option<Place<&Self>> {
        let limit = self.limit();
        // Whoever gets the place sees what its last holder did before.
        let taken = self.taken.fetch_update(Ordering::Acquire, Ordering::Relaxed, |taken| {
            taken.checked_add(1).filter(|taken| *taken <= limit)
        });
        taken.ok().map(|_| Place { of: Some(self) })
    }
}

/// A place that is taken as long as this lives.
#[derive(Debug)]
pub(crate) struct Place<P: Deref<Target = Places>> {
    /// None once it was handed on.
    of: Option<P>,
}

impl Place<&Places> {
    /// The same place, to keep for as long as one likes. `places` must be those it is one of.
    pub(crate) fn keep(mut self, places: &Arc<Places>) -> Place<Arc<Places>> {
        self.of = None;
        Place { of: Some(Arc::clone(places)) }
    }
}

impl<P: Deref<Target = Places>> Drop for Place<P> {
    fn drop(&mut self) {
        if let Some(places) = &self.of {
            // Each place was counted once, so this cannot pass zero.
            places.taken.fetch_sub(1, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_no_more_than_there_are() {
        let places = Arc::new(Places::new(2));
        let first = places.take().map(|place| place.keep(&places));
        let second = places.take();
        assert!(first.is_some() && second.is_some() && places.take().is_none());
        drop(first);
        assert!(places.take().is_some());
        drop(second);
        let all = (places.take(), places.take());
        assert!(all.0.is_some() && all.1.is_some());
        places.set_limit(1);
        assert!(places.take().is_none());
        drop(all.0);
        assert!(places.take().is_none(), "the other one has the only place");
        drop(all.1);
        assert!(places.take().is_some());
    }
}
