//! What can be seen of a host while it works: spans by `tracing`, and metrics by `metrics`.
//!
//! Both are facades, so an application installs whatever listens, and nobody need. Where nobody does, a request pays for a few
//! loads and branches: no clock is read, nothing is formatted, nothing allocated. All names stand in two tables,
//! [`SPANS`] and [`METRICS`], which `docs/observability.md` repeats; the code that makes spans and counts is here alone, so
//! that the rest of the crate says only what happened.
//!
//! Nothing of what a request is about goes into a field: no prompt, no answer, no setting, no argument of an import, no
//! principal. What a server names is cut and made printable.
//!
//! | file | knows |
//! |---|---|
//! | `spans` | sessions, requests, background work, calls of revision 2026-07-28 |
//! | `context` | traces that go on from one process to the next |
//! | `cells` | one cell: its CPU time and memory |
//! | `imports` | one call of a host function |
//! | `metrics` | all metrics |
//! | `limit_hit` | a limit that was hit: its line in the log, and its count |
//!
//! It knows the types of MCP and no others: an error is what [`ErrorType`] says of it.

mod cells;
mod context;
mod imports;
pub(crate) mod limit_hit;
mod metrics;
mod spans;

pub use limit_hit::Usage;
pub use metrics::{METRICS, MetricInfo, MetricType, describe_metrics};

pub(crate) use cells::{CellWatch, Measured};
pub use context::{Propagator, TRACEPARENT, TRACESTATE, TraceContext, outgoing, set_propagator};
pub(crate) use imports::{Import, import, model_used};
pub(crate) use metrics::{component_loaded, reloaded, task_created, task_ended};
pub use spans::CallWatch;
pub(crate) use spans::{RequestWatch, WorkWatch, remote_task, session};

use std::borrow::Cow;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tracing::Span;

use crate::protocol::types::RpcError;

/// Characters of a name that somebody else chose.
const MAX_NAME: usize = 200;

/// A kind of span.
#[derive(Debug)]
#[non_exhaustive]
pub struct SpanInfo {
    /// Its name.
    pub name: &'static str,
    /// Its level.
    pub level: tracing::Level,
    /// What it lasts for.
    pub about: &'static str,
    /// The names of its fields. Those with `otel.` are for the layer of OpenTelemetry, which takes them as name, kind and status.
    pub fields: &'static [&'static str],
}

/// All spans, the outermost first. Their target is `taskcell::observe`.
pub const SPANS: &[SpanInfo] = &[
    SpanInfo {
        name: "session",
        level: tracing::Level::INFO,
        about: "a conversation with a server",
        fields: &["taskcell.server", "mcp.protocol.version"],
    },
    SpanInfo {
        name: "call",
        level: tracing::Level::INFO,
        about: "a call of the application to a server, with its rounds of input",
        fields: &[
            "otel.name",
            "otel.kind",
            "otel.status_code",
            "mcp.method.name",
            "mcp.protocol.version",
            "rpc.response.status_code",
            "error.type",
            "taskcell.rounds",
            "taskcell.outcome",
            "taskcell.wall_us",
        ],
    },
    SpanInfo {
        name: "remote_task",
        level: tracing::Level::INFO,
        about: "a task of the server that a call waits for",
        fields: &["task.id"],
    },
    SpanInfo {
        name: "request",
        level: tracing::Level::INFO,
        about: "a request of the server, from its text to the answer's",
        fields: &[
            "otel.name",
            "otel.kind",
            "otel.status_code",
            "mcp.method.name",
            "mcp.protocol.version",
            "jsonrpc.request.id",
            "rpc.response.status_code",
            "error.type",
            "taskcell.kind",
            "taskcell.handler.name",
            "taskcell.traceparent",
            "taskcell.outcome",
            "taskcell.wall_us",
        ],
    },
    SpanInfo {
        name: "work",
        level: tracing::Level::INFO,
        about: "the work of a task, after the answer that named it",
        fields: &[
            "otel.status_code",
            "task.id",
            "error.type",
            "taskcell.kind",
            "taskcell.attempt",
            "taskcell.traceparent",
            "taskcell.outcome",
            "taskcell.wall_us",
        ],
    },
    SpanInfo {
        name: "cell",
        level: tracing::Level::INFO,
        about: "a call of an export in a cell",
        fields: &[
            "otel.status_code",
            "error.type",
            "taskcell.kind",
            "taskcell.handler.name",
            "taskcell.handler.digest",
            "taskcell.cell.reused",
            "taskcell.outcome",
            "taskcell.cpu_us",
            "taskcell.wall_us",
            "taskcell.memory_bytes",
        ],
    },
    SpanInfo {
        name: "import",
        level: tracing::Level::DEBUG,
        about: "a host function that the guest called",
        fields: &[
            "otel.name",
            "otel.status_code",
            "taskcell.import.interface",
            "taskcell.import.function",
            "gen_ai.response.model",
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.output_tokens",
            "taskcell.outcome",
            "taskcell.wall_us",
        ],
    },
];

