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

/// Whether what failed was the disk or the file system, rather than the file or another process: it is full, cannot be
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
        // A commit is on the disk before it is answered: a power cut takes nothing that was acknowledged.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(PATIENCE)
        // What is removed is written over: text must not stay in a file that nobody can see there.
        .pragma("secure_delete", "ON")
        // The file may come from anywhere: its schema gets no more than it needs, and damage is looked for.
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

/// Makes an empty file that only its owner may read, with its folder. One that is there stays as it is, if it is this
/// user's: see [`private_file`].
///
/// # Errors
/// What is wrong, in words for people.
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

/// Turns write-ahead logging on, which the file then keeps: readers and the writer do not wait for each other.
///
/// This one step does not wait for others by itself.
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
