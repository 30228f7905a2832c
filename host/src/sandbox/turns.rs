//! Cells that compute for long take turns, on all processors but one.
//!
//! A cell yields each millisecond, but a runtime with as many computing cells as threads looks at what is new only between
//! two of them: a request that takes microseconds would wait for milliseconds. So a cell that has computed for a while needs a
//! turn for each further slice, and there is one turn less than threads that poll. What is new finds a thread that is free, or
//! soon will be. Turns go round in the order in which they are asked for.

use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

/// What a cell may compute before it needs turns: most requests end sooner.
const SHORT: Duration = Duration::from_millis(1);

/// The turns of an engine.
#[derive(Debug, Default)]
pub(super) struct Turns(OnceLock<Semaphore>);

impl Turns {
    /// Polls a cell, in its turn once it has computed for long.
    pub(super) fn taking<'a, F: Future>(&'a self, mut cell: Pin<&'a mut F>) -> impl Future<Output = F::Output> + 'a {
        let (mut computed, mut next) = (Duration::ZERO, None);
        std::future::poll_fn(move |context| {
            let turn = match computed < SHORT {
                true => None,
                false => match self.turn(&mut next, context) {
                    Poll::Ready(turn) => turn,
                    Poll::Pending => return Poll::Pending,
                },
            };
            let start = Instant::now();
            let poll = cell.as_mut().poll(context);
            computed = computed.saturating_add(start.elapsed());
            drop(turn);
            poll
        })
    }

    /// Waits for a turn.
    fn turn<'a>(&'a self, next: &mut Option<Next<'a>>, context: &mut Context<'_>) -> Poll<Option<SemaphorePermit<'a>>> {
        let turn = next.get_or_insert_with(|| {
            let turns = self.0.get_or_init(|| Semaphore::new(threads().saturating_sub(1).max(1)));
            // Nobody closes it.
            Box::pin(async { turns.acquire().await.ok() })
        });
        let turn = turn.as_mut().poll(context);
        if turn.is_ready() {
            *next = None;
        }
        turn
    }
}

/// A turn that is waited for.
type Next<'a> = Pin<Box<dyn Future<Output = Option<SemaphorePermit<'a>>> + Send + 'a>>;

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
    async fn computes(turns: Arc<Turns>, inside: Arc<[AtomicUsize; 2]>) {
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
        turns.taking(pin!(computes)).await;
    }

    /// However many compute, one thread is free of them.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn one_thread_is_left_to_others() {
        let (turns, inside) = (Arc::new(Turns::default()), Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]));
        let computing: Vec<_> =
            (0..8).map(|_| tokio::spawn(computes(Arc::clone(&turns), Arc::clone(&inside)))).collect();
        for computing in computing {
            assert!(computing.await.is_ok());
        }
        assert_eq!(inside.last().map(|most| most.load(SeqCst)), Some(1));
    }

    /// Who gives up waiting for its turn keeps nobody else from one.
    #[tokio::test]
    async fn a_turn_that_is_not_taken_goes_on() {
        let turns = Turns::default();
        let held = {
            let mut next = None;
            std::future::poll_fn(|context| turns.turn(&mut next, context)).await
        };
        {
            let mut next = None;
            let waits = std::future::poll_fn(|context| Poll::Ready(turns.turn(&mut next, context).is_pending())).await;
            assert!(waits, "the only turn is taken");
        }
        drop(held);
        let mut next = None;
        assert!(std::future::poll_fn(|context| turns.turn(&mut next, context)).await.is_some());
    }
}