/// How something ended: the field `taskcell.outcome` of spans, and the label `outcome` of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With a result.
    Ok,
    /// With an error that the handler returned, a server answered with, or a guest was given.
    Error,
    /// No handler takes the kind: with its default error.
    Default,
    /// The host refused it before a handler saw it.
    Refused,
    /// Without an answer, or with one that is none: a trap, a limit, a broken rule.
    Failed,
    /// The server cancelled it.
    Cancelled,
    /// Nobody waited any more: the future was dropped.
    Dropped,
}

impl Outcome {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Default => "default",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Dropped => "dropped",
        }
    }

    /// Whether OpenTelemetry is to see an error. Who cancels does not fail.
    const fn is_error(self) -> bool {
        !matches!(self, Self::Ok | Self::Cancelled | Self::Dropped)
    }
}

/// An error as spans tell of it.
pub(crate) trait ErrorType {
    /// The stable word of the error: the field `error.type`.
    fn error_type(&self) -> &'static str;

    /// How something ended that ended with the error.
    fn outcome(&self) -> Outcome {
        Outcome::Failed
    }

    /// The error of a server or of a handler that it stands for; none for one of the host.
    fn rpc(&self) -> Option<&RpcError> {
        None
    }
}

/// Makes a span, if anybody listens at its level.
///
/// That is asked first, for `tracing` with its feature `log`, which others switch on, makes the text of every field where no
/// subscriber is installed: it could be for the `log` crate.
macro_rules! span {
    ($level:ident, parent: $parent:expr, $($rest:tt)*) => {
        if tracing::level_filters::LevelFilter::current() >= tracing::Level::$level {
            tracing::span!(target: "taskcell::observe", parent: $parent, tracing::Level::$level, $($rest)*)
        } else {
            tracing::Span::none()
        }
    };
    ($level:ident, $($rest:tt)*) => {
        if tracing::level_filters::LevelFilter::current() >= tracing::Level::$level {
            tracing::span!(target: "taskcell::observe", tracing::Level::$level, $($rest)*)
        } else {
            tracing::Span::none()
        }
    };
}
use span;

/// The time now, if anybody listens.
fn begin(span: &Span) -> Option<Instant> {
    (!span.is_disabled() || metrics::recording()).then(Instant::now)
}

/// Writes how a span ended; gives how long it took.
fn end(span: &Span, start: Instant, outcome: Outcome) -> Duration {
    let wall = start.elapsed();
    if !span.is_disabled() {
        span.record("taskcell.outcome", outcome.word()).record("taskcell.wall_us", microseconds(wall));
        if outcome.is_error() {
            span.record("otel.status_code", "ERROR");
        }
    }
    wall
}

/// Signed, for the layer of OpenTelemetry makes text of what has no sign.
fn microseconds(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// The field `error.type` of an error that ended something this way: the host's own word, or the code. What a handler or a
/// server writes beside its code is its own affair, and may be private.
fn error_type(error: &RpcError, outcome: Outcome) -> Cow<'_, str> {
    #[derive(Deserialize)]
    struct Data<'a> {
        #[serde(borrow)]
        kind: Cow<'a, str>,
    }
    let data = error.data.as_deref().filter(|_| outcome != Outcome::Error);
    let data = data.and_then(|data| serde_json::from_str::<Data<'_>>(data).ok());
    data.map_or_else(|| error.code.to_string().into(), |data| data.kind)
}
