//! First tool calls, which wait until the server's questions of its start are answered.
//!
//! A server that was just initialized asks for what its tools need: server-filesystem asks for the roots 14 to 22 ms
//! later, and refuses files until it has them.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::transport::Frame;

/// Time without open questions after which a server counts as quiet: twice the longest pause seen.
const QUIET: Duration = Duration::from_millis(40);
/// Longest time that calls are held after the server was initialized.
const MAX: Duration = Duration::from_millis(500);
/// Bytes of calls that are held. More end the wait.
const BYTES: usize = 1 << 20;

/// Calls that wait.
#[derive(Debug, Default)]
pub(crate) struct Hold {
    /// End of the wait; none when nothing waits.
    until: Option<Instant>,
    calls: Vec<Frame>,
    bytes: usize,
}

impl Hold {
    /// Begins to hold calls.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.until = Some(now + MAX);
    }

    /// Takes a call to hold. Gives it back when it need not wait.
    pub(crate) fn take(&mut self, frame: Frame, now: Instant) -> Option<Frame> {
        let holds = self.until.is_some_and(|until| now < until);
        if !holds || self.bytes.saturating_add(frame.len()) > BYTES {
            return Some(frame);
        }
        self.bytes = self.bytes.saturating_add(frame.len());
        self.calls.push(frame);
        None
    }

    /// Whether calls wait.
    pub(crate) fn has_calls(&self) -> bool {
        !self.calls.is_empty()
    }

    /// Ends the wait, and returns the calls in their order.
    pub(crate) fn end(&mut self) -> Vec<Frame> {
        self.until = None;
        self.bytes = 0;
        std::mem::take(&mut self.calls)
    }
}

/// Waits until the server has been quiet, or for the longest time.
pub(crate) async fn quiet(mut open: watch::Receiver<usize>) {
    let quiet = async {
        loop {
            let asks = *open.borrow_and_update() > 0;
            let changed = open.changed();
            if asks {
                if changed.await.is_err() {
                    return;
                }
            } else if timeout(QUIET, changed).await.is_err() {
                return;
            }
        }
    };
    let _ = timeout(MAX, quiet).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn calls_wait_for_the_servers_first_questions() {
        let open = watch::Sender::new(0);
        let mut is_answered = false;
        let asking = async {
            tokio::task::yield_now().await;
            open.send_replace(1);
            tokio::time::sleep(QUIET * 2).await;
            is_answered = true;
            open.send_replace(0);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = quiet(open.subscribe()) => {}
            () = asking => {}
        }
        assert!(is_answered);
        open.send_replace(1);
        quiet(open.subscribe()).await;
        assert_eq!(*open.borrow(), 1, "a question that stays open does not hold calls for ever");
    }

    #[test]
    fn what_waits_is_bounded() {
        let (mut hold, now) = (Hold::default(), Instant::now());
        let frame = || Frame::from_static(b"{}");
        assert!(hold.take(frame(), now).is_some(), "nothing is held before the server is initialized");
        hold.begin(now);
        assert!(hold.take(frame(), now).is_none() && hold.has_calls());
        assert!(hold.take(Frame::from(vec![b' '; BYTES]), now).is_some());
        assert_eq!(hold.end(), [frame()]);
        hold.begin(now);
        assert!(hold.take(frame(), now + MAX).is_some());
    }
}
