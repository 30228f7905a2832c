//! Reader of what a server sends: messages, and lines of its stdout that are not messages.
//!
//! Package managers, banners and debug prints end up on the stdout of real servers. Such a line is shown and skipped,
//! as in the SDKs of Python and TypeScript. A response that cannot be read is an error instead, because a caller waits
//! for it.

use std::sync::Arc;

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::process::ChildStdout;

use super::batch::{self, Batch};
use super::connection::Peer;
use super::notices::Notices;
use crate::terminal::{self, Progress};
use taskcell::protocol::jsonrpc::Message;
use taskcell_gateway::stdio::lines::{self, Line, LineError, Lines};
use taskcell_gateway::{Receiver, TransportError};

/// Number of skipped lines that are shown.
const SHOWN: u64 = 5;
/// Byte order mark, which some programs write before their first line. A parser may ignore it. [RFC 8259, 8.1]
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One text of a server that holds a message or a batch.
pub(crate) enum Sent {
    /// A single message, as text.
    Message(String),
    /// A batch of messages, which revision 2025-03-26 allows.
    Batch(Batch),
}

/// Origin of a server's messages.
pub(crate) enum Source {
    /// Lines of the stdout of a process.
    Stdout(Lines<ChildStdout>),
    /// Frames of a transport.
    Transport(Box<dyn Receiver>),
}

/// Stream of a server's messages.
pub(crate) struct Incoming {
    source: Source,
    peer: Arc<Peer>,
    notices: Arc<Notices>,
    progress: Progress,
    /// Whether a line that is not a message ends the connection.
    strict: bool,
    /// Whether the server may send batches of messages.
    pub(crate) batches: bool,
    /// Number of lines skipped so far.
    skipped: u64,
}

impl Incoming {
    pub(crate) fn new(
        source: Source,
        peer: Arc<Peer>,
        notices: Arc<Notices>,
        progress: Progress,
        strict: bool,
    ) -> Self {
        Self { source, peer, notices, progress, strict, batches: false, skipped: 0 }
    }

    /// Returns the next message or batch of the server; `None` at the end of its stdout, or of the connection.
    ///
    /// # Errors
    /// When a line is too long or a response cannot be read; in strict mode, when any line cannot be read.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<Sent>> {
        loop {
            let Some(line) = self.next_text().await? else { return Ok(None) };
            if let Some(sent) = self.read(line)? {
                return Ok(Some(sent));
            }
        }
    }

    /// Reads and discards everything up to the end of the stream.
    pub(crate) async fn drain(&mut self) {
        while let Ok(Some(_)) = self.next_text().await {}
    }

    async fn next_text(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        let receiver = match &mut self.source {
            Source::Stdout(lines) => {
                let line = lines::next(lines).await.map_err(LineError::from);
                let line = line.and_then(|line| line.map(Line::whole).transpose());
                return line.context("reading from the server failed");
            }
            Source::Transport(receiver) => receiver,
        };
        loop {
            match receiver.next().await {
                None => return Ok(None),
                Some(Ok(frame)) => return Ok(Some(frame.into())),
                Some(Err(TransportError::NotAnswered { id, cause })) => {
                    self.peer.fail(&String::from_utf8_lossy(&id), anyhow::Error::new(*cause));
                }
                Some(Err(error)) if error.is_final() => return Err(error.into()),
                Some(Err(error)) => self.progress.line(format!("not read     {error}")),
            }
        }
    }

    /// Takes a response: wakes the caller that waits for it and reports oddities. Returns whether a caller was waiting.
    pub(crate) fn response(&self, message: &Message<'_>) -> bool {
        self.peer.response(message, |remark| self.notices.chatter.line("odd answer", remark))
    }

    /// Takes a notification.
    pub(crate) fn notification(&self, message: &Message<'_>) {
        self.notices.take(message);
    }

    /// Reads a message or batch from a line; `None` when the line is not a message and is skipped.
    fn read(&mut self, line: Vec<u8>) -> anyhow::Result<Option<Sent>> {
        let line = match line.strip_prefix(BYTE_ORDER_MARK) {
            Some(rest) => rest.to_vec(),
            None => line,
        };
        let line = match String::from_utf8(line) {
            Ok(line) => line,
            Err(error) => {
                let why = format!("it is not UTF-8: {}", error.utf8_error());
                return self.unreadable(&String::from_utf8_lossy(error.as_bytes()), &why);
            }
        };
        if self.batches && line.trim_ascii_start().starts_with('[') {
            return match batch::read(&line) {
                Ok(batch) => Ok(Some(Sent::Batch(batch))),
                Err(error) => self.unreadable(&line, &error.to_string()),
            };
        }
        match Message::read_text(&line).map(drop) {
            Ok(()) => Ok(Some(Sent::Message(line))),
            Err(error) => self.unreadable(&line, &error.message),
        }
    }

    /// Handles a line that is not a message: skips it, or fails.
    fn unreadable(&mut self, line: &str, why: &str) -> anyhow::Result<Option<Sent>> {
        let quoted = format!("{:?}", terminal::one_line(line));
        if let (true, Source::Stdout(_)) = (self.strict, &self.source) {
            bail!(
                "the server's stdout has a line that is not MCP (a server logs on stderr): not a JSON-RPC message: {quoted}"
            );
        }
        if self.is_response(line) {
            bail!("the server's answer cannot be read: {}: {quoted}", terminal::one_line(why));
        }
        self.skipped = self.skipped.saturating_add(1);
        let (has, skipped) = match &self.source {
            Source::Stdout(_) => ("stdout has a line", "a line of the server's stdout (a server logs on stderr)"),
            Source::Transport(_) => ("stream has an event", "an event of the server"),
        };
        self.peer.note(|| format!("the server's {has} that is not MCP: {quoted}"));
        if self.skipped <= SHOWN {
            self.progress.line(format!("not MCP      skipped {skipped}: {quoted}"));
        } else if self.skipped == SHOWN + 1 {
            self.progress.line("not MCP      more such lines are skipped and not shown");
        }
        Ok(None)
    }

    /// Whether a line that cannot be read was meant to be a response.
    fn is_response(&self, line: &str) -> bool {
        #[derive(Deserialize)]
        struct Loose<'a> {
            jsonrpc: Option<serde::de::IgnoredAny>,
            method: Option<serde::de::IgnoredAny>,
            #[serde(borrow)]
            id: Option<&'a RawValue>,
            result: Option<serde::de::IgnoredAny>,
            error: Option<serde::de::IgnoredAny>,
        }
        let line = line.trim_start().trim_start_matches('[').trim_start();
        if !line.starts_with('{') {
            return false;
        }
        let mut objects = serde_json::Deserializer::from_str(line).into_iter::<Loose<'_>>();
        if let Some(Ok(Loose { jsonrpc, method, id, result, error })) = objects.next() {
            let answers = method.is_none() && (result.is_some() || error.is_some());
            return answers && (jsonrpc.is_some() || id.is_some_and(|id| self.peer.awaits(id)));
        }
        // The line is not JSON: decide by the member that comes first.
        let first = ["\"method\"", "\"result\"", "\"error\""].map(|member| line.find(member));
        let [method, result, error] = first.map(|at| at.unwrap_or(usize::MAX));
        line.contains("\"jsonrpc\"") && result.min(error) < method
    }
}
