//! Shared writer to a server's stream, for lines of rmcp and of the handlers.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::future::BoxFuture;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// Stream that lines are written to; none once the connection is closed.
pub(super) type SharedWriter<W> = Arc<Mutex<Option<W>>>;

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the connection is closed")
}

/// Writes a whole line of the handlers.
pub(super) async fn write_line<W: AsyncWrite + Unpin>(to: &SharedWriter<W>, mut message: Vec<u8>) -> io::Result<()> {
    message.push(b'\n');
    let mut to = to.lock().await;
    let to = to.as_mut().ok_or_else(closed)?;
    to.write_all(&message).await?;
    to.flush().await
}

/// Writer for rmcp. It holds the stream from the first byte of a line to its last, also when rmcp drops a write in
/// between, because rmcp continues the line later.
pub(super) struct Writer<W> {
    to: SharedWriter<W>,
    held: Option<OwnedMutexGuard<Option<W>>>,
    waiting: Option<BoxFuture<'static, OwnedMutexGuard<Option<W>>>>,
    /// Whether the last write ended a line.
    whole: bool,
}

impl<W: AsyncWrite + Send + Unpin + 'static> Writer<W> {
    pub(super) fn new(to: SharedWriter<W>) -> Self {
        Self { to, held: None, waiting: None, whole: true }
    }

    /// Waits until no other writer is within a line, and returns the stream.
    fn hold(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pin<&mut W>>> {
        if self.held.is_none() && self.waiting.is_none() {
            match Arc::clone(&self.to).try_lock_owned() {
                Ok(held) => self.held = Some(held),
                Err(_) => self.waiting = Some(Box::pin(Arc::clone(&self.to).lock_owned())),
            }
        }
        if let Some(waiting) = &mut self.waiting {
            self.held = Some(ready!(waiting.as_mut().poll(cx)));
            self.waiting = None;
        }
        let to = self.held.as_deref_mut().and_then(Option::as_mut);
        Poll::Ready(to.map(Pin::new).ok_or_else(closed))
    }
}

impl<W: AsyncWrite + Send + Unpin + 'static> AsyncWrite for Writer<W> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(ready!(self.hold(cx))?.poll_write(cx, bytes))?;
        // rmcp writes JSON without a line break in it, and one after it.
        let last = written.checked_sub(1).and_then(|last| bytes.get(last));
        self.whole = last.map_or(self.whole, |last| *last == b'\n');
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(to) = self.held.as_deref_mut().and_then(Option::as_mut) else { return Poll::Ready(Ok(())) };
        ready!(Pin::new(to).poll_flush(cx))?;
        if self.whole {
            self.held = None;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.hold(cx))?.poll_shutdown(cx)
    }
}
