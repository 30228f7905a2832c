//! Transport to a server that is a child process.

use std::io;
use std::process::Stdio as Pipes;
use std::sync::Arc;
use std::time::Duration;

use process_wrap::tokio::{ChildWrapper, CommandWrap};
use rmcp::RoleClient;
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use tokio::process::{ChildStdin, ChildStdout};

use super::connection::Connection;
use super::sink::Sink;
use super::stdio::Stdio;

/// Time for a server to end after its stdin is closed, and again after the signal to terminate, as in rmcp.
/// [basic/lifecycle, Shutdown]
const GRACE: Duration = Duration::from_secs(3);

/// Transport to a server that is a child process, ended with the connection: the counterpart of rmcp's
/// `TokioChildProcess`.
pub struct ChildProcess {
    stdio: Stdio<ChildStdout, ChildStdin>,
    /// Process of the server; none once it has ended.
    child: Option<Box<dyn ChildWrapper>>,
}

impl std::fmt::Debug for ChildProcess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChildProcess").field("child", &self.child).finish_non_exhaustive()
    }
}

impl ChildProcess {
    pub(super) fn start(mut command: CommandWrap, connection: &Arc<Connection>) -> io::Result<(Self, Arc<dyn Sink>)> {
        command.command_mut().stdin(Pipes::piped()).stdout(Pipes::piped());
        let mut child = command.spawn()?;
        let none = || io::Error::other("the server has no stdin or no stdout");
        let (read, write) = (child.stdout().take().ok_or_else(none)?, child.stdin().take().ok_or_else(none)?);
        let (stdio, sink) = Stdio::open(read, write, connection);
        Ok((Self { stdio, child: Some(child) }, sink))
    }

    async fn has_ended(child: &mut dyn ChildWrapper) -> bool {
        matches!(tokio::time::timeout(GRACE, child.wait()).await, Ok(Ok(_)))
    }

    /// Ends the server, whose stdin is closed by now.
    async fn end(&mut self) -> io::Result<()> {
        let Some(child) = &mut self.child else { return Ok(()) };
        let mut ended = Self::has_ended(child.as_mut()).await;
        #[cfg(target_os = "linux")]
        if !ended {
            // Signaling fails only when the process is gone.
            let _ = child.signal(rustix::process::Signal::TERM.as_raw());
            ended = Self::has_ended(child.as_mut()).await;
        }
        if !ended {
            Box::into_pin(child.kill()).await?;
        }
        self.child = None;
        Ok(())
    }
}

impl Transport<RoleClient> for ChildProcess {
    type Error = io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.stdio.send(message)
    }

    fn receive(&mut self) -> impl Future<Output = Option<RxJsonRpcMessage<RoleClient>>> + Send {
        self.stdio.receive()
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        let closed = self.stdio.close().await;
        self.end().await.and(closed)
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // Killing fails only when the process has ended.
            let _ = child.start_kill();
        }
    }
}
