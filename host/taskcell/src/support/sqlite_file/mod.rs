//! Common handling of the program's SQLite files: only the owner may read a file, commits are on disk, several
//! processes may use it, removed data is gone, and errors say what to do.
//!
//! | file | knows |
//! |---|---|
//! | `shape` | the owner of a file: the mark in its header, its tables, their versions |
//! | `space` | giving free space back, with the text in it |

mod shape;
mod space;

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, SqliteConnection};

use crate::support::private_file;
use crate::text::one_line;

pub(crate) use shape::{Failure, Shape, Use, Version};
pub(crate) use space::{convert, give_back, wipe};

/// Time that a statement waits for another process to end its transaction.
const PATIENCE: Duration = Duration::from_secs(5);

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

/// Describes a file error for people.
pub(crate) fn said(error: &sqlx::Error) -> String {
    let said = one_line(&error.to_string(), 300);
    match primary_code(error).and_then(|code| CAUSES.iter().find(|(known, _)| *known == code)) {
        Some((_, cause)) => format!("{cause} ({said})"),
        None => said,
    }
}

/// Whether the disk or the file system failed, rather than the file or another process: the disk is full, cannot be
/// written, or fails.
pub(crate) fn is_of_the_disk(error: &sqlx::Error) -> bool {
    matches!(primary_code(error), Some(8 | 10 | 13 | 14))
}

fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

/// Options to open connections to a file, without creating it.
pub(crate) fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .foreign_keys(true)
        // A commit is on the disk before it is acknowledged, so a power cut loses nothing acknowledged.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(PATIENCE)
        // Removed rows are overwritten: no text may stay in the file where nobody can see it.
        .pragma("secure_delete", "ON")
        // The file may come from anywhere, so its schema gets no more rights than it needs, and SQLite checks it for
        // damage.
        .pragma("trusted_schema", "OFF")
        .pragma("cell_size_check", "ON")
        .disable_statement_logging()
}

/// Options to open connections to a file that may be empty. Free pages of a new file can be given back; a file of an
/// older version gets this by `convert`. Setting the option for a file with tables would write to the file.
pub(crate) fn options_to_make(file: &Path) -> SqliteConnectOptions {
    match std::fs::metadata(file) {
        Ok(found) if found.len() == 0 => options(file).auto_vacuum(SqliteAutoVacuum::Incremental),
        _ => options(file),
    }
}

/// Creates an empty file, with its folder, that only its owner may read. An existing file stays as it is if it belongs
/// to this user: see [`private_file`].
///
/// # Errors
/// A message for people that says what is wrong.
pub(crate) async fn make(file: &Path) -> Result<(), String> {
    let not_made = |error: std::io::Error| format!("its file cannot be made: {error}");
    if let Some(folder) = file.parent() {
        private_file::make_folder(folder).map_err(not_made)?;
    }
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    match options.open(file).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let found = tokio::fs::metadata(file).await.map_err(|error| format!("it cannot be looked at: {error}"))?;
            private_file::check_rights(file, &found).map_err(|error| error.to_string())
        }
        Err(error) => Err(not_made(error)),
    }
}

/// Turns on write-ahead logging, so that readers and the writer do not wait for each other. The file keeps this
/// setting.
///
/// SQLite does not wait for other processes in this one step.
pub(crate) async fn write_ahead(writer: &mut SqliteConnection) -> Result<(), String> {
    let pause = Duration::from_millis(20);
    let started = tokio::time::Instant::now();
    loop {
        let mode: Result<String, _> = sqlx::query_scalar("PRAGMA journal_mode = WAL").fetch_one(&mut *writer).await;
        match mode {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => {
                let what = "its file system cannot share memory between processes, which write-ahead logging needs";
                return Err(format!("{what} (journal mode {mode}): keep it on a local disk"));
            }
            Err(error) if started.elapsed() > PATIENCE => return Err(said(&error)),
            Err(_) => tokio::time::sleep(pause).await,
        }
    }
}
