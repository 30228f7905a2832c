//! Errors of an engine, of a component that is refused, and of a cell that ends without an answer.
//!
//! An engine that cannot be set up ([`EngineError`]) and a component that is refused ([`LoadError`]) are the
//! operator's, who gets the file and the remedy. A cell that ends without an answer ([`CellError`]) is the peer's,
//! which gets -32603 and the kind. `kind()` of each is the stable word: log field, metric label, and `data.kind` on
//! the wire.

mod cell;
mod load;

use std::time::Duration;

pub use cell::CellError;
pub(crate) use load::other_wasi;
pub use load::{LoadError, LoadFault, Part};

/// Error of an [`Engine`](crate::Engine) that cannot run with its settings on this machine.
#[derive(Debug, thiserror::Error)]
#[error("the engine cannot be set up: {0}")]
pub struct EngineError(pub(crate) String);

impl EngineError {
    /// The stable word for this error: `engine`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        "engine"
    }
}

pub(crate) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
