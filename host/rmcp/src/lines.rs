//! Lines that a server writes on a stream: lines for the handlers are taken out, the others go to rmcp unchanged.

use std::io::{self, BufRead};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead, AsyncRead, BufReader, ReadBuf};

use super::connection::{Capacity, Connection, Verdict};

/// Number of bytes that are read at once: enough to classify a line, whose rest need not be read yet.
const CHUNK: usize = 8 << 10;

/// Stream of a server without the handlers' lines, read by a stdio transport of rmcp.
///
/// Each read returns one line at most, and less of a large one that is surely for rmcp, which is not buffered. So a
/// line is inspected only after rmcp has read all lines before it: the answer to `initialize` starts the session that
/// the next line may be for.
pub(super) struct Lines<R> {
    from: Source<R>,
    connection: Arc<Connection>,
    /// Length above which a line goes to rmcp uninspected. rmcp has the same limit and drops it.
    limit: usize,
    line: Vec<u8>,
    state: State,
}

/// Bytes that are read from a server.
struct Source<R> {
    from: BufReader<R>,
    /// Bytes that were read beyond the end of a line; they come first.
    ahead: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Source<R> {
    /// Returns the bytes that are available; none at the end of the stream.
    fn poll_there(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        if self.ahead.is_empty() { Pin::new(&mut self.from).poll_fill_buf(cx) } else { Poll::Ready(Ok(&self.ahead)) }
    }

    fn consume(&mut self, bytes: usize) {
        if self.ahead.is_empty() {
            Pin::new(&mut self.from).consume(bytes);
        } else {
            self.ahead.drain(..bytes.min(self.ahead.len()));
        }
    }

    /// Reads available bytes of a line, and returns whether they end it. Without buffered bytes it reads directly into
    /// `to`, because copying a large result is half of its cost.
    fn poll_line(&mut self, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<bool>> {
        if !self.ahead.is_empty() || !self.from.buffer().is_empty() {
            let there = ready!(self.poll_there(cx))?;
            let part = to_line_break(there.get(..to.remaining()).unwrap_or(there));
            to.put_slice(part);
            let (read, ends) = (part.len(), part.ends_with(b"\n"));
            self.consume(read);
            return Poll::Ready(Ok(ends));
        }
        let before = to.filled().len();
        ready!(Pin::new(self.from.get_mut()).poll_read(cx, to))?;
        let read = to.filled().get(before..).unwrap_or_default();
        let line = to_line_break(read);
        let (end, ends) = (before.saturating_add(line.len()), line.ends_with(b"\n"));
        self.ahead.extend_from_slice(read.get(line.len()..).unwrap_or_default());
        to.set_filled(end);
        Poll::Ready(Ok(ends))
    }
}

enum State {
    /// The line is incomplete.
    Reading,
    /// The line is complete, and waits for capacity to be answered.
    Waiting(Capacity),
    /// The line goes to rmcp, as far as it is read; `passed` bytes went already.
    Passing { passed: usize },
    /// The rest of the line goes to rmcp uninspected.
    Through,
}

impl<R: AsyncRead> Lines<R> {
    pub(super) fn new(from: R, connection: Arc<Connection>, limit: usize) -> Self {
        let from = Source { from: BufReader::with_capacity(CHUNK, from), ahead: Vec::new() };
        Self { from, connection, limit, line: Vec::new(), state: State::Reading }
    }
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Reads up to the end of the line or of the available bytes, and returns the next state; none at the end of the
    /// stream.
    fn read_on(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<State>>> {
        let there = ready!(self.from.poll_there(cx))?;
        if there.is_empty() {
            // A text without an end is no message; rmcp handles it.
            return Poll::Ready(Ok((!self.line.is_empty()).then_some(State::Passing { passed: 0 })));
        }
        if self.line.is_empty() && self.connection.passes(there) {
            return Poll::Ready(Ok(Some(State::Through)));
        }
        let part = to_line_break(there);
        self.line.extend_from_slice(part);
        let read = part.len();
        self.from.consume(read);
        Poll::Ready(Ok(Some(match self.line.ends_with(b"\n") {
            _ if self.line.len() > self.limit => State::Passing { passed: 0 },
            true => self.judge(),
            false => State::Reading,
        })))
    }

    /// Returns the state for a complete line.
    fn judge(&mut self) -> State {
        match self.connection.take(self.line.trim_ascii_end()) {
            Verdict::Taken => {
                self.line.clear();
                State::Reading
            }
            Verdict::PassThrough => State::Passing { passed: 0 },
            Verdict::Busy => State::Waiting(self.connection.capacity(self.line.len())),
        }
    }

    /// Passes as much of the line to rmcp as fits, and returns the next state.
    fn pass(&mut self, passed: usize, to: &mut ReadBuf<'_>) -> State {
        let rest = self.line.get(passed..).unwrap_or_default();
        let part = rest.get(..to.remaining()).unwrap_or(rest);
        to.put_slice(part);
        if part.len() < rest.len() {
            return State::Passing { passed: passed.saturating_add(part.len()) };
        }
        let is_whole = self.line.ends_with(b"\n");
        self.line.clear();
        if is_whole { State::Reading } else { State::Through }
    }

    /// Passes available bytes of the rest of a line to rmcp.
    fn pass_through(&mut self, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if ready!(self.from.poll_line(cx, to))? {
            self.state = State::Reading;
        }
        Poll::Ready(Ok(()))
    }
}

/// Returns the bytes up to and with a line break; all where there is none.
fn to_line_break(bytes: &[u8]) -> &[u8] {
    // The standard library compares many bytes at a time.
    let end = { bytes }.skip_until(b'\n').unwrap_or(bytes.len());
    bytes.get(..end).unwrap_or(bytes)
}

impl<R: AsyncRead + Unpin> AsyncRead for Lines<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            match &mut this.state {
                State::Reading => match ready!(this.read_on(cx))? {
                    Some(next) => this.state = next,
                    None => return Poll::Ready(Ok(())),
                },
                State::Waiting(capacity) => {
                    ready!(capacity.as_mut().poll(cx));
                    this.state = this.judge();
                }
                State::Passing { passed } => {
                    let passed = *passed;
                    this.state = this.pass(passed, to);
                    return Poll::Ready(Ok(()));
                }
                State::Through => return this.pass_through(cx, to),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::super::Adapter;
    use super::super::connection::Carrier;
    use super::*;
    use taskcell::Handlers;

    /// However much is available at once and however little fits, each read ends with its line, and nothing is lost.
    #[tokio::test]
    async fn a_read_gives_one_line_at_most() {
        let large = format!("{{\"result\":\"{}\"}}\n", "x".repeat(40_000));
        let text = format!("{{\"id\":1}}\n\n{large}{{\"id\":2}}\r\n{large}no end");
        for fits in [1, 7, 8 << 10, 1 << 20] {
            for there in [1, 4 << 10, 1 << 20] {
                let (mut server, from) = tokio::io::duplex(there);
                let (connection, _for_rmcp) = Connection::new(Adapter::new(Handlers::default()), Carrier::Stream);
                let mut lines = Lines::new(from, connection, 1 << 20);
                let written = text.clone();
                let writing =
                    tokio::spawn(
                        async move { tokio::io::AsyncWriteExt::write_all(&mut server, written.as_bytes()).await },
                    );
                let (mut all, mut buffer) = (Vec::new(), vec![0; fits]);
                loop {
                    let read = lines.read(&mut buffer).await.unwrap();
                    let part = buffer.get(..read).unwrap();
                    let breaks = part.iter().filter(|byte| **byte == b'\n').count();
                    assert!(breaks == 0 || (breaks == 1 && part.ends_with(b"\n")), "{fits} of {there}");
                    all.extend_from_slice(part);
                    if read == 0 {
                        break;
                    }
                }
                assert!(writing.await.unwrap().is_ok());
                assert_eq!(all, text.as_bytes(), "{fits} of {there}");
            }
        }
    }
}
