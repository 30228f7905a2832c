//! Queue of what arrives from the server, bounded in bytes: streams are not read while it is full.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::transport::{Frame, TransportError};

/// Bytes that an entry counts besides its own length.
const OVERHEAD: usize = 256;

type Arrival = Result<Frame, TransportError>;

/// Sending half, which the streams share.
#[derive(Debug, Clone)]
pub(super) struct Arrivals {
    queue: mpsc::UnboundedSender<(Arrival, Option<OwnedSemaphorePermit>)>,
    room: Arc<Semaphore>,
    size: usize,
}

/// Receiving half.
#[derive(Debug)]
pub(super) struct Arrived(mpsc::UnboundedReceiver<(Arrival, Option<OwnedSemaphorePermit>)>);

/// Creates a queue of `size` bytes. A longer entry takes all of it.
pub(super) fn queue(size: usize) -> (Arrivals, Arrived) {
    let size = size.clamp(OVERHEAD, Semaphore::MAX_PERMITS);
    let (sender, receiver) = mpsc::unbounded_channel();
    (Arrivals { queue: sender, room: Arc::new(Semaphore::new(size)), size }, Arrived(receiver))
}

impl Arrivals {
    /// Queues a frame once there is room.
    pub(super) async fn frame(&self, frame: Frame) {
        let bytes = frame.len();
        self.put(Ok(frame), bytes).await;
    }

    /// Queues an error once there is room.
    pub(super) async fn error(&self, error: TransportError) {
        self.put(Err(error), 0).await;
    }

    async fn put(&self, arrival: Arrival, bytes: usize) {
        let bytes = bytes.saturating_add(OVERHEAD).min(self.size);
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        // Neither fails while the receiver is there, and without one nobody misses the entry.
        let room = Arc::clone(&self.room).acquire_many_owned(bytes).await.ok();
        let _ = self.queue.send((arrival, room));
    }
}

impl Arrived {
    /// Waits for the next entry; `None` when no stream is left.
    pub(super) async fn next(&mut self) -> Option<Arrival> {
        self.0.recv().await.map(|(arrival, _)| arrival)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_stream_waits_for_room() {
        let (arrivals, mut arrived) = queue(1_000);
        let frame = || Frame::from(vec![b' '; 700]);
        assert!(arrivals.frame(frame()).now_or_never().is_some());
        assert!(arrivals.frame(frame()).now_or_never().is_none());
        assert!(arrived.next().await.is_some());
        // One that is longer than the whole queue goes through it alone.
        assert!(arrivals.frame(Frame::from(vec![b' '; 5_000])).now_or_never().is_some());
        assert!(arrivals.error(TransportError::SessionEnded).now_or_never().is_none());
        assert!(arrived.next().await.is_some());
        drop(arrivals);
        assert!(arrived.next().await.is_none());
    }
}
