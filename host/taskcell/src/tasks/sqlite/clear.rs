//! Removing many tasks, and giving their space back: also on a full disk, where nothing else can be written.
//!
//! SQLite writes what it changes beside the file first, so a full disk keeps it even from removing. There the file is
//! taken for this process alone, and what undoes a step that fails is kept in memory. It is the one thing here that a
//! power cut, or a kill in the middle of a step, can do harm to, so it is done only where there is no other way.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::sqlite::{SqliteLockingMode, SqliteRow};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::open::{self, bring_up, refused};
use super::{SqliteStore, operations, rows, sql};
use crate::support::sqlite_file::{self, Failure, Use};
use crate::tasks::{StoreError, TaskRecord};

/// Tasks that are removed in one step where the disk has room: what is written over for them stands beside the file
/// first.
const AT_ONCE: i64 = 16;

/// Time to wait for other users of a file that must be opened exclusively.
const PATIENCE: Duration = Duration::from_secs(1);

/// Selection of tasks to remove.
#[derive(Debug, Clone, Copy)]
pub struct Clear<'a> {
    /// Only tasks of this principal; of all principals when none.
    pub principal: Option<&'a str>,
    /// Tasks that have ended, too, beside those that have expired.
    pub ended: bool,
    /// Time by which tasks count as expired.
    pub now: Timestamp,
}

/// Removed tasks.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Cleared {
    /// Tasks that had expired, and tasks whose creator was lost before anyone learned of them.
    pub expired: Vec<TaskRecord>,
    /// Tasks that had ended.
    pub ended: Vec<TaskRecord>,
    /// Whether nothing of them is left in the file and beside it. Another process that reads the file keeps what it may
    /// still need, until it closes the store.
    pub wiped: bool,
}

impl SqliteStore {
    /// Removes tasks of the store at `path`, and gives their space back to the file system. The tables of an older
    /// version stay as they are.
    ///
    /// # Errors
    /// As [`SqliteStore::open_existing`], and a failing store. What was removed by then stays removed.
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

/// Removes what is to be removed, by a connection of its own.
async fn clear(file: &Path, path: &Path, what: Clear<'_>, alone: bool, cleared: &mut Cleared) -> Result<(), Failure> {
    let mut options = sqlite_file::options(file);
    if alone {
        options = options.locking_mode(SqliteLockingMode::Exclusive).busy_timeout(PATIENCE);
        // An old file is written anew: what is left of it passes through memory.
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

/// Notes a task that was removed.
fn keep(row: &SqliteRow, now: i64, cleared: &mut Cleared) {
    match rows::record(row) {
        Ok(record) if record.status.is_final() && rows::saturated(record.expires_at()) > now => {
            cleared.ended.push(record);
        }
        Ok(record) => cleared.expired.push(record),
        // It goes all the same: what nobody can read must not keep the rest from being removed.
        Err(error) => tracing::warn!(%error, "a task that cannot be read is removed"),
    }
}
