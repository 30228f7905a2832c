//! What a session has to send: a queue that is bounded in messages and in bytes.
//!
//! A server that asks and does not read its answers must not fill this host's memory. So a message takes room when it
//! is queued and gives it back when the application takes it out; who has no room waits. Answers that wait for room are
//! held in memory as well, so they are bounded, too.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, mpsc};

use crate::Error;
use crate::protocol::jsonrpc;

/// Messages that wait to be sent before the session waits for the transport.
const MESSAGES: usize = 1_024;
/// Bytes of them. A message that is larger than all of it goes out alone.
const BYTES: usize = 10 << 20;
/// Bytes of answers that are made and wait for room.
const WAITING: usize = 16 << 20;
/// Bytes of an answer that may always wait: as many of these as requests are handled at once are no burden.
const SMALL: usize = 4 << 10;

/// Requests that came while the queue was full, and are begun at once when it is not.
const LATE: usize = 4;
/// How long such a request may keep others from beginning: some wait for a person.
pub(super) const HELD: Duration = Duration::from_millis(250);

/// A message with the room that it takes in the queue.
struct Queued {
    message: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

/// What a session has to send, a message at a time: one JSON text without a line break. Ends with the session.
///
/// It holds 1,024 messages of 10 MiB together at most. What does not fit waits in
/// [`Session::handle`](super::Session::handle), which begins no request either while the queue is full; notifications
/// that do not fit are dropped.
pub struct Outbox {
    queue: mpsc::Receiver<Queued>,
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("messages", &self.queue.len()).finish_non_exhaustive()
    }
}

impl Outbox {
    /// Takes the next message, and waits where there is none; none when the session has ended. Nothing is lost when it
    /// is given up.
    pub async fn recv(&mut self) -> Option<Vec<u8>> {
        self.queue.recv().await.map(|queued| queued.message)
    }

    /// Takes the next message if there is one.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] when there is none yet, [`TryRecvError::Disconnected`] when there will be none.
    pub fn try_recv(&mut self) -> Result<Vec<u8>, TryRecvError> {
        self.queue.try_recv().map(|queued| queued.message)
    }

    /// The same as [`Outbox::recv`], for those who poll.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Vec<u8>>> {
        Poll::Ready(ready!(self.queue.poll_recv(cx)).map(|queued| queued.message))
    }
}

/// Why an answer is not sent.
pub(super) enum NotSent {
    /// Nobody takes messages any more.
    Closed,
    /// So many bytes of answers wait for room that this one cannot, too: [`Error::Unread`], and the answer.
    Refused(Error, Vec<u8>),
}

/// Puts messages into an [`Outbox`]. Cloning it is cheap.
#[derive(Clone)]
pub(super) struct Sender {
    queue: mpsc::Sender<Queued>,
    room: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    /// Places for requests that came while the queue was full, and begin now.
    late: Arc<Semaphore>,
}

/// A queue of messages to be sent.
pub(super) fn outbox() -> (Sender, Outbox) {
    let (sender, receiver) = mpsc::channel(MESSAGES);
    let [room, late] = [BYTES, LATE].map(|permits| Arc::new(Semaphore::new(permits)));
    (Sender { queue: sender, room, waiting: Arc::default(), late }, Outbox { queue: receiver })
}

/// Bytes that wait for room; no longer when it is dropped.
struct WaitingBytes<'a> {
    all: &'a AtomicUsize,
    bytes: usize,
}

impl Drop for WaitingBytes<'_> {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Sender {
    /// Whether nothing more can be queued.
    pub(super) fn is_full(&self) -> bool {
        self.room.available_permits() == 0 && !self.queue.is_closed()
    }

    /// Waits until something more can be queued, and few others begin that waited for the same: all at once would make
    /// more answers than there is room for. The place is kept until the answer is queued, or for as long as [`HELD`].
    pub(super) async fn ready(&self) -> Option<SemaphorePermit<'_>> {
        // They are never closed. Where nobody takes messages any more, sending the answer says so.
        let begin = async {
            let place = self.late.acquire().await.ok();
            drop(self.room.acquire().await);
            place
        };
        tokio::select! {
            place = begin => place,
            () = self.queue.closed() => None,
        }
    }

    /// Queues an answer, once there is room.
    pub(super) async fn send(&self, message: Vec<u8>) -> Result<(), NotSent> {
        let room = match Arc::clone(&self.room).try_acquire_many_owned(room(&message)) {
            Ok(room) => room,
            Err(_) => {
                let _waiting = match self.wait(message.len()) {
                    Ok(waiting) => waiting,
                    Err(error) => return Err(NotSent::Refused(error, message)),
                };
                tokio::select! {
                    room = Arc::clone(&self.room).acquire_many_owned(room(&message)) => {
                        room.map_err(|_| NotSent::Closed)?
                    }
                    () = self.queue.closed() => return Err(NotSent::Closed),
                }
            }
        };
        self.queue.send(Queued { message, _room: room }).await.map_err(|_| NotSent::Closed)
    }

    /// Counts an answer among those that wait.
    fn wait(&self, bytes: usize) -> Result<WaitingBytes<'_>, Error> {
        let current = self.waiting.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        let waiting = WaitingBytes { all: &self.waiting, bytes };
        if current > WAITING && bytes > SMALL && current > bytes {
            return Err(Error::Unread { current, limit: WAITING });
        }
        Ok(waiting)
    }

    /// Queues a notification, unless there is no room: nobody waits for one.
    pub(crate) fn notify<P: Serialize>(&self, method: &str, params: &P) {
        match jsonrpc::notification(method, params) {
            Ok(message) => {
                let room = Arc::clone(&self.room).try_acquire_many_owned(room(&message)).ok();
                let sent = room.map(|room| self.queue.try_send(Queued { message, _room: room }));
                if !matches!(sent, Some(Ok(()))) {
                    tracing::debug!(method, "a notification was dropped: the transport does not keep up");
                }
            }
            Err(error) => tracing::debug!(method, %error, "a notification could not be written"),
        }
    }

    /// Whether more than half of the queue is taken, so that what says little gives way to what says more.
    pub(super) fn is_half_full(&self) -> bool {
        self.queue.capacity() <= MESSAGES / 2 || self.room.available_permits() <= BYTES / 2
    }
}

/// The room that a message takes.
fn room(message: &[u8]) -> u32 {
    u32::try_from(message.len().min(BYTES)).unwrap_or(u32::MAX)
}
