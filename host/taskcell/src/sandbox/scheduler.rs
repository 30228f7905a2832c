//! Cells that compute for long take turns, on all processors but one.
//!
//! A cell yields each millisecond, but a runtime with as many computing cells as threads looks at what is new only
//! between two of them: a request that takes microseconds would wait for milliseconds. So a cell that has computed for
//! a while needs a turn for each further slice, and there is one turn less than threads that poll. What is new finds a
//! thread that is free, or soon will be. Turns go round in the order in which they are asked for.
//!
//! Who ends each call within that while and begins the next at once would never need one. So what the calls of a
//! handler computed of late counts for its next: when that is long, it begins with a turn. To compute is also to make
//! the cell, to end it, and what the host does with the answer.

use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

/// Longest wait for a turn. A turn that falls to a cell whose future nobody polls is lost until it is polled: an
/// application that polls one request at a time must not wait for itself forever.
const PATIENCE: Duration = Duration::from_secs(1);
/// CPU time that a cell may use before it needs turns: most requests end sooner.
const SHORT: Duration = Duration::from_millis(1);
/// Calls that the average of what a handler computes is over.
const CALLS: u32 = 8;
/// Unit of counting: most requests use less.
const UNIT: Duration = Duration::from_micros(64);
/// From this average on, in units, the calls of a handler take turns at once.
const LONG: u32 = 3;
/// Maximum count of a call, in units: half of what makes a handler long.
const MOST: u32 = LONG * CALLS / 2;

/// The turns of an engine.
#[derive(Debug, Default)]
pub(crate) struct CpuScheduler(OnceLock<Semaphore>);

impl CpuScheduler {
    /// Polls a cell, in its turn once it has computed for long: `computed` is what it has before; none for who takes
    /// turns at once. Gives also the turn of the last slice.
    pub(crate) fn run<'a, F: Future>(
        &'a self,
        computed: Option<Duration>,
        mut cell: Pin<&mut F>,
    ) -> impl Future<Output = (F::Output, CpuPermit<'a>)> {
        let (at_once, mut computed, mut next) = (computed.is_none(), computed.unwrap_or_default(), None);
        std::future::poll_fn(move |context| {
            let permit = match !at_once && computed < SHORT {
                true => None,
                false => match self.turn(&mut next, context) {
                    Poll::Ready(permit) => permit,
                    Poll::Pending => return Poll::Pending,
                },
            };
            let start = Instant::now();
            let poll = cell.as_mut().poll(context);
            let end = Instant::now();
            computed = computed.saturating_add(end.saturating_duration_since(start));
            poll.map(|output| (output, CpuPermit { computed, end, permit }))
        })
    }

    /// Waits for a turn, up to [`PATIENCE`]; none then.
    fn turn<'a>(
        &'a self,
        next: &mut Option<PendingPermit<'a>>,
        context: &mut Context<'_>,
    ) -> Poll<Option<SemaphorePermit<'a>>> {
        let turn = next.get_or_insert_with(|| {
            let turns = self.0.get_or_init(|| Semaphore::new(threads().saturating_sub(1).max(1)));
            // Nobody closes it.
            Box::pin(async { tokio::time::timeout(PATIENCE, turns.acquire()).await.ok()?.ok() })
        });
        let turn = turn.as_mut().poll(context);
        if turn.is_ready() {
            *next = None;
        }
        turn
    }
}

/// CPU time of a cell since its last check, and the turn of its last slice if it needed one.
pub(crate) struct CpuPermit<'a> {
    computed: Duration,
    end: Instant,
    permit: Option<SemaphorePermit<'a>>,
}

impl CpuPermit<'_> {
    /// Of a cell that needed none and computed in one piece.
    pub(crate) fn none(start: Instant, end: Instant) -> Self {
        Self { computed: end.saturating_duration_since(start), end, permit: None }
    }
}

/// CPU time of a call after its cell's last poll, until this guard is dropped: in the same turn, and counted for the
/// handler.
#[must_use]
pub(crate) struct TimeSlice<'a> {
    average: &'a CpuAverage,
    permit: CpuPermit<'a>,
}

impl<'a> TimeSlice<'a> {
    pub(crate) fn new(average: &'a CpuAverage, permit: CpuPermit<'a>) -> Self {
        Self { average, permit }
    }
}

impl Drop for TimeSlice<'_> {
    fn drop(&mut self) {
        self.average.add(self.permit.computed.saturating_add(self.permit.end.elapsed()));
        self.permit.permit = None;
    }
}

/// CPU time of a handler's calls: a moving average over [`CALLS`], in units of [`UNIT`].
///
/// A call shorter than a unit counts as zero. Where all calls are that short nothing is written, and processors share
/// the value. Calls that end at the same moment may overwrite each other's values; later calls correct them.
#[derive(Debug, Default)]
pub(crate) struct CpuAverage(AtomicU32);

impl CpuAverage {
    /// Whether the next call takes turns at once.
    pub(crate) fn is_long(&self) -> bool {
        self.0.load(Relaxed) >= LONG.saturating_mul(CALLS)
    }

    /// Counts a call.
    fn add(&self, computed: Duration) {
        let units = computed.as_micros() / UNIT.as_micros();
        // The clock goes on while another thread has the processor: no call alone makes a handler long.
        let units = u32::try_from(units).unwrap_or(MOST).min(MOST);
        let old = self.0.load(Relaxed);
        let new = old.saturating_sub(old.div_ceil(CALLS)).saturating_add(units);
        if new != old {
            self.0.store(new, Relaxed);
        }
    }
}

