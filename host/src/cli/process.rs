//! A server as a child process, with all that it starts.
//!
//! Servers are often started through a launcher (npx, uv), so killing the child alone would leave the server
//! behind. The child leads a process group of its own, and the group is what is ended.

use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use process_wrap::tokio::{ChildWrapper, CommandWrap, KillOnDrop, ProcessGroup};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::watch;

use super::peer::{lines, next_line};
use super::terminal::{self, Progress};

/// How long a server has to end once its stdin is closed. [basic/lifecycle, Shutdown]
pub(super) const GRACE: Duration = Duration::from_secs(2);

pub(super) struct ServerProcess {
    child: Box<dyn ChildWrapper>,
    /// The last line that the server logged: often why it ended.
    last_words: watch::Receiver<String>,
}

impl ServerProcess {
    /// Starts a server with this program's environment but the variables that are `secrets` of handlers. What it logs
    /// on stderr is shown.
    pub(super) fn start(
        command: &[OsString],
        secrets: &[String],
        progress: Progress,
    ) -> anyhow::Result<(Self, ChildStdin, ChildStdout)> {
        let (program, arguments) = command.split_first().context("no server was given: end with -- SERVER ARGS...")?;
        let mut command = CommandWrap::with_new(program, |command| {
            command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            for variable in secrets {
                command.env_remove(variable);
            }
        });
        command.wrap(ProcessGroup::leader()).wrap(KillOnDrop);
        let mut child =
            command.spawn().with_context(|| format!("the server {} cannot be started", program.display()))?;
        let stdin = child.stdin().take().context("the server has no stdin")?;
        let stdout = child.stdout().take().context("the server has no stdout")?;
        let stderr = child.stderr().take().context("the server has no stderr")?;
        let (words, last_words) = watch::channel(String::new());
        tokio::spawn(async move {
            let mut lines = lines(stderr);
            while let Ok(Some(line)) = next_line(&mut lines).await {
                progress.line(format!("server says  {line}"));
                words.send_replace(line);
            }
        });
        Ok((Self { child, last_words }, stdin, stdout))
    }

    /// How the server ended, when it did by itself.
    pub(super) async fn how_it_ended(&mut self) -> String {
        let how = match tokio::time::timeout(GRACE, self.child.wait()).await {
            Ok(Ok(status)) => format!("the server ended ({status})"),
            _ => "the server closed its stdout".to_owned(),
        };
        // What it said last may still be in the pipe; the pipe ends with the server.
        let _ = tokio::time::timeout(GRACE, self.last_words.wait_for(|_| false)).await;
        let words = terminal::one_line(&self.last_words.borrow());
        if words.is_empty() { how } else { format!("{how}; its last words: {words}") }
    }

    /// Lets the server end, whose stdin is closed by now, and ends whatever of it is left.
    pub(super) async fn stop(mut self) {
        let _ = tokio::time::timeout(GRACE, self.child.wait()).await;
        self.kill();
        let _ = tokio::time::timeout(GRACE, self.child.wait()).await;
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
