//! CPU time of a cell: what its guest computed, not what it waited.
//!
//! A guest computes only while its future is polled, so the sum of the polls is its time. Within a poll the epoch
//! callback asks whether the rest of the allowance is used up; the deadline is handed to it through a
//! thread-local, because the callback runs on the polling thread and the future's own state is out of its reach.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

thread_local! {
    /// When the cell being polled on this thread has used up its time.
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Runs a cell's future with `allowance` to compute in; `started` is called before each poll.
///
/// The future is taken pinned: moving it in would copy a kilobyte on each request.
pub(super) fn metered<'a, F: Future>(
    allowance: Duration,
    started: impl Fn() + 'a,
    mut future: Pin<&'a mut F>,
) -> impl Future<Output = F::Output> + 'a {
    let mut left = allowance;
    std::future::poll_fn(move |context| {
        started();
        let start = Instant::now();
        let outer = DEADLINE.replace(start.checked_add(left));
        let poll = future.as_mut().poll(context);
        DEADLINE.set(outer);
        left = left.saturating_sub(start.elapsed());
        poll
    })
}

/// Whether the cell being polled on this thread has used up its time.
pub(super) fn is_over() -> bool {
    DEADLINE.get().is_some_and(|deadline| Instant::now() >= deadline)
}
