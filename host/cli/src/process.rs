//! A server as a child process, with all that it starts.
//!
//! Servers are often started through a launcher (npx, uv), so killing the child alone would leave the server
//! behind. The child leads a process group of its own, and the group is what is ended.

use std::ffi::OsString;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use process_wrap::tokio::{ChildWrapper, CommandWrap, KillOnDrop, ProcessGroup};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::chatter::Chatter;
use super::last_words::LastWords;
use super::{launch, lines, terminal};

/// How long a server has to end once its stdin is closed, before it is sent SIGTERM. [basic/lifecycle, Shutdown]
pub(super) const GRACE: Duration = Duration::from_millis(1_500);
/// How long it has after SIGTERM, and how long the system has after SIGKILL.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long what an ended server said last may take to come: a child of it may keep the pipe open for ever.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How long what an ended server sent last may take to be read.
const LAST_MESSAGES: Duration = Duration::from_millis(100);
/// Bytes of a line of the server's log that are read; the rest is left out.
const MAX_LOG_LINE: usize = 4 << 10;
/// SIGTERM, on every Unix.
const SIGTERM: i32 = 15;

pub(super) struct ServerProcess {
    child: Box<dyn ChildWrapper>,
    /// Reads what the server logs, to the end.
    log: JoinHandle<()>,
    last_words: Arc<Mutex<LastWords>>,
}

impl ServerProcess {
    /// Starts a server with this program's environment but the variables that are `secrets` of handlers. What it logs
    /// on stderr is shown.
    pub(super) fn start(
        command: &[OsString],
        secrets: &[String],
        chatter: Arc<Chatter>,
    ) -> anyhow::Result<(Self, ChildStdin, ChildStdout)> {
        let (program, arguments) = command.split_first().context("no server was given: end with -- SERVER ARGS...")?;
        let not_started = || format!("the server {} cannot be started", program.display());
        launch::hide();
        let (file, arguments) = launch::command(program, arguments).with_context(not_started)?;
        let mut command = CommandWrap::with_new(file, |command| {
            command.args(&arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            for variable in secrets {
                command.env_remove(variable);
            }
        });
        command.wrap(ProcessGroup::leader()).wrap(KillOnDrop);
        let mut child = command.spawn().with_context(not_started)?;
        let stdin = child.stdin().take().context("the server has no stdin")?;
        let stdout = child.stdout().take().context("the server has no stdout")?;
        let stderr = child.stderr().take().context("the server has no stderr")?;
        let last_words = Arc::<Mutex<LastWords>>::default();
        let log = tokio::spawn(drain(stderr, chatter, Arc::clone(&last_words)));
        Ok((Self { child, log, last_words }, stdin, stdout))
    }

    /// Waits until the server itself has ended and what it sent can have been read. A child of it may go on and keep its
    /// stdout open.
    pub(super) async fn is_over(&mut self) {
        if self.child.wait().await.is_err() {
            // Nothing is known of it; its stdout says when it ends.
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(LAST_MESSAGES).await;
    }

    /// How the server ended, when it did by itself.
    pub(super) async fn how_it_ended(&mut self) -> String {
        let how = match timeout(GRACE, self.child.wait()).await {
            Ok(Ok(status)) => format!("the server ended ({status})"),
            _ => "the server closed its stdout".to_owned(),
        };
        // What it said last may still be in the pipe.
        if !self.log.is_finished() {
            let _ = timeout(LAST_WORDS, &mut self.log).await;
        }
        match self.last_words.lock().unwrap_or_else(PoisonError::into_inner).cause() {
            Some(cause) => format!("{how}; its last words: {}", terminal::one_line(&cause)),
            None => how,
        }
    }

    /// Lets the server end, whose stdin is closed by now or will be, until a time; then ends whatever of it is left.
    /// [basic/lifecycle, Shutdown]
    pub(super) async fn stop(mut self, until: Instant) {
        if timeout_at(until, self.child.wait()).await.is_err() {
            let _ = self.child.signal(SIGTERM);
            let _ = timeout(PATIENCE, self.child.wait()).await;
        }
        self.kill();
        let _ = timeout(PATIENCE, self.child.wait()).await;
        // What it logged last may still be in the pipe.
        if !self.log.is_finished() {
            let _ = timeout(LAST_MESSAGES, &mut self.log).await;
        }
    }

    /// Ends the whole group. Also when the child has ended: what it started may be left.
    fn kill(&mut self) {
        // The only error is that nobody is left.
        let _ = self.child.start_kill();
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Reads what a server logs, to its end and whatever it is: a server whose stderr is closed dies at its next line.
/// [basic/transports, stdio]
async fn drain(stderr: ChildStderr, chatter: Arc<Chatter>, last_words: Arc<Mutex<LastWords>>) {
    let mut lines = lines::log(stderr, MAX_LOG_LINE);
    loop {
        match lines::next(&mut lines).await {
            Ok(Some(line)) => {
                let line = String::from_utf8_lossy(&line);
                chatter.line("server says", &line);
                last_words.lock().unwrap_or_else(PoisonError::into_inner).add(&line);
            }
            Ok(None) => return,
            Err(error) => {
                tracing::debug!(%error, "the server's stderr cannot be read");
                return;
            }
        }
    }
}
