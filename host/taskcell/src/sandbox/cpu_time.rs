//! CPU time of a cell: what its guest computed, not what it waited.
//!
//! A guest computes only while its future is polled, so the sum of the polls is its time. It is taken from the clock of
//! the polling thread, which stands while another thread has the processor: on a busy machine nobody pays for others.
//! Within a poll the epoch callback asks whether the rest of the allowance is used up; the deadline is handed to it
//! through a thread-local, because the callback runs on the polling thread and the future's own state is out of its
//! reach. Between polls the sum tells by itself: who computes a little and waits in turn is ended by it however late
//! the ticker is.
//!
//! To ask for the time of a thread is a call of the system, a twentieth of a short request. So nobody asks before the
//! first tick, which most requests do not live to see: what is computed until then, or until the cell first waits,
//! counts a tick. Only who listens has it exactly, at the price of that.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use super::ticker::TICK;
use crate::support::polled;
use crate::telemetry::Measured;

/// When the cell being polled on a thread has used up its time.
#[derive(Debug, Clone, Copy)]
enum Deadline {
    /// No cell is polled.
    None,
    /// So much after the next tick.
    AfterTick(Duration),
    /// At this time of the thread's clock.
    At(Duration),
}

thread_local! {
    /// Of the cell being polled on this thread.
    static DEADLINE: Cell<Deadline> = const { Cell::new(Deadline::None) };
}

/// Runs a cell's future with `allowance` to compute in; `started` is called before each poll, and `measured` told after
/// each.
///
/// An error is what it has computed, when that is more: it is not polled again. The future is taken pinned: moving it
/// in would copy a kilobyte on each request.
pub(crate) fn metered<'a, F: Future>(
    allowance: Duration,
    started: impl Fn() + 'a,
    measured: Option<&'a Measured>,
    mut future: Pin<&'a mut F>,
) -> impl Future<Output = Result<F::Output, Duration>> + 'a {
    let mut used = Duration::ZERO;
    std::future::poll_fn(move |context| {
        let Some(left) = allowance.checked_sub(used) else { return Poll::Ready(Err(used)) };
        started();
        let deadline = match used.is_zero() && measured.is_none() {
            true => Deadline::AfterTick(left.saturating_sub(TICK)),
            false => Deadline::At(thread_time().saturating_add(left)),
        };
        let outer = DEADLINE.replace(deadline);
        let poll = polled::guest(|| future.as_mut().poll(context));
        let deadline = DEADLINE.replace(outer);
        // Who is done has no use for what is left.
        if poll.is_pending() || measured.is_some() {
            let before = used;
            used = match deadline {
                Deadline::At(end) => allowance.saturating_add(thread_time()).saturating_sub(end),
                Deadline::AfterTick(_) | Deadline::None => TICK,
            };
            if let Some(measured) = measured {
                measured.computed(used.saturating_sub(before));
            }
        }
        poll.map(Ok)
    })
}

/// By how much the cell being polled on this thread has overdrawn its time; none while it has some left. Asked at each
/// tick.
pub(crate) fn overdrawn() -> Option<Duration> {
    match DEADLINE.get() {
        Deadline::None => None,
        Deadline::At(end) => thread_time().checked_sub(end),
        Deadline::AfterTick(left) => {
            DEADLINE.set(Deadline::At(thread_time().saturating_add(left)));
            None
        }
    }
}

/// CPU time of this thread so far.
#[cfg(target_os = "linux")]
fn thread_time() -> Duration {
    use rustix::time::{ClockId, clock_gettime};

    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// Elsewhere the time that passed: a guest pays also for what others compute meanwhile.
#[cfg(not(target_os = "linux"))]
fn thread_time() -> Duration {
    use std::sync::LazyLock;
    use std::time::Instant;

    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed()
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    /// A guest that computes a little at a time is ended by the sum, although nothing checks it while it computes.
    #[tokio::test]
    async fn turns_are_added_up() {
        const TURN: Duration = Duration::from_millis(2);
        let mut turns = 0;
        let computes = std::future::poll_fn(|context| {
            turns += 1;
            let start = thread_time();
            while thread_time() - start < TURN {}
            context.waker().wake_by_ref();
            Poll::<()>::Pending
        });
        let allowance = Duration::from_millis(21);
        let used = metered(allowance, || (), None, pin!(computes)).await.unwrap_err();
        // The first counts a tick, whatever it computes.
        assert!(used > allowance && turns <= 12, "{used:?} in {turns} turns");
    }
}
