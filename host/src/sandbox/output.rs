//! What a guest prints on stdout and stderr: kept up to a bound, for the log.
//!
//! A guest that prints has nobody to print to, but its author wants to see it. A write never fails, because a
//! failing print ends most languages' programs; what is over the bound is dropped.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::error::Usage;
use crate::grants::Settings;
use crate::hit;
use crate::printable::one_line;

/// Characters shown of one line.
const MAX_LINE: usize = 1_000;
/// Lines shown of one cell: each is more in the log than what was printed.
const MAX_LINES: usize = 1_000;
/// Bytes that a guest may hand over at once.
const MAX_WRITE: usize = 64 << 10;

/// The output of one cell.
#[derive(Clone)]
pub(super) struct Output(Arc<Mutex<Printed>>);

#[derive(Default)]
struct Printed {
    kept: Vec<u8>,
    /// Bytes that were printed, with those that were dropped.
    all: usize,
    limit: usize,
}

impl Output {
    /// Output of which this many bytes are kept.
    pub(super) fn new(limit: usize) -> Self {
        Self(Arc::new(Mutex::new(Printed { limit, ..Printed::default() })))
    }

    /// Logs what was printed, a line at a time, printable, so that none can fake another, and without the handler's
    /// secrets; begins anew. Gives whether all of it was.
    pub(super) fn log(&self, handler: &str, settings: Option<&Settings>) -> bool {
        let Printed { kept, all, limit } = &self.take();
        let text = String::from_utf8_lossy(kept);
        let text = settings.map_or(Cow::Borrowed(&*text), |settings| settings.without_secrets(&text));
        for line in text.lines().take(MAX_LINES) {
            tracing::info!(handler, "guest prints: {}", one_line(line, MAX_LINE));
        }
        let bytes = (*all, *limit, "bytes");
        let lines = (text.lines().count(), MAX_LINES, "lines");
        for (current, limit, what) in [bytes, lines].iter().filter(|(current, limit, _)| current > limit) {
            let usage = Usage { current: Some(*current as u64), limit: *limit as u64 };
            let why = format!("it printed {current} {what}, of which at most {limit} are shown");
            hit::log("output", usage, Some(handler), &why, "what a cell printed is cut");
        }
        [bytes, lines].iter().all(|(current, limit, _)| current <= limit)
    }

    fn take(&self) -> Printed {
        let mut printed = self.lock();
        let limit = printed.limit;
        std::mem::replace(&mut *printed, Printed { limit, ..Printed::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Printed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
