//! Limits of a principal's tasks, with their defaults.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// Limits of a principal's tasks. `docs/limits.md` has the same table.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TaskLimits {
    /// Time to live of a task, from its creation, when the requestor names none. Default 1 hour.
    pub default_ttl: Duration,
    /// Longest time to live, whatever the requestor asks for. Default 24 hours.
    pub max_ttl: Duration,
    /// Poll interval when the handler names none. Default 500 milliseconds.
    pub poll_interval: Duration,
    /// Tasks kept at once for one principal. Default 1,000.
    pub tasks: usize,
    /// Bytes of a result as JSON. Default 4 MiB.
    pub result_size: usize,
    /// Bytes of all data kept for a principal's tasks, as JSON: their origins, their pending jobs and their outcomes.
    /// Errors of up to 64 KiB are always accepted, so that a task can end. Default 256 MiB.
    pub total_size: u64,
    /// Tasks on one page of a list. Default 50.
    pub page: usize,
    /// Time that a worker keeps its leases after it last renewed them. The work of a killed host starts again after
    /// this time. Default 10 seconds.
    pub lease: Duration,
    /// Hosts that may be lost while they do a piece of background work before its task fails, because the work itself
    /// may crash them. A host that shuts down in good order does not count. Default 5.
    pub attempts: u32,
    /// Pieces of work of stopped hosts that this host does at once. Default 32.
    pub recovered: usize,
    /// Rate of requests about tasks that a principal may make. Default 2,000 per second, 10,000 at once.
    pub rate: RateLimit,
}

impl TaskLimits {
    /// Requests per second in the default [`TaskLimits::rate`].
    pub const RATE: u32 = 2_000;
    /// Requests at once in the default [`TaskLimits::rate`].
    pub const BURST: u32 = 10_000;
}

impl Default for TaskLimits {
    fn default() -> Self {
        Self {
            default_ttl: Duration::from_secs(60 * 60),
            max_ttl: Duration::from_secs(24 * 60 * 60),
            poll_interval: Duration::from_millis(500),
            tasks: 1_000,
            result_size: 4 << 20,
            total_size: 256 << 20,
            page: 50,
            lease: Duration::from_secs(10),
            attempts: 5,
            recovered: 32,
            rate: RateLimit::per_second(NonZeroU32::new(Self::RATE), NonZeroU32::new(Self::BURST)),
        }
    }
}

/// Rate limit of requests, counted for each principal. Clones share their counts, so sessions of one principal that
/// were created from the same limits share its allowance. [basic/utilities/tasks, Task Isolation and Access Control]
#[derive(Debug, Clone)]
pub struct RateLimit(Option<(u32, Arc<DefaultKeyedRateLimiter<Arc<str>>>)>);

/// Principals that are remembered before those with a full allowance are forgotten.
const REMEMBERED: usize = 1_024;

impl RateLimit {
    /// Creates a limit of `requests` per second and `burst` at once. There is no limit when either is none.
    #[must_use]
    pub fn per_second(requests: Option<NonZeroU32>, burst: Option<NonZeroU32>) -> Self {
        Self(requests.zip(burst).map(|(requests, burst)| {
            let quota = Quota::per_second(requests).allow_burst(burst);
            (requests.get(), Arc::new(RateLimiter::keyed(quota)))
        }))
    }

    /// Creates a limit that refuses nothing.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// Counts one more request of `principal`. Returns the limit in requests per second when the request exceeds it,
    /// and none when the request is allowed.
    pub fn refuses(&self, principal: &Arc<str>) -> Option<u32> {
        let (limit, limiter) = self.0.as_ref()?;
        limiter.check_key(principal).is_err().then_some(*limit)
    }

    /// Forgets principals whose allowance is full again.
    pub(super) fn tidy(&self) {
        if let Some((_, limiter)) = &self.0
            && limiter.len() > REMEMBERED
        {
            limiter.retain_recent();
        }
    }
}
