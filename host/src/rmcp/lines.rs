//! What a server writes on a stream, a line at a time: what is for the handlers is taken out, the rest goes to rmcp as it is.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead, AsyncRead, BufReader, ReadBuf};

use super::connection::{Connection, Room, Verdict};

/// Bytes that are read from the server at once.
const CHUNK: usize = 64 << 10;

/// The stream of a server without what the handlers take. A stdio transport of rmcp reads it.
///
/// Each read gives one line at most. So a line is looked at only when all before it were, by rmcp, too: the answer to
/// `initialize` begins the session that the next line may be for.
pub(super) struct Lines<R> {
    from: BufReader<R>,
    connection: Arc<Connection>,
    /// A longer line goes to rmcp without a look, which has the same limit and drops it.
    limit: usize,
    line: Vec<u8>,
    state: State,
}

enum State {
    /// The line is not complete.
    Reading,
    /// It is, and waits for its turn among the requests that are being answered.
    Waiting(Room),
    /// It goes to rmcp; so much of it went already.
    Passing { passed: usize },
    /// The same of a part of a line that is too long.
    PassingPart { passed: usize },
    /// The rest of a line that is too long.
    ReadingRest,
}

impl<R: AsyncRead> Lines<R> {
    pub(super) fn new(from: R, connection: Arc<Connection>, limit: usize) -> Self {
        let from = BufReader::with_capacity(CHUNK, from);
        Self { from, connection, limit, line: Vec::new(), state: State::Reading }
    }
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Reads on, to the end of the line or of what is there. Says whether the line is complete; none at the end of the stream.
    fn read_on(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<bool>>> {
        let there = ready!(Pin::new(&mut self.from).poll_fill_buf(cx))?;
        if there.is_empty() {
            return Poll::Ready(Ok(None));
        }
        let end = there.iter().position(|byte| *byte == b'\n').map(|end| end.saturating_add(1));
        let part = there.get(..end.unwrap_or(there.len())).unwrap_or(there);
        self.line.extend_from_slice(part);
        let read = part.len();
        Pin::new(&mut self.from).consume(read);
        Poll::Ready(Ok(Some(end.is_some())))
    }

    /// What becomes of a complete line.
    fn judge(&mut self) -> State {
        match self.connection.take(self.line.trim_ascii_end()) {
            Verdict::Taken => {
                self.line.clear();
                State::Reading
            }
            Verdict::NotOurs => State::Passing { passed: 0 },
            Verdict::Busy => State::Waiting(self.connection.room()),
        }
    }

    /// Gives rmcp what fits, and says whether that was the last of it.
    fn pass(&mut self, passed: &mut usize, to: &mut ReadBuf<'_>) -> bool {
        let rest = self.line.get(*passed..).unwrap_or_default();
        let part = rest.get(..to.remaining()).unwrap_or(rest);
        to.put_slice(part);
        *passed = passed.saturating_add(part.len());
        let all = part.len() == rest.len();
        if all {
            self.line.clear();
        }
        all
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Lines<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            this.state = match std::mem::replace(&mut this.state, State::Reading) {
                State::Reading => match this.read_on(cx)? {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(None) if this.line.is_empty() => return Poll::Ready(Ok(())),
                    // It has no end, so it is no message; rmcp knows.
                    Poll::Ready(None) => State::Passing { passed: 0 },
                    Poll::Ready(Some(true)) if this.line.len() <= this.limit => this.judge(),
                    Poll::Ready(Some(true)) => State::Passing { passed: 0 },
                    Poll::Ready(Some(false)) if this.line.len() <= this.limit => State::Reading,
                    Poll::Ready(Some(false)) => State::PassingPart { passed: 0 },
                },
                State::ReadingRest => match this.read_on(cx)? {
                    Poll::Pending => {
                        this.state = State::ReadingRest;
                        return Poll::Pending;
                    }
                    Poll::Ready(None) => return Poll::Ready(Ok(())),
                    Poll::Ready(Some(true)) => State::Passing { passed: 0 },
                    Poll::Ready(Some(false)) => State::PassingPart { passed: 0 },
                },
                State::Waiting(mut room) => match room.as_mut().poll(cx) {
                    Poll::Pending => {
                        this.state = State::Waiting(room);
                        return Poll::Pending;
                    }
                    Poll::Ready(()) => this.judge(),
                },
                State::Passing { mut passed } => {
                    if !this.pass(&mut passed, to) {
                        this.state = State::Passing { passed };
                    }
                    return Poll::Ready(Ok(()));
                }
                State::PassingPart { mut passed } => {
                    let all = this.pass(&mut passed, to);
                    this.state = if all { State::ReadingRest } else { State::PassingPart { passed } };
                    return Poll::Ready(Ok(()));
                }
            };
        }
    }
}
