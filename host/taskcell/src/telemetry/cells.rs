//! Telemetry of one call of an export in a cell: its span, its CPU time and its memory.
//!
//! CPU time is read only when a subscriber or a recorder is installed, because reading it is a system call at each end
//! of a poll.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tracing::Span;
use tracing::field::Empty;

use super::{ErrorType, MAX_NAME, Outcome, begin, end, metrics, microseconds, span};
use crate::protocol::types::RpcError;
use crate::text::one_line;

/// Resources that a cell has used so far, updated while it runs, because the cell may be dropped at any time.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    /// CPU time in nanoseconds.
    cpu: AtomicU64,
    /// Memory in bytes.
    memory: AtomicUsize,
}

impl Measured {
    /// Adds the CPU time of one more poll.
    pub(crate) fn computed(&self, time: Duration) {
        self.cpu.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    /// Sets the memory of the cell. WebAssembly memories do not shrink.
    pub(crate) fn has_memory(&self, bytes: usize) {
        self.memory.store(bytes, Relaxed);
    }
}

/// Watch of one call of an export. Dropping it ends the span.
pub(crate) struct CellWatch {
    span: Span,
    seen: Option<Seen>,
}

/// Measurements, present only when a subscriber or a recorder is installed.
struct Seen {
    start: Instant,
    export: &'static str,
    measured: Arc<Measured>,
    outcome: Outcome,
    counted: bool,
}

impl CellWatch {
    /// Starts watching a call of the interface `export` in the handler `name` with the digest `digest`.
    pub(crate) fn begin(name: &str, digest: &str, export: &'static str, reused: bool) -> Self {
        let span = span!(
            INFO,
            "cell",
            otel.status_code = Empty,
            error.r#type = Empty,
            taskcell.kind = export,
            taskcell.handler.name = one_line(name, MAX_NAME),
            taskcell.handler.digest = digest,
            taskcell.cell.reused = reused,
            taskcell.outcome = Empty,
            taskcell.cpu_us = Empty,
            taskcell.wall_us = Empty,
            taskcell.memory_bytes = Empty,
        );
        let seen = begin(&span).map(|start| {
            let counted = metrics::recording();
            if counted {
                metrics::cell_begun();
            }
            Seen { start, export, measured: Arc::default(), outcome: Outcome::Dropped, counted }
        });
        Self { span, seen }
    }

    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// Returns the record of the cell's resources; none when telemetry is disabled.
    pub(crate) fn measured(&self) -> Option<&Arc<Measured>> {
        self.seen.as_ref().map(|seen| &seen.measured)
    }

    /// Records the answer of the call.
    pub(crate) fn ended<T, E: ErrorType>(&mut self, answer: &Result<Result<T, RpcError>, E>) {
        let Some(seen) = &mut self.seen else { return };
        seen.outcome = match answer {
            Ok(Ok(_)) => Outcome::Ok,
            Ok(Err(error)) => {
                self.span.record("error.type", error.code.to_string());
                Outcome::Error
            }
            Err(error) => {
                self.span.record("error.type", error.error_type());
                error.outcome()
            }
        };
    }
}

impl Drop for CellWatch {
    fn drop(&mut self) {
        let Some(Seen { start, export, measured, outcome, counted }) = self.seen.take() else { return };
        let (cpu, memory) = (Duration::from_nanos(measured.cpu.load(Relaxed)), measured.memory.load(Relaxed));
        end(&self.span, start, outcome);
        if !self.span.is_disabled() {
            self.span.record("taskcell.cpu_us", microseconds(cpu));
            self.span.record("taskcell.memory_bytes", i64::try_from(memory).unwrap_or(i64::MAX));
        }
        if counted {
            metrics::cell_ended(export, cpu, memory);
        }
    }
}
