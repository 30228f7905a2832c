//! Report of a request's poll: whether it waits for something outside of the host, and how much memory its guest took.
//!
//! Code that bounds the requests in work must tell a request that is being answered, and may end in a large answer,
//! from one that waits for a person or a task. Only much lower code knows, and it runs on the polling thread. It
//! therefore leaves its report in a thread-local, which is read after the poll.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::task::Poll;

/// Word of a poll.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Polled {
    /// Whether what is pending waits for a person, a model, a task, a clock or another machine.
    pub waits_outside: bool,
    /// Bytes by which the memory of guests grew.
    pub grown: usize,
    /// Whether the guest that is pending computes, or waits for the host itself.
    at_work: bool,
}

thread_local! {
    /// Of the poll that runs on this thread.
    static POLLED: Cell<Polled> = const { Cell::new(Polled { waits_outside: false, grown: 0, at_work: false }) };
}

fn tell(change: impl FnOnce(&mut Polled)) {
    let mut polled = POLLED.get();
    change(&mut polled);
    POLLED.set(polled);
}

/// Polls something, and gives the word of that poll.
pub fn listen<T>(poll: impl FnOnce() -> T) -> (T, Polled) {
    let outer = POLLED.take();
    let given = poll();
    (given, POLLED.replace(outer))
}

/// Says that the memory of a guest grew.
pub(crate) fn grew(bytes: usize) {
    tell(|polled| polled.grown = polled.grown.saturating_add(bytes));
}

/// Says that the guest being polled computes, or waits for the host: the call of an import is not over that the host
/// answers by itself.
pub(crate) fn at_work() {
    tell(|polled| polled.at_work = true);
}

/// Polls a guest. One that is pending without a word waits for something of WASI: a clock, or another machine.
pub(crate) fn guest<T>(poll: impl FnOnce() -> Poll<T>) -> Poll<T> {
    tell(|polled| polled.at_work = false);
    let polled = poll();
    if polled.is_pending() {
        tell(|polled| polled.waits_outside |= !polled.at_work);
    }
    polled
}

/// Waits for something outside of the host.
pub(crate) async fn outside<F: Future>(what: F) -> F::Output {
    told(what, |polled| polled.waits_outside = true).await
}

/// Waits for the host itself: a store, a place.
pub(crate) async fn inside<F: Future>(what: F) -> F::Output {
    told(what, |polled| polled.at_work = true).await
}

/// Tells something whenever a future is pending.
async fn told<F: Future>(future: F, change: fn(&mut Polled)) -> F::Output {
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        let poll = future.as_mut().poll(context);
        if poll.is_pending() {
            tell(change);
        }
        poll
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures_util::FutureExt;

    use super::*;

    /// Polls a future of a guest's once, and says whether it waits outside.
    fn waits_outside(future: impl Future<Output = ()>) -> bool {
        let mut future = Box::pin(future);
        listen(|| guest(|| future.as_mut().now_or_never().map_or(Poll::Pending, Poll::Ready))).1.waits_outside
    }

    #[test]
    fn a_guest_waits_outside_unless_the_host_has_work() {
        assert!(waits_outside(pending()));
        assert!(waits_outside(outside(pending())));
        assert!(waits_outside(inside(outside(pending()))), "what an import waits for counts");
        assert!(!waits_outside(inside(pending())));
        assert!(!waits_outside(async {
            at_work();
            pending().await
        }));
        assert!(!waits_outside(async {}));
    }

    #[test]
    fn each_poll_has_its_own_word() {
        let (inner, outer) = listen(|| {
            grew(3);
            let inner = listen(|| grew(5)).1;
            grew(4);
            inner
        });
        assert_eq!((inner.grown, outer.grown), (5, 7));
        assert_eq!(listen(|| ()).1, Polled::default());
    }
}
