//! Limits of a principal's tasks, with their defaults.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// Limits of a principal's tasks. `docs/limits.md` has the same table.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TaskLimits {
    /// Time to keep a task from its creation when the requestor gives none. Default 1 hour.
    pub default_ttl: Duration,
    /// The longest time a task is kept, whatever the requestor asks. Default 24 hours.
    pub max_ttl: Duration,
    /// The poll interval given when the handler names none. Default 500 milliseconds.
    pub poll_interval: Duration,
    /// Tasks kept at once for one principal. Default 1,000.
    pub tasks: usize,
    /// Bytes of a result as JSON. Default 4 MiB.
    pub result_size: usize,
    /// Bytes of all that is kept of a principal's tasks: what they were made from, the work that is still to be done,
    /// and what they ended with, as JSON. Errors of up to 64 KiB are taken in any case, so that a task can end. Default
    /// 256 MiB.
    pub total_size: u64,
    /// Tasks on one page of a list. Default 50.
    pub page: usize,
    /// Time for which background work stays with a worker after the worker was last heard of. The work of a host that
    /// was killed is repeated after this time. Default 10 seconds.
    pub lease: Duration,
    /// Number of hosts lost during a piece of background work after which its task fails: the work itself may be what
    /// ends them. A host that ends in good order does not count. Default 5.
    pub attempts: u32,
    /// Pieces of work left behind by a stopped host that are done at once. Default 32.
    pub recovered: usize,
    /// Rate of a principal's requests about tasks. Default 2,000 a second, 10,000 at once.
    pub rate: RateLimit,
}

impl TaskLimits {
    /// Requests a second in the default [`TaskLimits::rate`].
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

/// Rate limit of a principal's requests. Clones count together, so that sessions of one principal that were set up from
/// the same limits share its allowance. [basic/utilities/tasks, Task Isolation and Access Control]
#[derive(Debug, Clone)]
pub struct RateLimit(Option<(u32, Arc<DefaultKeyedRateLimiter<Arc<str>>>)>);

/// Principals whose allowance is remembered before those are forgotten who have all of it.
const REMEMBERED: usize = 1_024;

impl RateLimit {
    /// So many requests a second, and so many at once. No limit when either is none.
    #[must_use]
    pub fn per_second(requests: Option<NonZeroU32>, burst: Option<NonZeroU32>) -> Self {
        Self(requests.zip(burst).map(|(requests, burst)| {
            let quota = Quota::per_second(requests).allow_burst(burst);
            (requests.get(), Arc::new(RateLimiter::keyed(quota)))
        }))
    }

    /// No limit.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// The limit that one more request is over, which counts; none when it is allowed.
    pub fn refuses(&self, principal: &Arc<str>) -> Option<u32> {
        let (limit, limiter) = self.0.as_ref()?;
        limiter.check_key(principal).is_err().then_some(*limit)
    }

    /// Forgets principals that have not been heard of for long.
    pub(super) fn tidy(&self) {
        if let Some((_, limiter)) = &self.0
            && limiter.len() > REMEMBERED
        {
            limiter.retain_recent();
        }
    }
}
