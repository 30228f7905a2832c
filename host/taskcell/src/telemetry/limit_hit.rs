//! A limit that was hit: its line in the log, and its count.
//!
//! Both are made here, so that who watches a host finds the same word in the log, in the metric and in `data.kind` of the
//! answer.

use std::fmt::Display;

use crate::error::Usage;
use crate::observe;

/// Counts a limit that was hit, in the counter `taskcell_limit_hits_total` with the label `kind`.
pub(crate) fn count(kind: &'static str) {
    observe::limit_hit(kind);
}

/// The same, and writes the line that every limit has in the log: `what` came of it, and `why`.
pub(crate) fn log(kind: &'static str, usage: Usage, handler: Option<&str>, why: &dyn Display, what: &str) {
    count(kind);
    let Usage { current, limit } = usage;
    tracing::warn!(handler, error.r#type = kind, current, limit, error = %why, "{what}");
}