/// A turn that is waited for.
type PendingPermit<'a> = Pin<Box<dyn Future<Output = Option<SemaphorePermit<'a>>> + Send + 'a>>;

/// Threads that poll cells at the same time: the runtime's, of which no more run than there are processors.
fn threads() -> usize {
    let workers = tokio::runtime::Handle::try_current().map_or(1, |runtime| runtime.metrics().num_workers());
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    workers.min(processors)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::*;

    /// Computes in slices, and counts how many do so at the same time once they have computed for long.
    async fn computes(scheduler: Arc<CpuScheduler>, inside: Arc<[AtomicUsize; 2]>) {
        let mut slices = 0;
        let computes = std::future::poll_fn(|context| {
            let [now, most] = &*inside;
            if slices > 0 {
                most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
            }
            let start = Instant::now();
            while start.elapsed() < SHORT {}
            if slices > 0 {
                now.fetch_sub(1, SeqCst);
            }
            slices += 1;
            context.waker().wake_by_ref();
            if slices == 20 { Poll::Ready(()) } else { Poll::Pending }
        });
        scheduler.run(Some(Duration::ZERO), pin!(computes)).await;
    }

    /// However many compute, one thread is free of them.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn one_thread_is_left_to_others() {
        let (scheduler, inside) =
            (Arc::new(CpuScheduler::default()), Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]));
        let computing: Vec<_> =
            (0..8).map(|_| tokio::spawn(computes(Arc::clone(&scheduler), Arc::clone(&inside)))).collect();
        for computing in computing {
            assert!(computing.await.is_ok());
        }
        assert_eq!(inside.last().map(|most| most.load(SeqCst)), Some(1));
    }

    /// A cell that needs turns at once does not start without one, and keeps the last one for processing the answer.
    #[tokio::test]
    async fn a_turn_is_waited_for_and_kept() {
        let (scheduler, average) = (CpuScheduler::default(), CpuAverage::default());
        let short = scheduler.run(Some(Duration::ZERO), pin!(async {})).await.1;
        assert!(short.permit.is_none(), "who is short needs no turn");
        let first = scheduler.run(None, pin!(async {})).await.1;
        let slice = TimeSlice::new(&average, first);
        let mut second = pin!(async {});
        let mut second = pin!(scheduler.run(None, second.as_mut()));
        let begun = std::future::poll_fn(|context| Poll::Ready(second.as_mut().poll(context).is_ready())).await;
        assert!(!begun, "the only turn is taken");
        drop(slice);
        assert!(second.await.1.permit.is_some());
    }

    /// The recent CPU time of calls decides; a few long calls among short ones do not.
    #[test]
    fn what_a_handler_computes_counts_for_its_next_call() {
        type Calls<'a> = &'a [(usize, Duration)];

        let (short, long) = (Duration::from_micros(60), Duration::from_micros(400));
        let cases: [(&str, Calls<'_>, bool); 7] = [
            ("none", &[], false),
            ("short ones", &[(1_000, short)], false),
            ("long ones", &[(20, long)], true),
            ("one that is as long as can be", &[(10, short), (1, Duration::MAX)], false),
            ("one of ten", &[(9, short), (1, long), (9, short), (1, long), (9, short), (1, long)], false),
            ("short ones after long ones", &[(100, long), (40, short)], false),
            ("one short one after long ones", &[(100, long), (1, short)], true),
        ];
        for (name, calls, is_long) in cases {
            let average = CpuAverage::default();
            for (count, computed) in calls {
                (0..*count).for_each(|_| average.add(*computed));
            }
            assert_eq!(average.is_long(), is_long, "{name}: {average:?}");
        }
    }

    /// Short calls write nothing.
    #[test]
    fn short_calls_leave_the_value_alone() {
        let average = CpuAverage::default();
        (0..100).for_each(|_| average.add(Duration::from_micros(63)));
        assert_eq!(average.0.load(Relaxed), 0);
    }

    /// A turn that falls to who is not polled holds nobody up for good.
    #[tokio::test]
    async fn a_turn_that_nobody_takes_is_not_waited_for() {
        let scheduler = CpuScheduler::default();
        let held = taken(&scheduler).await;
        let next = waits(&scheduler).await;
        // It is the other's now, who does not look.
        drop(held);
        assert!(taken(&scheduler).await.is_none(), "who waited long enough goes on without");
        drop(next);
        assert!(taken(&scheduler).await.is_some());
    }

    /// One who waits: the only turn is taken.
    async fn waits(scheduler: &CpuScheduler) -> Option<PendingPermit<'_>> {
        let mut next = None;
        let turn = std::future::poll_fn(|context| Poll::Ready(scheduler.turn(&mut next, context))).await;
        assert!(turn.is_pending(), "the only turn is taken");
        next
    }

    async fn taken(scheduler: &CpuScheduler) -> Option<SemaphorePermit<'_>> {
        let mut next = None;
        std::future::poll_fn(|context| scheduler.turn(&mut next, context)).await
    }

    /// A cell that gives up waiting for its turn keeps no other cell from one.
    #[tokio::test]
    async fn a_turn_that_is_not_taken_goes_on() {
        let scheduler = CpuScheduler::default();
        let held = taken(&scheduler).await;
        drop(waits(&scheduler).await);
        drop(held);
        assert!(taken(&scheduler).await.is_some());
    }
}
