//! Cells: the components that load, the bounds of a cell, and its spans, counters and lines of the log.

mod cache;
mod fuzz_corpus;
mod hostile;
mod limit_hits;
mod limits;
mod load;
mod observe;
mod otel;
mod proposals;
mod reuse;
mod soak;
mod wasi;
