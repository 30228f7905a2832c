//! What a server writes on a stream, a line at a time: what is for the handlers is taken out, the rest goes to rmcp as it is.

use std::io::{self, BufRead};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead, AsyncRead, BufReader, ReadBuf};

use super::connection::{Capacity, Connection, Verdict};

/// Bytes that are read from the server at once: enough to see what a line is, for the rest of what is large need not be here.
const CHUNK: usize = 8 << 10;

/// The stream of a server without what the handlers take. A stdio transport of rmcp reads it.
///
/// Each read gives one line at most, and less of one that is large and surely rmcp's: such a line is not kept. So a line is
/// looked at only when all before it were, by rmcp, too: the answer to `initialize` begins the session that the next line
/// may be for.
pub(super) struct Lines<R> {
    from: Source<R>,
    connection: Arc<Connection>,
    /// A longer line goes to rmcp without a look, which has the same limit and drops it.
    limit: usize,
    line: Vec<u8>,
    state: State,
}

/// What is read from a server.
struct Source<R> {
    from: BufReader<R>,
    /// What was read beyond the end of a line; it comes first.
    ahead: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Source<R> {
    /// What there is; nothing at the end of the stream.
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

    /// Reads what there is of a line, and says whether that is its end. Where nothing is buffered it is read into its place at
    /// once, for to copy a large result is half of what it costs.
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
    /// The line is not complete.
    Reading,
    /// It is, and waits for its turn among the requests that are being answered.
    Waiting(Capacity),
    /// What there is of it goes to rmcp; so much went already.
    Passing { passed: usize },
    /// The rest of it goes to rmcp without a look.
    Through,
}

impl<R: AsyncRead> Lines<R> {
    pub(super) fn new(from: R, connection: Arc<Connection>, limit: usize) -> Self {
        let from = Source { from: BufReader::with_capacity(CHUNK, from), ahead: Vec::new() };
        Self { from, connection, limit, line: Vec::new(), state: State::Reading }
    }
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Reads on, to the end of the line or of what is there, and says what to do then; none at the end of the stream.
    fn read_on(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<State>>> {
        let there = ready!(self.from.poll_there(cx))?;
        if there.is_empty() {
            // What has no end is no message; rmcp knows.
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

    /// What becomes of a complete line.
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

    /// Gives rmcp what fits of what there is of the line, and says what to do then.
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

    /// Gives rmcp what there is of the rest of a line.
    fn pass_through(&mut self, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if ready!(self.from.poll_line(cx, to))? {
            self.state = State::Reading;
        }
        Poll::Ready(Ok(()))
    }
}

/// The bytes up to a line break, with it; all where there is none.
fn to_line_break(bytes: &[u8]) -> &[u8] {
    // The library looks for it many bytes at a time.
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

    /// However much there is at once and however little fits, each read ends with its line, and nothing is lost.
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
