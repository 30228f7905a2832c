//! A server as a child process, together with the processes that it starts.
//!
//! Servers are often started through a launcher (npx, uv), so killing only the child would leave the server behind. The
//! child leads its own process group, and the whole group is ended.

use std::ffi::OsString;
use std::io;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use process_wrap::tokio::{ChildWrapper, CommandWrap, KillOnDrop, ProcessGroup};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::last_words::LastWords;
use super::lines;
use taskcell::text::one_line;

/// Receives the lines of a server's log, its stderr. They are the server's words and not printable yet.
pub type ServerLog = Arc<dyn Fn(&str) + Send + Sync>;

/// Receives lines for people. They are printable.
pub type Notice = Arc<dyn Fn(&str) + Send + Sync>;

/// Command line of a server, ready to be started.
#[derive(Debug, Clone)]
pub struct ServerCommand {
    /// Program, looked up in `PATH` when it is a name.
    pub program: OsString,
    /// Arguments of the program.
    pub arguments: Vec<OsString>,
    /// Environment variables that the server does not inherit, such as the secrets of handlers.
    pub secrets: Vec<String>,
}

/// Time that a server has to end after its stdin is closed, before it gets SIGTERM. [basic/lifecycle, Shutdown]
pub const GRACE: Duration = Duration::from_millis(1_500);
/// Time that a server has after SIGTERM, and that the system has after SIGKILL.
const PATIENCE: Duration = Duration::from_millis(500);
/// Time to wait for the last log lines of an ended server: one of its children may keep the pipe open forever.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Time to read the last messages of an ended server.
const LAST_MESSAGES: Duration = Duration::from_millis(100);
/// Bytes that are read of one line of the server's log; the rest of the line is dropped.
const MAX_LOG_LINE: usize = 4 << 10;
/// Characters of the last words that are quoted.
const MAX_WORDS: usize = 300;
/// Number of SIGTERM, the same on every Unix.
const SIGTERM: i32 = 15;

/// Server that runs. Dropping it kills its process group.
#[derive(Debug)]
pub struct ServerProcess {
    child: Box<dyn ChildWrapper>,
    /// Task that reads the server's log to its end.
    log: JoinHandle<()>,
    last_words: Arc<Mutex<LastWords>>,
}

impl ServerProcess {
    /// Starts a server with this program's environment, without the variables in `secrets`. The lines of the server's
    /// stderr go to `log`.
    ///
    /// # Errors
    /// The system's error, when the program cannot be started.
    pub fn start(command: &ServerCommand, log: ServerLog) -> io::Result<(Self, ChildStdin, ChildStdout)> {
        let ServerCommand { program, arguments, secrets } = command;
        let mut command = CommandWrap::with_new(program, |command| {
            command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            for variable in secrets {
                command.env_remove(variable);
            }
        });
        command.wrap(ProcessGroup::leader()).wrap(KillOnDrop);
        let mut child = command.spawn()?;
        let missing = || io::Error::other("the process has no pipes");
        let stdin = child.stdin().take().ok_or_else(missing)?;
        let stdout = child.stdout().take().ok_or_else(missing)?;
        let stderr = child.stderr().take().ok_or_else(missing)?;
        let last_words = Arc::<Mutex<LastWords>>::default();
        let log = tokio::spawn(drain(stderr, log, Arc::clone(&last_words)));
        Ok((Self { child, log, last_words }, stdin, stdout))
    }

    /// Waits until the server process has ended and there was time to read its last messages. Children of the server
    /// may keep running and hold its stdout open.
    pub async fn is_over(&mut self) {
        if self.child.wait().await.is_err() {
            // The state of the process is unknown; the end of its stdout will be the sign.
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(LAST_MESSAGES).await;
    }

    /// Describes for people how the server ended by itself.
    pub async fn how_it_ended(&mut self) -> String {
        let how = match timeout(GRACE, self.child.wait()).await {
            Ok(Ok(status)) => format!("the server ended ({status})"),
            _ => "the server closed its stdout".to_owned(),
        };
        // The last log lines may still be in the pipe.
        if !self.log.is_finished() {
            let _ = timeout(LAST_WORDS, &mut self.log).await;
        }
        match self.last_words.lock().unwrap_or_else(PoisonError::into_inner).cause() {
            Some(cause) => format!("{how}; its last words: {}", one_line(&cause, MAX_WORDS)),
            None => how,
        }
    }

    /// Waits until `until` for the server to end, whose stdin is closed or about to be, then ends what is left of its
    /// group. [basic/lifecycle, Shutdown]
    pub async fn stop(mut self, until: Instant) {
        if timeout_at(until, self.child.wait()).await.is_err() {
            let _ = self.child.signal(SIGTERM);
            let _ = timeout(PATIENCE, self.child.wait()).await;
        }
        self.kill();
        let _ = timeout(PATIENCE, self.child.wait()).await;
        // The last log lines may still be in the pipe.
        if !self.log.is_finished() {
            let _ = timeout(LAST_MESSAGES, &mut self.log).await;
        }
    }

    /// Kills the whole group, even when the child has ended: its children may be left.
    fn kill(&mut self) {
        // The only possible error is that no process is left.
        let _ = self.child.start_kill();
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Reads a server's log to its end, whatever its bytes: a server whose stderr is closed dies at its next line.
/// [basic/transports, stdio]
async fn drain(stderr: ChildStderr, log: ServerLog, last_words: Arc<Mutex<LastWords>>) {
    let mut lines = lines::log(stderr, MAX_LOG_LINE);
    loop {
        match lines::next(&mut lines).await {
            Ok(Some(line)) => {
                let line = String::from_utf8_lossy(&line.text);
                log(&line);
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
