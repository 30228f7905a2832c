//! Queue of outgoing messages of a session, bounded in messages and in bytes.
//!
//! A server that sends requests and does not read the answers must not fill the host's memory. A queued message
//! therefore takes room until the application takes it out, and a message without room waits. Waiting answers are in
//! memory as well, so they are bounded, too.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, mpsc};

use crate::CellError;
use crate::protocol::jsonrpc;

/// Number of queued messages at which the session waits for the transport.
const MESSAGES: usize = 1_024;
/// Bytes of queued messages. A message larger than this goes out alone.
const BYTES: usize = 10 << 20;
/// Bytes of answers that wait for room in the queue.
const WAITING: usize = 16 << 20;
/// Size up to which an answer may always wait, in bytes: as many of these as requests are handled at once are harmless.
const SMALL: usize = 4 << 10;

/// Number of requests that may start at once when the queue has room again.
const LATE: usize = 4;
/// Time for which such a request may keep others from starting, because some requests wait for a person.
pub(super) const HELD: Duration = Duration::from_millis(250);

/// Message with the room that it takes in the queue.
struct Queued {
    message: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

/// Outgoing messages of a session, each one JSON text without a line break. The outbox ends with the session.
///
/// The queue holds at most 1,024 messages of together 10 MiB. An answer without room waits in
/// [`Session::handle`](super::Session::handle), which also starts no request while the queue is full. Notifications
/// without room are dropped.
pub struct Outbox {
    queue: mpsc::Receiver<Queued>,
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("messages", &self.queue.len()).finish_non_exhaustive()
    }
}

impl Outbox {
    /// Takes the next message, waiting for one. Returns none when the session has ended. Dropping the future loses no
    /// message.
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

    /// Polls for the next message, like [`Outbox::recv`].
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Vec<u8>>> {
        Poll::Ready(ready!(self.queue.poll_recv(cx)).map(|queued| queued.message))
    }
}

/// Reason why an answer is not sent.
pub(super) enum NotSent {
    /// The outbox was dropped.
    Closed,
    /// Too many bytes of answers wait for room: [`CellError::Unread`], and the refused answer.
    Refused(CellError, Vec<u8>),
}

/// Sending half of an [`Outbox`]. Cloning it is cheap.
#[derive(Clone)]
pub(super) struct Sender {
    queue: mpsc::Sender<Queued>,
    room: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    /// Permits for requests that came while the queue was full, and start when it has room.
    late: Arc<Semaphore>,
}

/// Creates a queue of outgoing messages.
pub(super) fn outbox() -> (Sender, Outbox) {
    let (sender, receiver) = mpsc::channel(MESSAGES);
    let [room, late] = [BYTES, LATE].map(|permits| Arc::new(Semaphore::new(permits)));
    (Sender { queue: sender, room, waiting: Arc::default(), late }, Outbox { queue: receiver })
}

/// Bytes of an answer that waits for room, counted until this is dropped.
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
    /// Whether the queue has no room.
    pub(super) fn is_full(&self) -> bool {
        self.room.available_permits() == 0 && !self.queue.is_closed()
    }

    /// Waits until the queue has room and few of the other waiting requests start: if all started at once, they would
    /// make more answers than fit. Keep the permit until the answer is queued, but no longer than [`HELD`].
    pub(super) async fn ready(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphores are never closed. Without a receiver, sending the answer fails later.
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

    /// Queues an answer once there is room.
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

    /// Counts an answer as waiting.
    fn wait(&self, bytes: usize) -> Result<WaitingBytes<'_>, CellError> {
        let current = self.waiting.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        let waiting = WaitingBytes { all: &self.waiting, bytes };
        if current > WAITING && bytes > SMALL && current > bytes {
            return Err(CellError::Unread { current, limit: WAITING });
        }
        Ok(waiting)
    }

    /// Queues a notification, or drops it when there is no room: no peer waits for one.
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

    /// Whether more than half of the queue is taken. Messages of little value are dropped then.
    pub(super) fn is_half_full(&self) -> bool {
        self.queue.capacity() <= MESSAGES / 2 || self.room.available_permits() <= BYTES / 2
    }
}

/// Returns the room that a message takes.
fn room(message: &[u8]) -> u32 {
    u32::try_from(message.len().min(BYTES)).unwrap_or(u32::MAX)
}
