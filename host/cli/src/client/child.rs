//! A server to which there is a connection, but with which no revision is agreed yet.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::process::ChildStdin;

use super::connection::{Answer, Peer};
use super::incoming::{Incoming, Sent, Source};
use super::launch;
use super::notices::Notices;
use super::outgoing::{Closed, Outgoing, Queued};
use super::server::{Server, Target};
use crate::terminal::Progress;
use taskcell::mrtr::Response;
use taskcell::protocol::jsonrpc::code;
use taskcell::protocol::types::{Implementation, RpcError};
use taskcell::session::Outbox;
use taskcell_gateway::stdio::{ServerProcess, lines};

/// This program's identity, as declared to servers.
pub(crate) fn this_program() -> Implementation {
    Implementation::new("taskcell", env!("CARGO_PKG_VERSION"))
}

/// A server with both directions of its connection.
pub(crate) struct Started {
    pub(crate) server: Server,
    pub(crate) peer: Arc<Peer>,
    pub(crate) incoming: Incoming,
}

impl Started {
    /// Starts a server, or opens the connection to one that runs.
    pub(crate) async fn new(
        target: &Target,
        secrets: &[String],
        notices: &Arc<Notices>,
        progress: Progress,
        strict: bool,
    ) -> anyhow::Result<Self> {
        let (peer, queued) = Peer::new();
        let (server, source) = match target {
            Target::Command(command) => {
                let chatter = Arc::clone(&notices.chatter);
                let log = Arc::new(move |line: &str| chatter.line("server says", line));
                let not_started = || format!("the server {} cannot be started", launch::name(command));
                let command = launch::command(command, secrets).with_context(not_started)?;
                let (process, stdin, stdout) = ServerProcess::start(&command, log).with_context(not_started)?;
                tokio::spawn(write(queued, stdin));
                (Server::Process(process), Source::Stdout(lines::messages(stdout)))
            }
            Target::Url(connector) => {
                // The program holds the credentials.
                launch::hide();
                let connection = connector.connect().await?;
                let passing = tokio::spawn(async move {
                    if let Err(error) = queued.pass_on(&*connection.sender).await {
                        tracing::debug!(%error, "the server takes no more messages");
                    }
                });
                (Server::Remote(passing), Source::Transport(connection.receiver))
            }
        };
        let incoming = Incoming::new(source, Arc::clone(&peer), Arc::clone(notices), progress, strict);
        Ok(Self { server, peer, incoming })
    }

    /// Sends `server/discover`, which asks for the revisions that need no `initialize`.
    pub(crate) async fn probe(&mut self, params: &RawValue, timeout: Duration) -> anyhow::Result<Response> {
        tokio::select! {
            biased;
            answer = self.peer.request_raw("server/discover", &params, timeout) => answer,
            Err(error) = until_response(&mut self.incoming, &self.peer) => Err(error),
            () = self.server.is_over() => Err(Outcome.into()),
        }
    }

    /// Sends `initialize`, which opens a connection in all revisions before 2026-07-28.
    pub(crate) async fn initialize(
        &mut self,
        version: &str,
        capabilities: &Value,
        timeout: Duration,
    ) -> anyhow::Result<Answer> {
        let params = json!({
            "protocolVersion": version,
            "capabilities": capabilities,
            "clientInfo": this_program(),
        });
        tokio::select! {
            biased;
            answer = self.peer.request("initialize", params, timeout) => answer,
            Err(error) = until_response(&mut self.incoming, &self.peer) => Err(error),
            () = self.server.is_over() => Err(Outcome.into()),
        }
    }

    /// Turns an error into its cause for people: when the server went away, says how its process ended.
    pub(crate) async fn ended(&mut self, error: anyhow::Error) -> anyhow::Error {
        if gone(&error) { anyhow::anyhow!(self.server.how_it_ended().await) } else { error }
    }
}

/// Whether the error means that the connection has ended.
fn gone(error: &anyhow::Error) -> bool {
    error.is::<Outcome>() || error.is::<Closed>()
}

/// Error: the server closed its stdout.
#[derive(Debug, thiserror::Error)]
#[error("the server closed its stdout")]
struct Outcome;

/// Reads messages until a response comes, answering pings.
///
/// Any other request is refused at once, because the server may wait for that before it answers. A server should send
/// nothing else before it is initialized. [basic/lifecycle, Initialization] The function returns only errors: the
/// response itself wakes the caller that waits for it.
async fn until_response(incoming: &mut Incoming, peer: &Peer) -> anyhow::Result<Infallible> {
    loop {
        let Some(sent) = incoming.next().await? else { return Err(Outcome.into()) };
        // Batches belong to a revision that is not agreed yet.
        let Sent::Message(text) = sent else { continue };
        let Ok(message) = taskcell::protocol::jsonrpc::Message::read_text(&text) else { continue };
        match (message.method.as_deref(), message.id) {
            (Some("ping"), Some(id)) => peer.send(&json!({ "jsonrpc": "2.0", "id": id, "result": {} })).await?,
            (Some(_), Some(id)) => {
                let error = RpcError::new(code::INVALID_REQUEST, "The client is not initialized yet");
                peer.send(&json!({ "jsonrpc": "2.0", "id": id, "error": error })).await?;
            }
            (Some(_), None) => incoming.notification(&message),
            // A response that no caller waits for is late: it answers an earlier request.
            (None, _) if incoming.response(&message) => std::future::pending::<()>().await,
            (None, _) => {}
        }
    }
}

/// Forwards the messages of a session to the server.
pub(crate) async fn forward(mut from: Outbox, to: Outgoing) {
    while let Some(message) = from.recv().await {
        if to.send(message).await.is_err() {
            return;
        }
    }
}

async fn write(queued: Queued, stdin: ChildStdin) {
    if let Err(error) = queued.write(stdin).await {
        // A server that closed its stdin has ended or is about to end; the reader reports how.
        tracing::debug!(%error, "the server takes no more messages");
    }
}
