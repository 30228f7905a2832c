//! Tasks in a SQLite file: what is acknowledged outlives the process, and a power cut.
//!
//! Several processes on one machine may share the file. Each has one connection that writes, with group commit, and
//! a few that read; a reader sees all that was committed before it asked. Every statement finds its rows by an
//! index, so that no operation costs more with more tasks.
//!
//! | file | knows |
//! |---|---|
//! | `open` | the file: making it, knowing it, its tables, its settings |
//! | `writer` | group commit |
//! | `operations` | what changes the store |
//! | `clear` | removing many tasks, on a full disk, too |
//! | `sql` | the statements |
//! | `rows` | records as rows |
//! | `watchers` | who waits for a change |
//! | `error` | what goes wrong, for people |

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

/// A store in a SQLite file, which several processes of one machine may share.
///
/// Dropping it ends it after what is queued; [`SqliteStore::close`] waits for that.
#[derive(Debug)]
pub struct SqliteStore {
    path: Arc<Path>,
    /// Where the file is, and which one it is.
    file: Arc<(PathBuf, Identity)>,
    secret: [u8; 32],
    writer: Writer,
    readers: SqlitePool,
    watchers: Arc<Watchers>,
}

impl SqliteStore {
    /// Opens the store at `path`. Where there is no file it is made, with its folder; only its owner may read it. A store
    /// of an older version is brought up to this one.
    ///
    /// Must be called within a tokio runtime, which runs the writer.
    ///
    /// # Errors
    /// A file that is no store, that a newer version wrote, that is damaged or cannot be written, that belongs to another
    /// user, or that everybody may change. Nothing of such a file is changed.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        Self::opened(path, Use::Serve).await
    }

    /// Opens a store that is there, to change tasks of it. The tables of an older version stay as they are.
    ///
    /// # Errors
    /// As [`SqliteStore::open`], and where there is no file.
    pub async fn open_existing(path: &Path) -> Result<Self, StoreError> {
        Self::opened(path, Use::Change).await
    }

    /// Opens a store that is there, to look into it: also on a disk that is full, or that cannot be written. What would
    /// change it is refused where it cannot be written.
    ///
    /// # Errors
    /// As [`SqliteStore::open_existing`].
    pub async fn open_to_look(path: &Path) -> Result<Self, StoreError> {
        Self::opened(path, Use::Look).await
    }

    /// Gives all tasks of one principal to another, with the work that is left of them; gives the tasks. The store is
    /// brought up to this version for it. Limits are not looked at.
    ///
    /// # Errors
    /// As [`SqliteStore::open_existing`], and a failing store.
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

    /// Does what is queued, puts all into the file itself and lets it go. Calls that come later fail.
    pub async fn close(&self) {
        // The last connection to go tidies up, and that must not be one that only reads.
        self.readers.close().await;
        self.writer.close().await;
    }

    /// Whether the file is in its place, be the store open or closed.
    ///
    /// # Errors
    /// What became of the file, and what to do.
    pub fn check_place(&self) -> Result<(), StoreError> {
        let (file, identity) = &*self.file;
        identity.check(file).map_err(|what| about(&self.path, &what))
    }

    fn failed(&self, error: &sqlx::Error) -> StoreError {
        failed(&self.path, error)
    }
}

/// A principal for a statement; none for anyone.
fn principal(filter: PrincipalFilter<'_>) -> Option<&str> {
    match filter {
        PrincipalFilter::Of(principal) => Some(principal),
        PrincipalFilter::Anyone => None,
    }
}

/// A limit as SQLite takes it.
fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

#[async_trait]
impl TaskStore for SqliteStore {
    async fn secret(&self) -> Result<[u8; 32], StoreError> {
        Ok(self.secret)
    }

    async fn create(&self, task: NewTask, room: Room) -> Result<Result<u64, Full>, StoreError> {
        // What is made into text here does not hold up the writer.
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
        // Places start with one. One past the last that a column holds has nothing after it.
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
        // Mostly there is nothing to do, which costs one look at an index and no place in the writer's queue.
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
