//! Task store in a SQLite file. Acknowledged changes survive the end of the process and a power cut.
//!
//! Several processes on one machine may share the file. Each has one connection that writes, with group commit, and a
//! few connections that read. A reader sees all changes committed before its query. Every statement finds its rows by
//! an index, so the cost of an operation does not grow with the number of tasks.
//!
//! | file | contents |
//! |---|---|
//! | `open` | opening: creating the file, recognizing it, its tables and settings |
//! | `writer` | group commit |
//! | `operations` | the changes of the store |
//! | `clear` | removal of many tasks, also on a full disk |
//! | `sql` | the statements |
//! | `rows` | records as rows |
//! | `watchers` | callers that wait for a change |
//! | `error` | errors, for people |

mod clear;
mod error;
mod open;
mod operations;
mod rows;
mod sql;
#[cfg(test)]
mod tests;
mod watchers;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::SqlitePool;

use super::{
    Claim, Full, Job, Lease, NewTask, Outcome, PrincipalFilter, Room, StoreError, StoreOutcome, TaskRecord, TaskStore,
    Transition, Work,
};
use crate::support::private_file::Identity;
use crate::support::sqlite_file::Use;
use error::{about, closed, failed};
use open::Opened;
use rows::TaskRow;
use watchers::Watchers;
use writer::Writer;

pub use clear::{Clear, Cleared};

/// Task store in a SQLite file, which several processes of one machine may share.
///
/// A dropped store still does its queued work. [`SqliteStore::close`] waits for that.
#[derive(Debug)]
pub struct SqliteStore {
    path: Arc<Path>,
    /// Path and identity of the file.
    file: Arc<(PathBuf, Identity)>,
    secret: [u8; 32],
    writer: Writer,
    readers: SqlitePool,
    watchers: Arc<Watchers>,
}

impl SqliteStore {
    /// Opens the store at `path` to serve requests. A missing file is created, with its folder; only its owner may read
    /// it. A store of an older version is upgraded.
    ///
    /// Must be called within a tokio runtime, which runs the writer.
    ///
    /// # Errors
    /// An error when the file is not a store, was written by a newer version, is damaged, cannot be written, belongs to
    /// another user, or can be changed by everybody. Such a file stays unchanged.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        Self::opened(path, Use::Serve).await
    }

    /// Opens an existing store to change its tasks. The tables of an older version stay as they are.
    ///
    /// # Errors
    /// The errors of [`SqliteStore::open`], and an error when the file is missing.
    pub async fn open_existing(path: &Path) -> Result<Self, StoreError> {
        Self::opened(path, Use::Change).await
    }

    /// Opens an existing store for reading, also on a full disk or one that cannot be written. Changes are refused
    /// where the file cannot be written.
    ///
    /// # Errors
    /// The errors of [`SqliteStore::open_existing`].
    pub async fn open_to_look(path: &Path) -> Result<Self, StoreError> {
        Self::opened(path, Use::Look).await
    }

    /// Moves all tasks of the principal `from`, with their pending work, to `to`. Returns the moved tasks. The store is
    /// upgraded to this version first. Limits are not checked.
    ///
    /// # Errors
    /// The errors of [`SqliteStore::open_existing`], and failures of the store.
    pub async fn transfer(path: &Path, from: &str, to: &str) -> Result<Vec<TaskRecord>, StoreError> {
        let store = Self::opened(path, Use::Upgrade).await?;
        let transfer = operations::Transfer { from: from.to_owned(), to: to.to_owned() };
        let transferred = store.writer.call(transfer).await;
        store.close().await;
        transferred
    }

    async fn opened(path: &Path, opened: Use) -> Result<Self, StoreError> {
        let Opened { writer, readers, secret, file } = open::open(path, opened).await?;
        let (path, file) = (Arc::<Path>::from(path), Arc::new(file));
        let watchers = Arc::new(Watchers::new());
        let writer = Writer::start(writer, Arc::clone(&path), Arc::clone(&file), Arc::clone(&watchers));
        Ok(Self { path, file, secret, writer, readers, watchers })
    }

    /// Does the queued work, moves the write-ahead log into the file and closes the connections. Later calls fail.
    pub async fn close(&self) {
        // The last connection to close tidies up, so it must be the one that writes.
        self.readers.close().await;
        self.writer.close().await;
    }

    /// Checks that the file is still in its place, whether the store is open or closed.
    ///
    /// # Errors
    /// A message that says what happened to the file and what to do.
    pub fn check_place(&self) -> Result<(), StoreError> {
        let (file, identity) = &*self.file;
        identity.check(file).map_err(|what| about(&self.path, &what))
    }

    fn failed(&self, error: &sqlx::Error) -> StoreError {
        failed(&self.path, error)
    }
}

/// Returns the principal as a parameter of a statement. None for all principals.
fn principal(filter: PrincipalFilter<'_>) -> Option<&str> {
    match filter {
        PrincipalFilter::Of(principal) => Some(principal),
        PrincipalFilter::Anyone => None,
    }
}

/// Converts a limit to SQLite's integer.
fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

#[async_trait]
impl TaskStore for SqliteStore {
    async fn secret(&self) -> Result<[u8; 32], StoreError> {
        Ok(self.secret)
    }

