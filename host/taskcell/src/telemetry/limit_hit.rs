//! A limit that was hit: its line in the log, and its count.
//!
//! Both are made here, so that who watches a host finds the same word in the log, in the metric and in `data.kind` of
//! the answer.

use std::fmt::Display;

use super::metrics;

/// The target of the line, as filters of the log name it.
const TARGET: &str = "taskcell::hit";

/// How much there was of what a limit bounds, and the limit: bytes, milliseconds, or a number of things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// How much there was, with what was refused; none where it cannot be known.
    pub current: Option<u64>,
    /// The limit.
    pub limit: u64,
}

/// Counts a limit that was hit, in the counter `taskcell_limit_hits_total` with the label `kind`.
pub(crate) fn count(kind: &'static str) {
    metrics::limit_hit(kind);
}

/// The same, and writes the line that every limit has in the log: `what` came of it, and `why`.
pub(crate) fn log(kind: &'static str, usage: Usage, handler: Option<&str>, why: &dyn Display, what: &str) {
    count(kind);
    let Usage { current, limit } = usage;
    tracing::warn!(target: TARGET, handler, error.r#type = kind, current, limit, error = %why, "{what}");
}
