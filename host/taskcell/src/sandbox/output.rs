//! Output of a guest on stdout and stderr: kept up to a bound, for the log and as the cause of a failure.
//!
//! Nobody reads a guest's output directly, but its author wants to see it. A write never fails, because a failing print
//! ends most languages' programs; output above the bound is dropped. The last bytes are kept in addition to the first
//! ones, because a runtime that panics prints the cause at the end.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::support::lock;
use crate::telemetry::{Usage, limit_hit};
use crate::text::one_line;

/// Characters shown of one line.
const MAX_LINE: usize = 1_000;
/// Lines shown of one cell: each is more in the log than what was printed.
const MAX_LINES: usize = 1_000;
/// Lines that are kept as the cause of a failure: the traceback of a Python handler has about ten.
const MAX_LAST_LINES: usize = 20;
/// Bytes that are kept for them beyond the output's own bound.
const MAX_LAST_BYTES: usize = 4 << 10;
/// Bytes that a guest may hand over at once.
const MAX_WRITE: usize = 64 << 10;

/// The output of one cell.
#[derive(Clone)]
pub(crate) struct Output(Arc<Mutex<Printed>>);

#[derive(Default)]
struct Printed {
    kept: Vec<u8>,
    /// The last bytes of those that are over the limit.
    last: VecDeque<u8>,
    /// Bytes that were printed, with those that were dropped.
    all: usize,
    limit: usize,
}

impl Output {
    /// Output of which this many bytes are kept.
    pub(crate) fn new(limit: usize) -> Self {
        Self(Arc::new(Mutex::new(Printed { limit, ..Printed::default() })))
    }

    /// Logs what was printed, a line at a time, printable, so that none can fake another, and without what `redact`
    /// takes out of a text: the handler's secrets; begins anew. The first line names the handler.
    pub(crate) fn log(&self, handler: &str, redact: impl Fn(&str) -> String) -> Logged {
        let Printed { kept, last, all, limit } = &self.take();
        let redacted = |bytes: &[u8]| redact(&String::from_utf8_lossy(bytes));
        let text = redacted(kept);
        for (number, line) in text.lines().take(MAX_LINES).enumerate() {
            let line = one_line(line, MAX_LINE);
            match number {
                0 => tracing::info!(handler, "guest prints: {line}"),
                _ => tracing::info!("guest prints: {line}"),
            }
        }
        let bytes = (*all, *limit, "bytes");
        let lines = (text.lines().count(), MAX_LINES, "lines");
        for (current, limit, what) in [bytes, lines].iter().filter(|(current, limit, _)| current > limit) {
            let usage = Usage { current: Some(*current as u64), limit: *limit as u64 };
            let why = format!("it printed {current} {what}, of which at most {limit} are shown");
            limit_hit::log("output", usage, Some(handler), &why, "what a cell printed is cut");
        }
        let all = [bytes, lines].iter().all(|(current, limit, _)| current <= limit);
        let last = if last.is_empty() { last_lines(&text) } else { last_lines(&redacted(&whole(last))) };
        Logged { all, last }
    }

    fn take(&self) -> Printed {
        let mut printed = self.lock();
        let limit = printed.limit;
        std::mem::replace(&mut *printed, Printed { limit, ..Printed::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Printed> {
        lock(&self.0)
    }
}

/// Logged part of a cell's output.
pub(crate) struct Logged {
    /// Whether all of it is in the log.
    pub(crate) all: bool,
    /// Last lines, printable and without the handler's secrets.
    pub(crate) last: Vec<String>,
}

/// The whole lines of the last bytes. The first line has lost its beginning, and with it what tells a secret.
fn whole(last: &VecDeque<u8>) -> Vec<u8> {
    last.iter().copied().skip_while(|byte| *byte != b'\n').skip(1).collect()
}

fn last_lines(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let mut last: Vec<_> = lines.rev().take(MAX_LAST_LINES).map(|line| one_line(line, MAX_LINE)).collect();
    last.reverse();
    last
}

impl OutputStream for Output {
    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MAX_WRITE)
    }

    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let mut printed = self.lock();
        let room = printed.limit.saturating_sub(printed.kept.len());
        printed.kept.extend(bytes.iter().take(room));
        printed.all = printed.all.saturating_add(bytes.len());
        if bytes.len() > room {
            let most = MAX_LAST_BYTES.min(printed.limit);
            // What is kept already comes before it.
            let before =
                if printed.last.is_empty() { printed.kept.len().saturating_sub(most) } else { printed.kept.len() };
            let Printed { kept, last, .. } = &mut *printed;
            last.extend(kept.iter().skip(before).chain(bytes.iter().skip(room)));
            let over = last.len().saturating_sub(most);
            last.drain(..over);
        }
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }
}

#[async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        // Only WASI 0.3 asks for it, which is not linked.
        Box::new(tokio::io::sink())
    }
}
