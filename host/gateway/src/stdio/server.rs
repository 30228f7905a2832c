//! Server that is a child process.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::{Notify, watch};
use tokio::time::{Duration, Instant, timeout};

use super::foreign::ForeignLines;
use super::lines::{self, Line, Lines};
use super::process::{Notice, ServerCommand, ServerLog, ServerProcess};
use super::writer::LineWriter;
use crate::transport::{Connection, Connector, Frame, Receiver, Sender, TransportError};

/// Time that a server has to end after its stdin is closed, while its last messages are passed on.
const DRAIN: Duration = Duration::from_secs(2);
/// Time for the process to be ended after [`DRAIN`].
const END: Duration = Duration::from_secs(2);
/// Byte order mark, which some programs write before their first line. A parser may ignore it. [RFC 8259, 8.1]
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Server that is started as a child process and speaks on its stdin and stdout.
pub struct StdioServer {
    command: ServerCommand,
    name: String,
    log: ServerLog,
    notice: Notice,
}

impl std::fmt::Debug for StdioServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StdioServer").field("name", &self.name).finish_non_exhaustive()
    }
}

impl StdioServer {
    /// Describes a server. `name` is for people and must hold no secret. The lines of the server's stderr go to `log`,
    /// and reports on its stdout to `notice`.
    #[must_use]
    pub fn new(command: ServerCommand, name: String, log: ServerLog, notice: Notice) -> Self {
        Self { command, name, log, notice }
    }
}

#[async_trait]
impl Connector for StdioServer {
    async fn connect(&self) -> Result<Connection, TransportError> {
        let started = ServerProcess::start(&self.command, Arc::clone(&self.log));
        let (process, stdin, stdout) = started
            .map_err(|error| TransportError::Connect(format!("the server {} cannot be started: {error}", self.name)))?;
        let (ended, how) = watch::channel(None);
        let control = Arc::new(Control::default());
        tokio::spawn(supervise(process, Arc::clone(&control), ended));
        let sender = ServerSender { stdin: LineWriter::new(stdin), control: Arc::clone(&control), how: how.clone() };
        let foreign = ForeignLines::new(Arc::clone(&self.notice));
        let lines = Some(lines::messages(stdout));
        Ok(Connection {
            sender: Arc::new(sender),
            receiver: Box::new(ServerReceiver { lines, foreign, control, how, is_first: true }),
        })
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// Wishes of the two ends to the task that has the process.
#[derive(Default)]
struct Control {
    /// The sender closes the connection.
    close: Notify,
    /// The server closed its stdout.
    end_of_output: Notify,
}

/// Description of how the process ended; none while it runs.
type Ended = watch::Receiver<Option<Arc<str>>>;

/// Watches a process to its end, and ends it when the connection is closed or dropped.
async fn supervise(mut process: ServerProcess, control: Arc<Control>, ended: watch::Sender<Option<Arc<str>>>) {
    let by_itself = tokio::select! {
        () = process.is_over() => true,
        () = control.end_of_output.notified() => true,
        () = control.close.notified() => false,
        () = ended.closed() => false,
    };
    let how = if by_itself {
        // What is left of the group is killed when the process is dropped.
        process.how_it_ended().await
    } else {
        let drain = if ended.is_closed() { Duration::ZERO } else { DRAIN };
        process.stop(Instant::now() + drain).await;
        "the connection was closed".to_owned()
    };
    ended.send_replace(Some(how.into()));
}

/// Waits for the end of the process, and describes it.
async fn how_it_ended(how: &mut Ended) -> Option<Arc<str>> {
    how.wait_for(Option::is_some).await.ok().and_then(|how| how.clone())
}

struct ServerSender {
    stdin: LineWriter<ChildStdin>,
    control: Arc<Control>,
    how: Ended,
}

#[async_trait]
impl Sender for ServerSender {
    async fn send(&self, frame: Frame) -> Result<(), TransportError> {
        self.stdin.send(frame).await
    }

    async fn close(&self) {
        self.control.close.notify_one();
        // A server that does not read keeps a sender from finishing.
        let _ = timeout(DRAIN, self.stdin.close()).await;
        let _ = timeout(DRAIN.saturating_add(END), how_it_ended(&mut self.how.clone())).await;
    }
}

struct ServerReceiver {
    /// Lines of the server's stdout; none after its end.
    lines: Option<Lines<ChildStdout>>,
    foreign: ForeignLines,
    control: Arc<Control>,
    how: Ended,
    is_first: bool,
}

#[async_trait]
impl Receiver for ServerReceiver {
    async fn next(&mut self) -> Option<Result<Frame, TransportError>> {
        let lines = self.lines.as_mut()?;
        loop {
            let line = tokio::select! {
                // Lines that the server wrote before its end come first.
                biased;
                line = lines::next(lines) => line,
                // Children of the server may hold its stdout open.
                _ = how_it_ended(&mut self.how) => Ok(None),
            };
            let error = match line {
                Ok(Some(mut line)) => {
                    if std::mem::take(&mut self.is_first) && line.text.starts_with(BYTE_ORDER_MARK) {
                        line.text.drain(..BYTE_ORDER_MARK.len());
                    }
                    if line.cut.is_none() && self.foreign.skips(&line.text) {
                        continue;
                    }
                    return Some(frame(line));
                }
                Ok(None) => {
                    self.control.end_of_output.notify_one();
                    let how = how_it_ended(&mut self.how).await;
                    TransportError::Ended(how.as_deref().unwrap_or("the server ended").to_owned())
                }
                Err(error) => error.into(),
            };
            self.lines = None;
            return Some(Err(error));
        }
    }
}

/// Turns a line into a frame, or into the error for a line that is too long.
pub(super) fn frame(line: Line) -> Result<Frame, TransportError> {
    let Line { text, cut } = line;
    let Some(end) = cut else { return Ok(text.into()) };
    let beginning = Bytes::copy_from_slice(text.get(..BEGINNING).unwrap_or(&text));
    Err(TransportError::TooLarge { limit: lines::MAX_LINE, beginning, end: end.into() })
}

/// Bytes of the beginning of a message that is too long which are kept: enough for its id and its method.
const BEGINNING: usize = 1 << 10;
