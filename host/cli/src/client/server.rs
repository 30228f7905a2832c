//! Server that a client talks to: a process that it starts, or one that is reached by a URL.

use std::ffi::OsString;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use taskcell_gateway::Connector;
use taskcell_gateway::stdio::ServerProcess;

/// Way to a server.
pub(crate) enum Target {
    /// Program with its arguments.
    Command(Vec<OsString>),
    /// Endpoint of streamable HTTP.
    Url(Box<dyn Connector>),
}

/// Server of an open connection.
pub(crate) enum Server {
    /// Process that this program started.
    Process(ServerProcess),
    /// Server of its own. The task passes messages to it, and ends the connection after the last one.
    Remote(JoinHandle<()>),
}

impl Target {
    /// Whether the server is reached by a URL.
    pub(crate) fn is_url(&self) -> bool {
        matches!(self, Self::Url(_))
    }
}

impl Server {
    /// Waits until the server has ended by itself, as far as the program can know it.
    pub(crate) async fn is_over(&mut self) {
        match self {
            Self::Process(process) => process.is_over().await,
            // The end of the connection is all that is seen of it.
            Self::Remote(_) => std::future::pending().await,
        }
    }

    /// Describes for people how the server ended by itself.
    pub(crate) async fn how_it_ended(&mut self) -> String {
        match self {
            Self::Process(process) => process.how_it_ended().await,
            Self::Remote(_) => "the connection to the server ended".to_owned(),
        }
    }

    /// Ends the server, or the session with it, once the last messages are sent. A server that has not ended by `until`
    /// is not waited for.
    pub(crate) async fn stop(self, until: Instant) {
        match self {
            Self::Process(process) => process.stop(until).await,
            Self::Remote(mut passing) => {
                if timeout_at(until, &mut passing).await.is_err() {
                    passing.abort();
                }
            }
        }
    }
}
