//! Telemetry of a host: spans through `tracing`, and metrics through `metrics`.
//!
//! Both crates are facades: an application installs a subscriber and a recorder, or none. Without them telemetry costs
//! a request a few loads and branches: it reads no clock, formats nothing and allocates nothing. All names stand in two
//! tables, [`SPANS`] and [`METRICS`], which `docs/observability.md` repeats. Only this module creates spans and counts,
//! so that the rest of the crate reports events and nothing else.
//!
//! Contents of requests never go into a field: no prompt, no answer, no setting, no argument of an import, no
//! principal. Names that a server chose are truncated and made printable.
//!
//! | file | contents |
//! |---|---|
//! | `spans` | sessions, requests, background work, calls of revision 2026-07-28 |
//! | `context` | traces across processes |
//! | `cells` | calls in cells: CPU time and memory |
//! | `imports` | calls of host functions |
//! | `metrics` | all metrics |
//! | `limit_hit` | log line and count of a limit that was hit |
//!
//! The module knows the types of MCP and no others; errors implement `ErrorType`.

mod cells;
mod context;
mod imports;
pub(crate) mod limit_hit;
mod metrics;
mod spans;

pub use limit_hit::Usage;
pub use metrics::{METRICS, MetricInfo, MetricType, describe_metrics};

pub(crate) use cells::{CellWatch, Measured};
pub use context::{Propagator, TRACEPARENT, TRACESTATE, TraceContext, outgoing_meta, set_propagator};
pub(crate) use imports::{Import, import, model_used};
pub(crate) use metrics::{component_loaded, reloaded, task_created, task_ended};
pub use spans::CallWatch;
pub(crate) use spans::{RequestWatch, WorkWatch, remote_task, session};

use std::borrow::Cow;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tracing::Span;

use crate::protocol::types::RpcError;

/// Number of characters that a field keeps of a foreign name.
const MAX_NAME: usize = 200;

/// Description of a kind of span.
#[derive(Debug)]
#[non_exhaustive]
pub struct SpanInfo {
    /// Name of the span.
    pub name: &'static str,
    /// Level of the span.
    pub level: tracing::Level,
    /// Operation that the span covers.
    pub about: &'static str,
    /// Names of the fields. Those with the prefix `otel.` are read by the layer of OpenTelemetry as name, kind and
    /// status.
    pub fields: &'static [&'static str],
}

/// All spans of this crate, the outermost first. Their target is `taskcell::observe`.
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

/// Outcome of an operation: the field `taskcell.outcome` of spans, and the label `outcome` of metrics.
///
/// The words are the names of the cases in lower case; dashboards rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(const_into_str, serialize_all = "snake_case")]
pub(crate) enum Outcome {
    /// The operation gave a result.
    Ok,
    /// A handler returned an error, a server answered with one, or a guest was given one.
    Error,
    /// No handler serves the kind, so its default error is the answer.
    Default,
    /// The host refused the operation before a handler saw it.
    Refused,
    /// There is no answer, or no valid one: a trap, a limit, a broken rule.
    Failed,
    /// The server cancelled the operation.
    Cancelled,
    /// The future was dropped, because its caller gave up.
    Dropped,
}

impl Outcome {
    /// Whether OpenTelemetry is to see an error. Cancelling is none.
    const fn is_error(self) -> bool {
        !matches!(self, Self::Ok | Self::Cancelled | Self::Dropped)
    }
}

/// Error as spans report it.
pub(crate) trait ErrorType {
    /// Returns the stable word of the error, the field `error.type`.
    fn error_type(&self) -> &'static str;

    /// Returns the outcome of an operation that ends with this error.
    fn outcome(&self) -> Outcome {
        Outcome::Failed
    }

    /// Returns the error of a server or of a handler that this error stands for; none for an error of the host.
    fn rpc(&self) -> Option<&RpcError> {
        None
    }
}

/// Creates a span, if a subscriber takes its level.
///
/// The level is checked first, because `tracing` with its feature `log`, which other crates switch on, formats every
/// field when no subscriber is installed, for a possible logger of the `log` crate.
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

/// Returns the time now, if telemetry is enabled.
fn begin(span: &Span) -> Option<Instant> {
    (!span.is_disabled() || metrics::recording()).then(Instant::now)
}

/// Records how a span ended. Returns its duration.
fn end(span: &Span, start: Instant, outcome: Outcome) -> Duration {
    let wall = start.elapsed();
    if !span.is_disabled() {
        span.record("taskcell.outcome", outcome.into_str()).record("taskcell.wall_us", microseconds(wall));
        if outcome.is_error() {
            span.record("otel.status_code", "ERROR");
        }
    }
    wall
}

/// Returns signed microseconds, because the layer of OpenTelemetry turns unsigned numbers into text.
fn microseconds(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// Returns the field `error.type` of an error: the word of the host for its own error, otherwise the code. Data that a
/// handler or a server adds to its code may be private.
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