    async fn create(&self, task: NewTask, room: Room) -> Result<Result<u64, Full>, StoreError> {
        // Values are written as text here, so that the writer does not wait for it.
        let work = match task.work {
            Work::None => operations::Work::None,
            Work::Leased { job, worker } => operations::Work::Leased(rows::json(&*job)?, worker),
            Work::Reserved { worker } => operations::Work::Reserved(worker),
        };
        let row = TaskRow::new(task.record)?;
        let (tasks, bytes) = (limit(room.tasks), rows::at_most(room.bytes));
        self.writer.call(operations::Create { row, work, tasks, bytes }).await
    }

    async fn confirm(&self, ids: &[String], worker: &str) -> Result<(), StoreError> {
        self.writer.call(operations::Confirm { ids: ids.to_vec(), worker: worker.to_owned() }).await
    }

    async fn get(&self, filter: PrincipalFilter<'_>, id: &str) -> Result<Option<TaskRecord>, StoreError> {
        let get = sqlx::query(sql::GET).bind(principal(filter)).bind(id);
        let row = get.fetch_optional(&self.readers).await.map_err(|error| self.failed(&error))?;
        row.map(|row| rows::record(&row)).transpose().map_err(|error| self.failed(&error))
    }

    async fn outcome(&self, filter: PrincipalFilter<'_>, id: &str) -> Result<Option<Outcome>, StoreError> {
        let outcome = sqlx::query_scalar(sql::OUTCOME).bind(principal(filter)).bind(id);
        let outcome: Option<Option<String>> =
            outcome.fetch_optional(&self.readers).await.map_err(|error| self.failed(&error))?;
        let outcome = outcome.flatten().map(|outcome| rows::from_json(&outcome));
        outcome.transpose().map_err(|error| self.failed(&error))
    }

    async fn transition(&self, change: Transition) -> Result<StoreOutcome, StoreError> {
        let Transition { record, seen, outcome, lease, room } = change;
        let outcome = outcome.as_ref().map(rows::json).transpose()?;
        let is_final = record.status.is_final();
        let (row, seen) = (TaskRow::new(record)?, rows::number(seen)?);
        let room = rows::at_most(room);
        self.writer.call(operations::Transition { row, seen, outcome, is_final, lease, room }).await
    }

    async fn list(
        &self,
        filter: PrincipalFilter<'_>,
        after: Option<u64>,
        most: usize,
    ) -> Result<Vec<TaskRecord>, StoreError> {
        // Sequences start with one. A position beyond the column's range has nothing after it.
        let after = after.map_or(0, |after| i64::try_from(after).unwrap_or(i64::MAX));
        let list = match filter {
            PrincipalFilter::Of(principal) => sqlx::query(sql::LIST_OF).bind(principal),
            PrincipalFilter::Anyone => sqlx::query(sql::LIST_ALL),
        };
        let list = list.bind(after).bind(limit(most)).fetch_all(&self.readers).await;
        let rows = list.map_err(|error| self.failed(&error))?;
        rows.iter().map(rows::record).collect::<Result<_, _>>().map_err(|error| self.failed(&error))
    }

    async fn changed(&self, id: &str, seen: u64) -> Result<(), StoreError> {
        let seen = rows::number(seen)?;
        let mut watching = self.watchers.enter(id).ok_or_else(|| closed(&self.path))?;
        loop {
            let version = sqlx::query_scalar(sql::VERSION).bind(id).fetch_optional(&self.readers).await;
            let version: Option<i64> = version.map_err(|error| self.failed(&error))?;
            if version != Some(seen) {
                return Ok(());
            }
            if !watching.change().await {
                return Err(closed(&self.path));
            }
        }
    }

    async fn remove(&self, filter: PrincipalFilter<'_>, id: &str) -> Result<bool, StoreError> {
        let (principal, id) = (principal(filter).map(str::to_owned), id.to_owned());
        self.writer.call(operations::Remove { principal, id }).await
    }

    async fn remove_expired(&self, now: Timestamp) -> Result<Vec<TaskRecord>, StoreError> {
        let now = rows::saturated(now);
        // Usually nothing has expired. That costs one index lookup and no slot in the writer's queue.
        let any = sqlx::query_scalar(sql::ANY_EXPIRED).bind(operations::clock()).bind(now);
        let any = any.fetch_one(&self.readers).await;
        if !any.map_err(|error| self.failed(&error))? {
            return Ok(Vec::new());
        }
        self.writer.call(operations::RemoveExpired { now }).await
    }

    async fn renew(&self, worker: &str, time: Duration) -> Result<bool, StoreError> {
        self.writer.call(operations::Renew { worker: worker.to_owned(), time }).await
    }

    async fn enqueue(
        &self,
        filter: PrincipalFilter<'_>,
        id: &str,
        job: &Job,
        worker: &str,
        room: u64,
    ) -> Result<Result<Option<Lease>, Full>, StoreError> {
        let principal = principal(filter).map(str::to_owned);
        let (id, worker, job) = (id.to_owned(), worker.to_owned(), rows::json(job)?);
        self.writer.call(operations::Enqueue { principal, id, worker, job, room: rows::at_most(room) }).await
    }

    async fn claim(&self, principal: &str, worker: &str, most: usize) -> Result<Vec<Claim>, StoreError> {
        let (principal, worker) = (principal.to_owned(), worker.to_owned());
        self.writer.call(operations::Take { principal, worker, limit: limit(most) }).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.writer.call(operations::Release { lease: lease.clone() }).await
    }

    async fn resign(&self, worker: &str) -> Result<(), StoreError> {
        self.writer.call(operations::Resign { worker: worker.to_owned() }).await
    }
}
