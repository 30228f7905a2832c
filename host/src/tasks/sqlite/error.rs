//! What goes wrong with a file, in words that say what to do about it.

use std::path::Path;

use crate::printable::one_line;
use crate::tasks::StoreError;

/// SQLite's primary result codes (https://www.sqlite.org/rescode.html) that an operator can do something about.
const CAUSES: &[(i32, &str)] = &[
    (5, "another process has kept it locked for too long: try again when that is done"),
    (6, "another process has kept it locked for too long: try again when that is done"),
    (8, "it cannot be written: give the user that runs this program the right to write the file and its folder"),
    (10, "the disk or the file system failed: see to it before going on; what is in the file was not touched"),
    (11, "the file is damaged: put a copy in its place, or move it away and let `sqlite3 FILE .recover` save the rest"),
    (13, "the disk is full: free some space; what was stored before is kept"),
    (14, "it cannot be opened: see that its folder is there, and that the file may be read and written"),
    (26, "it is no SQLite database, and was not touched: name another file"),
];

/// The error of a statement on the store at `path`.
pub(super) fn failed(path: &Path, error: &sqlx::Error) -> StoreError {
    let said = one_line(&error.to_string(), 300);
    let cause = primary_code(error).and_then(|code| CAUSES.iter().find(|(known, _)| *known == code));
    match (cause, error) {
        (Some((_, cause)), _) => about(path, &format!("{cause} ({said})")),
        (None, sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed) => closed(path),
        (None, _) => about(path, &said),
    }
}

/// The error of a call on a store that was closed, or whose runtime is going down.
pub(super) fn closed(path: &Path) -> StoreError {
    about(path, "it is closed")
}

/// An error that names the store's file.
pub(super) fn about(path: &Path, what: &str) -> StoreError {
    StoreError(format!("the task store {}: {what}", one_line(&path.display().to_string(), 1_000)))
}

fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}
