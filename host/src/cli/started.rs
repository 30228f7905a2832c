//! A server that was started and not yet agreed with: what goes to it, what comes, and its first answers.

use std::convert::Infallible;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::mpsc;

use super::negotiate::{self, Spoken};
use super::peer::{self, Answer, Closed, Lines, Peer};
use super::process::ServerProcess;
use super::terminal::Progress;
use crate::protocol::types::Implementation;
use crate::protocol::{PROTOCOL_VERSION, jsonrpc};

/// What this program says it is.
pub(super) fn this_program() -> Implementation {
    named("taskcell", env!("CARGO_PKG_VERSION"))
}

pub(super) fn named(name: &str, version: &str) -> Implementation {
    let (name, version) = (name.to_owned(), version.to_owned());
    Implementation { name, title: None, version, description: None, website_url: None, icons: None }
}

/// A server that was started, and what it sends.
pub(super) struct Started {
    pub(super) process: ServerProcess,
    pub(super) peer: Arc<Peer>,
    pub(super) lines: Lines<ChildStdout>,
    pub(super) to_server: mpsc::Sender<Vec<u8>>,
}

impl Started {
    pub(super) fn new(command: &[OsString], secrets: &[String], progress: Progress) -> anyhow::Result<Self> {
        let (process, stdin, stdout) = ServerProcess::start(command, secrets, progress)?;
        let (peer, requests) = Peer::new();
        let (to_server, outgoing) = mpsc::channel(64);
        tokio::spawn(forward(requests, to_server.clone()));
        tokio::spawn(write(outgoing, stdin));
        Ok(Self { process, peer, lines: peer::lines(stdout), to_server })
    }

    /// Asks the server whether it speaks revision 2026-07-28.
    pub(super) async fn probe(&mut self, params: &RawValue, timeout: Duration) -> anyhow::Result<Spoken> {
        tokio::select! {
            spoken = negotiate::probe(&self.peer, params, timeout) => spoken,
            Err(error) = until_response(&mut self.lines, &self.peer) => Err(error),
        }
    }

    /// Initializes the server, as all revisions before have it.
    pub(super) async fn initialize(&mut self, capabilities: &Value, timeout: Duration) -> anyhow::Result<Answer> {
        let params = json!({
            "protocolVersion": PROTOCOL_VERSION,
            "capabilities": capabilities,
            "clientInfo": this_program(),
        });
        tokio::select! {
            answer = self.peer.request("initialize", params, timeout) => answer,
            Err(error) = until_response(&mut self.lines, &self.peer) => Err(error),
        }
    }

    /// The error with which it ended, in words when it went away.
    pub(super) async fn ended(&mut self, error: anyhow::Error) -> anyhow::Error {
        if gone(&error) { anyhow::anyhow!(self.process.how_it_ended().await) } else { error }
    }
}

/// Whether the connection has ended.
pub(super) fn gone(error: &anyhow::Error) -> bool {
    error.is::<Ended>() || error.is::<Closed>()
}

/// The server closed its stdout.
#[derive(Debug, thiserror::Error)]
#[error("the server closed its stdout")]
struct Ended;

/// Reads until a response came, answering pings: before it nothing else may be asked. [basic/lifecycle,
/// Initialization] Ends only with an error; the response wakes whoever asked for it.
async fn until_response(lines: &mut Lines<ChildStdout>, peer: &Peer) -> anyhow::Result<Infallible> {
    loop {
        let Some(line) = peer::next_line(lines).await.context("reading from the server failed")? else {
            return Err(Ended.into());
        };
        let message = message(&line)?;
        match (message.method.as_deref(), message.id) {
            (Some("ping"), Some(id)) => {
                peer.send(&json!({ "jsonrpc": "2.0", "id": id, "result": {} })).await?;
            }
            // What nobody waits for is late: the answer to what was asked before.
            (None, Some(_)) if peer.response(&message) => std::future::pending::<()>().await,
            _ => {}
        }
    }
}

pub(super) fn message(line: &str) -> anyhow::Result<jsonrpc::Message<'_>> {
    peer::message(line).context("the server's stdout has what is no MCP (a server logs on stderr)")
}

pub(super) async fn forward(mut from: mpsc::Receiver<Vec<u8>>, to: mpsc::Sender<Vec<u8>>) {
    while let Some(message) = from.recv().await {
        if to.send(message).await.is_err() {
            return;
        }
    }
}

async fn write(messages: mpsc::Receiver<Vec<u8>>, stdin: ChildStdin) {
    if let Err(error) = peer::write_lines(messages, stdin).await {
        // A server that closed its stdin has ended or will; the reader says how.
        tracing::debug!(%error, "the server takes no more messages");
    }
}
