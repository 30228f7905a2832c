//! Removal of many tasks, which also gives their space back. It works on a full disk, where no other change does.
//!
//! SQLite writes changes beside the file first, so on a full disk it cannot even remove rows. In that case this process
//! takes the file for itself alone and keeps the rollback journal in memory. Only then can a power cut, or a kill in
//! the middle of a step, harm the file, so this is done only where there is no other way.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::sqlite::{SqliteLockingMode, SqliteRow};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::open::{self, bring_up, refused};
use super::{SqliteStore, operations, rows, sql};
use crate::support::sqlite_file::{self, Failure, Use};
use crate::tasks::{StoreError, TaskRecord};

/// Tasks that one step removes where the disk has room. Their pages, overwritten with zeros, stand beside the file
/// first.
const AT_ONCE: i64 = 16;

/// Time to wait for other processes that use a file that must be taken alone.
const PATIENCE: Duration = Duration::from_secs(1);

/// Selection of tasks to remove.
#[derive(Debug, Clone, Copy)]
pub struct Clear<'a> {
    /// Principal whose tasks are removed. None for all principals.
    pub principal: Option<&'a str>,
    /// Whether to remove tasks that have ended, besides those that have expired.
    pub ended: bool,
    /// Time by which tasks must have expired.
    pub now: Timestamp,
}

/// Result of a removal.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Cleared {
    /// Removed tasks that had expired, and removed reservations of lost workers, which no requestor knew.
    pub expired: Vec<TaskRecord>,
    /// Removed tasks that had ended.
    pub ended: Vec<TaskRecord>,
    /// Whether no trace of the tasks is left in the file or beside it. Another process that reads the file keeps the
    /// data that it may still need until it closes the store.
    pub wiped: bool,
}

impl SqliteStore {
    /// Removes tasks of the store at `path` and gives their space back to the file system. The tables of an older
    /// version stay as they are.
    ///
    /// # Errors
    /// The errors of [`SqliteStore::open_existing`], and failures of the store. Tasks removed before a failure stay
    /// removed.
    pub async fn clear(path: &Path, what: Clear<'_>) -> Result<Cleared, StoreError> {
        let mut cleared = Cleared::default();
        let (file, _) = open::find(path, Use::Change).await?;
        let mut done = clear(&file, path, what, false, &mut cleared).await;
        if let Err(Failure::Sqlite(error)) = &done
            && sqlite_file::is_of_the_disk(error)
        {
            tracing::warn!("the disk takes nothing more: tasks are removed without what undoes it after a power cut");
            done = clear(&file, path, what, true, &mut cleared).await;
        }
        done.map_err(|failure| refused(path, &failure))?;
        Ok(cleared)
    }
}

/// Removes the selected tasks through a connection of its own.
async fn clear(file: &Path, path: &Path, what: Clear<'_>, alone: bool, cleared: &mut Cleared) -> Result<(), Failure> {
    let mut options = sqlite_file::options(file);
    if alone {
        options = options.locking_mode(SqliteLockingMode::Exclusive).busy_timeout(PATIENCE);
        // A file of an older version is rewritten, and its remaining rows pass through memory.
        options = options.pragma("temp_store", "MEMORY");
    }
    let mut connection = options.connect().await?;
    let done = async {
        bring_up(&mut connection, path, Use::Change).await?;
        if alone {
            sqlx::query("PRAGMA journal_mode = MEMORY").execute(&mut connection).await?;
        } else {
            sqlite_file::write_ahead(&mut connection).await.map_err(Failure::Refused)?;
        }
        let at_once = if alone { 1 } else { AT_ONCE };
        remove(&mut connection, what, at_once, cleared).await?;
        cleared.wiped = sqlite_file::wipe(&mut connection).await?;
        if alone {
            sqlite_file::write_ahead(&mut connection).await.map_err(Failure::Refused)?;
        }
        Ok(())
    };
    let done = done.await;
    let closed = connection.close().await;
    done.and_then(|()| closed.map_err(Failure::Sqlite))
}

async fn remove(
    connection: &mut SqliteConnection,
    Clear { principal, ended, now }: Clear<'_>,
    at_once: i64,
    cleared: &mut Cleared,
) -> Result<(), Failure> {
    let now = rows::saturated(now);
    loop {
        let mut step = connection.begin_with("BEGIN IMMEDIATE").await?;
        let remove =
            sqlx::query(sql::CLEAR).bind(operations::clock()).bind(principal).bind(ended).bind(now).bind(at_once);
        let removed = remove.fetch_all(&mut *step).await?;
        step.commit().await?;
        if removed.is_empty() {
            return Ok(());
        }
        for row in &removed {
            keep(row, now, cleared);
        }
    }
}

/// Records a removed task.
fn keep(row: &SqliteRow, now: i64, cleared: &mut Cleared) {
    match rows::record(row) {
        Ok(record) if record.status.is_final() && rows::saturated(record.expires_at()) > now => {
            cleared.ended.push(record);
        }
        Ok(record) => cleared.expired.push(record),
        // A row that nobody can read must not keep the others from being removed.
        Err(error) => tracing::warn!(%error, "a task that cannot be read is removed"),
    }
}
