//! Limits that are hit: the log line and the metric of each hit.
//!
//! Both are written here, so that an operator finds the same word in the log, in the metric and in `data.kind` of the
//! answer.

use std::fmt::Display;

use super::metrics;

/// Target of the log lines, as log filters name it.
const TARGET: &str = "taskcell::hit";

/// Usage of a limited resource, and the limit: bytes, milliseconds, or a number of things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Usage including the refused part; none where it is unknown.
    pub current: Option<u64>,
    /// Limit of the resource.
    pub limit: u64,
}

/// Counts a limit that was hit, in the counter `taskcell_limit_hits_total` with the label `kind`.
pub(crate) fn count(kind: &'static str) {
    metrics::limit_hit(kind);
}

/// Counts a limit that was hit, and writes its log line: `what` is the consequence, `why` the reason.
pub(crate) fn log(kind: &'static str, usage: Usage, handler: Option<&str>, why: &dyn Display, what: &str) {
    count(kind);
    let Usage { current, limit } = usage;
    tracing::warn!(target: TARGET, handler, error.r#type = kind, current, limit, error = %why, "{what}");
}
