//! Queue of the messages to the other end, bounded in bytes.
//!
//! A server that asks without reading must not make the program hold its responses. While the queue is full, nothing
//! more is read from the server ([`Outgoing::room`]), and work that would produce a response is paused
//! ([`Outgoing::while_room`]).

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::ready;

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, mpsc};

use taskcell_gateway::{Sender, TransportError};

/// Bytes waiting in the queue above which nothing more is read from the server.
const MAX_QUEUED: usize = 10 << 20;
/// Bytes that a queued message counts besides its own length.
const OVERHEAD: usize = 64;

/// Error: the queue has no writer any more.
#[derive(Debug, thiserror::Error)]
#[error("the connection has ended")]
pub(crate) struct Closed;

/// Sending half of the queue.
#[derive(Clone)]
pub(crate) struct Outgoing {
    /// Messages to write; `None` ends the queue.
    messages: mpsc::UnboundedSender<Option<Vec<u8>>>,
    level: Arc<Level>,
}

/// Receiving half of the queue, to be written to a stream or passed to a transport.
pub(crate) struct Queued {
    messages: mpsc::UnboundedReceiver<Option<Vec<u8>>>,
    level: Arc<Level>,
}

/// Fill level of the queue.
#[derive(Default)]
struct Level {
    bytes: AtomicUsize,
    closed: AtomicBool,
    sank: Notify,
}

impl Level {
    fn is_full(&self) -> bool {
        self.bytes.load(Ordering::Acquire) >= MAX_QUEUED && !self.closed.load(Ordering::Acquire)
    }
}

/// Creates a queue.
pub(crate) fn queue() -> (Outgoing, Queued) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let level = Arc::<Level>::default();
    (Outgoing { messages: sender, level: Arc::clone(&level) }, Queued { messages: receiver, level })
}

impl Outgoing {
    /// Queues a message once there is room.
    ///
    /// # Errors
    /// When the queue has no writer any more.
    pub(crate) async fn send(&self, message: Vec<u8>) -> Result<(), Closed> {
        self.room().await;
        self.add(message)
    }

    /// Queues a message even when there is no room.
    pub(crate) fn put(&self, message: Vec<u8>) {
        // Adding fails only when the queue has no writer any more.
        let _ = self.add(message);
    }

    /// Queues a message if there is room, and returns whether there was.
    pub(crate) fn try_send(&self, message: Vec<u8>) -> bool {
        !self.level.is_full() && self.add(message).is_ok()
    }

    /// Ends the queue after the messages that are in it.
    pub(crate) fn finish(&self) {
        // Without a writer the queue is finished already.
        let _ = self.messages.send(None);
    }

    /// Waits until there is room.
    pub(crate) async fn room(&self) {
        while self.level.is_full() {
            let mut sank = pin!(self.level.sank.notified());
            sank.as_mut().enable();
            if self.level.is_full() {
                sank.await;
            }
        }
    }

    /// Runs `work`, pausing it while there is no room.
    pub(crate) async fn while_room<F: Future>(&self, mut work: Pin<&mut F>) -> F::Output {
        let mut room = pin!(self.room());
        poll_fn(|context| {
            while self.level.is_full() {
                ready!(room.as_mut().poll(context));
                room.set(self.room());
            }
            work.as_mut().poll(context)
        })
        .await
    }

    fn add(&self, message: Vec<u8>) -> Result<(), Closed> {
        let bytes = message.len().saturating_add(OVERHEAD);
        // Counted before sending, so that the writer cannot subtract the bytes first.
        self.level.bytes.fetch_add(bytes, Ordering::AcqRel);
        self.messages.send(Some(message)).map_err(|_| Closed)
    }
}

impl Queued {
    /// Writes messages as lines until the queue ends.
    pub(crate) async fn write<W: AsyncWrite + Unpin>(mut self, mut stream: W) -> std::io::Result<()> {
        while let Some(Some(mut message)) = self.messages.recv().await {
            let bytes = message.len().saturating_add(OVERHEAD);
            message.push(b'\n');
            stream.write_all(&message).await?;
            stream.flush().await?;
            drop(message);
            self.sink(bytes);
        }
        Ok(())
    }

    /// Passes messages to a transport until the queue ends, then closes the transport.
    pub(crate) async fn pass_on(mut self, sender: &dyn Sender) -> Result<(), TransportError> {
        while let Some(Some(message)) = self.messages.recv().await {
            let bytes = message.len().saturating_add(OVERHEAD);
            sender.send(message.into()).await?;
            self.sink(bytes);
        }
        sender.close().await;
        Ok(())
    }

    fn sink(&self, bytes: usize) {
        self.level.bytes.fetch_sub(bytes, Ordering::AcqRel);
        self.level.sank.notify_waiters();
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.level.closed.store(true, Ordering::Release);
        self.level.sank.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_full_queue_stops_who_adds_to_it_until_it_is_written() {
        let (outgoing, queued) = queue();
        for _ in 0..10 {
            assert!(outgoing.send(vec![b'x'; 1 << 20]).now_or_never().is_some_and(|sent| sent.is_ok()));
        }
        assert!(outgoing.send(b"more".to_vec()).now_or_never().is_none());
        assert!(!outgoing.try_send(b"more".to_vec()));
        assert!(outgoing.while_room(pin!(async {})).now_or_never().is_none());
        let waits = tokio::spawn({
            let outgoing = outgoing.clone();
            async move {
                outgoing.while_room(pin!(outgoing.send(b"last".to_vec()))).await.unwrap();
                outgoing.finish();
            }
        });
        let mut written = Vec::new();
        queued.write(&mut written).await.unwrap();
        waits.await.unwrap();
        assert!(written.ends_with(b"x\nlast\n") && written.len() == 10 * ((1 << 20) + 1) + 5);
        assert!(outgoing.send(b"late".to_vec()).await.is_err());
    }

    #[tokio::test]
    async fn nobody_waits_for_a_queue_that_nobody_writes() {
        let (outgoing, queued) = queue();
        outgoing.send(vec![b'x'; MAX_QUEUED]).await.unwrap();
        let waits = tokio::spawn(async move { outgoing.send(b"more".to_vec()).await });
        tokio::task::yield_now().await;
        drop(queued);
        assert!(waits.await.unwrap().is_err());
    }
}
