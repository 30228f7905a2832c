//! What a server writes on its stdout: messages, and lines that are none.
//!
//! Package managers, banners and debug prints end up on the stdout of real servers. Such a line is shown and skipped, as the
//! SDKs of Python and TypeScript do. An answer that cannot be read is not skipped: somebody waits for it.

use std::sync::Arc;

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::process::ChildStdout;

use super::batch::{self, Batch};
use super::lines::{self, Lines};
use super::notices::Notices;
use super::peer::Peer;
use super::terminal::{self, Progress};
use taskcell::protocol::jsonrpc::Message;

/// Lines without a message that are shown.
const SHOWN: u64 = 5;
/// What some programs put before their first line. A parser may ignore it. [RFC 8259, 8.1]
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What a server sent.
pub(super) enum Sent {
    /// A message.
    Message(String),
    /// Several, which revision 2025-03-26 allows.
    Batch(Batch),
}

/// The messages of a server.
pub(super) struct Incoming {
    lines: Lines<ChildStdout>,
    peer: Arc<Peer>,
    notices: Arc<Notices>,
    progress: Progress,
    /// Whether a line without a message ends the connection.
    strict: bool,
    /// Whether messages may come in batches.
    pub(super) batches: bool,
    /// Lines without a message.
    skipped: u64,
}

impl Incoming {
    pub(super) fn new(
        stdout: ChildStdout,
        peer: Arc<Peer>,
        notices: Arc<Notices>,
        progress: Progress,
        strict: bool,
    ) -> Self {
        let lines = lines::messages(stdout);
        Self { lines, peer, notices, progress, strict, batches: false, skipped: 0 }
    }

    /// Gives what the server sent next; none at the end of its stdout.
    ///
    /// # Errors
    /// When a line is too long, when an answer cannot be read, and in strict mode when anything else cannot.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Sent>> {
        loop {
            let Some(line) = lines::next(&mut self.lines).await.context("reading from the server failed")? else {
                return Ok(None);
            };
            if let Some(sent) = self.read(line)? {
                return Ok(Some(sent));
            }
        }
    }

    /// Reads and drops what comes, to the end of the stream.
    pub(super) async fn drain(&mut self) {
        while let Ok(Some(_)) = lines::next(&mut self.lines).await {}
    }

    /// Takes a response: wakes whoever waits for it, and says what is odd about it. Says whether somebody waited.
    pub(super) fn response(&self, message: &Message<'_>) -> bool {
        self.peer.response(message, |remark| self.notices.chatter.line("odd answer", remark))
    }

    /// Takes a notification.
    pub(super) fn notification(&self, message: &Message<'_>) {
        self.notices.take(message);
    }

    /// What a line holds; none where it is no message and skipped.
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

    /// A line that is no message.
    fn unreadable(&mut self, line: &str, why: &str) -> anyhow::Result<Option<Sent>> {
        let quoted = format!("{:?}", terminal::one_line(line));
        if self.strict {
            bail!("the server's stdout has what is no MCP (a server logs on stderr): not a JSON-RPC message: {quoted}");
        }
        if self.is_response(line) {
            bail!("the server's answer cannot be read: {}: {quoted}", terminal::one_line(why));
        }
        self.skipped = self.skipped.saturating_add(1);
        self.peer.note(|| format!("the server's stdout has what is no MCP: {quoted}"));
        if self.skipped <= SHOWN {
            self.progress.line(format!(
                "not MCP      skipped a line of the server's stdout (a server logs on stderr): {quoted}"
            ));
        } else if self.skipped == SHOWN + 1 {
            self.progress.line("not MCP      more such lines are skipped and not shown");
        }
        Ok(None)
    }

    /// Whether a line that is no message was to be an answer.
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
        // No JSON: by the member that comes first.
        let first = ["\"method\"", "\"result\"", "\"error\""].map(|member| line.find(member));
        let [method, result, error] = first.map(|at| at.unwrap_or(usize::MAX));
        line.contains("\"jsonrpc\"") && result.min(error) < method
    }
}
