//! Places for so many at the same time, counted by one number.
//!
//! Nobody waits for a place, so this needs no queue: a semaphore has one, with a lock that each return takes.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Places for so many.
#[derive(Debug)]
pub(crate) struct Permits {
    taken: AtomicU32,
    limit: AtomicU32,
}

impl Permits {
    pub(crate) fn new(limit: u32) -> Self {
        Self { taken: AtomicU32::new(0), limit: AtomicU32::new(limit) }
    }

    /// Total number of permits.
    pub(crate) fn limit(&self) -> u32 {
        self.limit.load(Ordering::Relaxed)
    }

    /// Lets there be so many from now on. Who has a place keeps it, also where there are more of them.
    pub(crate) fn set_limit(&self, limit: u32) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// A place, if one is free.
    pub(crate) fn take(&self) -> Option<Permit<&Self>> {
        let limit = self.limit();
        // Whoever gets the place sees what its last holder did before.
        let taken = self.taken.fetch_update(Ordering::Acquire, Ordering::Relaxed, |taken| {
            taken.checked_add(1).filter(|taken| *taken <= limit)
        });
        taken.ok().map(|_| Permit { of: Some(self) })
    }
}

/// A place that is taken as long as this lives.
#[derive(Debug)]
pub(crate) struct Permit<P: Deref<Target = Permits>> {
    /// None once it was handed on.
    of: Option<P>,
}

impl Permit<&Permits> {
    /// Turns the permit into one that can be kept indefinitely. `permits` must be the permits that it belongs to.
    pub(crate) fn keep(mut self, permits: &Arc<Permits>) -> Permit<Arc<Permits>> {
        self.of = None;
        Permit { of: Some(Arc::clone(permits)) }
    }
}

impl<P: Deref<Target = Permits>> Drop for Permit<P> {
    fn drop(&mut self) {
        if let Some(permits) = &self.of {
            // Each place was counted once, so this cannot pass zero.
            permits.taken.fetch_sub(1, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_no_more_than_there_are() {
        let permits = Arc::new(Permits::new(2));
        let first = permits.take().map(|permit| permit.keep(&permits));
        let second = permits.take();
        assert!(first.is_some() && second.is_some() && permits.take().is_none());
        drop(first);
        assert!(permits.take().is_some());
        drop(second);
        let all = (permits.take(), permits.take());
        assert!(all.0.is_some() && all.1.is_some());
        permits.set_limit(1);
        assert!(permits.take().is_none());
        drop(all.0);
        assert!(permits.take().is_none(), "the other one has the only permit");
        drop(all.1);
        assert!(permits.take().is_some());
    }
}
