//! Errors of a store's file, with the remedy in the message.

use std::path::Path;

use crate::support::sqlite_file::said;
use crate::tasks::StoreError;
use crate::text::one_line;

/// Returns the error of a failed statement on the store at `path`.
pub(super) fn failed(path: &Path, error: &sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => closed(path),
        _ => about(path, &said(error)),
    }
}

/// Returns the error of a call on a store that is closed, or whose runtime is shutting down.
pub(super) fn closed(path: &Path) -> StoreError {
    about(path, "it is closed")
}

/// Returns an error that names the store's file.
pub(super) fn about(path: &Path, what: &str) -> StoreError {
    StoreError(format!("the task store {}: {what}", one_line(&path.display().to_string(), 1_000)))
}
