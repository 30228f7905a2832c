//! Operations that change the store. Each carries its parameters and runs in the writer's transaction.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Row, Sqlite};

use super::rows::{self, TaskRow};
use super::sql;
use super::writer::{Operation, Step};
use crate::tasks::{Claim, Full, Job, Lease, StoreOutcome, TaskRecord};

/// Expired tasks that one step removes.
const AT_ONCE: i64 = 256;

/// Time for which a worker whose time ran out is remembered, so that it learns of that when it returns. After that it
/// would count as a new worker, which its old leases do not serve: its jobs are free by then.
const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

/// Longest time of a worker: a hundred years, so that sums stay within the range of a column.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Work of a new task.
pub(super) enum Work {
    None,
    /// Job as JSON, and the worker that holds its lease.
    Leased(String, String),
    /// Worker that reserves the task.
    Reserved(String),
}

/// Binds the columns that both the creation and the change of a task write: `?1` to `?10` of [`sql::CREATE`] and
/// [`sql::TRANSITION`].
fn bind<'q>(query: Query<'q, Sqlite, SqliteArguments>, row: &'q TaskRow) -> Query<'q, Sqlite, SqliteArguments> {
    query
        .bind(&row.id)
        .bind(row.status)
        .bind(&row.status_message)
        .bind(row.created_at)
        .bind(row.updated_at)
        .bind(row.ttl)
        .bind(row.expires_at)
        .bind(row.poll_interval)
        .bind(row.version)
        .bind(&row.origin)
}

pub(super) struct Create {
    pub(super) row: TaskRow,
    pub(super) work: Work,
    pub(super) tasks: i64,
    pub(super) bytes: i64,
}

impl Operation for Create {
    type Answer = Result<u64, Full>;

    async fn run(&self, step: &mut Step<'_>) -> Result<Self::Answer, sqlx::Error> {
        let row = &self.row;
        let job_size = if let Work::Leased(job, _) = &self.work { job.len() } else { 0 };
        let size = bytes(row.origin.len().saturating_add(job_size));
        let created = bind(sqlx::query(sql::CREATE), row)
            .bind(&*row.principal)
            .bind(self.tasks)
            .bind(size)
            .bind(self.bytes)
            .execute(&mut *step.connection)
            .await?;
        if created.rows_affected() == 0 {
            let tasks = sqlx::query_scalar(sql::TASKS_OF).bind(&*row.principal);
            let tasks: i64 = tasks.fetch_one(&mut *step.connection).await?;
            return Ok(Err(if tasks >= self.tasks { Full::Tasks } else { Full::Bytes }));
        }
        let sequence = created.last_insert_rowid();
        let row = match &self.work {
            Work::None => None,
            Work::Leased(job, worker) => {
                Some(sqlx::query(sql::CREATE_JOB).bind(sequence).bind(&*row.principal).bind(worker).bind(job))
            }
            Work::Reserved(worker) => Some(sqlx::query(sql::RESERVE).bind(sequence).bind(&*row.principal).bind(worker)),
        };
        if let Some(row) = row {
            row.execute(&mut *step.connection).await?;
        }
        Ok(Ok(rows::unsigned(sequence)?))
    }
}

pub(super) struct Confirm {
    pub(super) ids: Vec<String>,
    pub(super) worker: String,
}

impl Operation for Confirm {
    type Answer = ();

    async fn run(&self, step: &mut Step<'_>) -> Result<(), sqlx::Error> {
        for id in &self.ids {
            sqlx::query(sql::CONFIRM).bind(id).bind(&self.worker).execute(&mut *step.connection).await?;
        }
        Ok(())
    }
}

pub(super) struct Transition {
    pub(super) row: TaskRow,
    pub(super) seen: i64,
    pub(super) outcome: Option<String>,
    pub(super) is_final: bool,
    pub(super) lease: Option<Lease>,
    /// Bytes that the principal's tasks may have.
    pub(super) room: i64,
}

impl Operation for Transition {
    type Answer = StoreOutcome;

    async fn run(&self, step: &mut Step<'_>) -> Result<StoreOutcome, sqlx::Error> {
        let row = &self.row;
        let (worker, fence) = self.lease.as_ref().map(|lease| (&lease.worker, lease.fence)).unzip();
        let standing = sqlx::query_as(sql::STANDING)
            .bind(&row.id)
            .bind(&*row.principal)
            .bind(worker)
            .bind(fence.map(as_fence))
            .fetch_optional(&mut *step.connection)
            .await?;
        let Some((version, newest)): Option<(i64, bool)> = standing else { return Ok(StoreOutcome::Conflict) };
        if self.lease.as_ref().is_some_and(|lease| !newest || lease.id != row.id) {
            return Ok(StoreOutcome::Fenced);
        }
        if version != self.seen {
            return Ok(StoreOutcome::Conflict);
        }
        if let Some(outcome) = self.outcome.as_ref().filter(|_| self.room < i64::MAX) {
            let job: i64 = match self.is_final {
                true => sqlx::query_scalar(sql::JOB_SIZE).bind(&row.id).fetch_one(&mut *step.connection).await?,
                false => 0,
            };
            let more = bytes(outcome.len()).saturating_sub(job);
            if more > 0 && !has_room(step, &row.principal, more, self.room).await? {
                return Ok(StoreOutcome::Full);
            }
        }
        bind(sqlx::query(sql::TRANSITION), row).bind(&self.outcome).execute(&mut *step.connection).await?;
        if self.is_final {
            sqlx::query(sql::REMOVE_JOB).bind(&row.id).execute(&mut *step.connection).await?;
        }
        step.changed.push(row.id.clone());
        Ok(StoreOutcome::Applied)
    }
}

pub(super) struct Remove {
    /// Principal of the task. None for any principal.
    pub(super) principal: Option<String>,
    pub(super) id: String,
}

impl Operation for Remove {
    type Answer = bool;

    async fn run(&self, step: &mut Step<'_>) -> Result<bool, sqlx::Error> {
        let remove = sqlx::query(sql::REMOVE).bind(&self.principal).bind(&self.id);
        let removed = remove.execute(&mut *step.connection).await?.rows_affected() > 0;
        if removed {
            step.changed.push(self.id.clone());
        }
        Ok(removed)
    }
}

pub(super) struct Transfer {
    pub(super) from: String,
    pub(super) to: String,
}

impl Operation for Transfer {
    type Answer = Vec<TaskRecord>;

    async fn run(&self, step: &mut Step<'_>) -> Result<Vec<TaskRecord>, sqlx::Error> {
        if self.from == self.to {
            return Ok(Vec::new());
        }
        for statement in sql::TRANSFER {
            sqlx::query(*statement).bind(&self.from).bind(&self.to).execute(&mut *step.connection).await?;
        }
        let moved = sqlx::query(sql::TRANSFER_TASKS).bind(&self.from).bind(&self.to);
        let moved = moved.fetch_all(&mut *step.connection).await?;
        let records = moved.iter().map(rows::record).collect::<Result<Vec<_>, _>>()?;
        step.changed.extend(records.iter().map(|record| record.id.clone()));
        Ok(records)
    }
}

pub(super) struct RemoveExpired {
    pub(super) now: i64,
}

impl Operation for RemoveExpired {
    type Answer = Vec<TaskRecord>;

    async fn run(&self, step: &mut Step<'_>) -> Result<Vec<TaskRecord>, sqlx::Error> {
        let remove = sqlx::query(sql::REMOVE_EXPIRED).bind(self.now).bind(AT_ONCE);
        let mut rows = remove.fetch_all(&mut *step.connection).await?;
        let abandoned = sqlx::query_scalar(sql::ABANDONED).bind(clock()).bind(AT_ONCE);
        let abandoned: Vec<i64> = abandoned.fetch_all(&mut *step.connection).await?;
        for place in abandoned {
            rows.extend(sqlx::query(sql::REMOVE_PLACE).bind(place).fetch_all(&mut *step.connection).await?);
        }
        let mut removed = Vec::new();
        for row in rows {
            step.changed.push(row.try_get(1)?);
            match rows::record(&row) {
                Ok(record) => removed.push(record),
                // A row that nobody can read must not keep the others from being removed.
                Err(error) => tracing::warn!(%error, "an expired task that cannot be read is removed"),
            }
        }
        removed.sort_by_key(|record| record.sequence);
        Ok(removed)
    }
}

pub(super) struct Renew {
    pub(super) worker: String,
    pub(super) time: Duration,
}

impl Operation for Renew {
    type Answer = bool;

    async fn run(&self, step: &mut Step<'_>) -> Result<bool, sqlx::Error> {
        let now = clock();
        let time = milliseconds(self.time.min(LONGEST));
        let renew = sqlx::query(sql::RENEW).bind(now).bind(&self.worker).bind(time);
        if renew.execute(&mut *step.connection).await?.rows_affected() > 0 {
            return Ok(true);
        }
        let enter = sqlx::query(sql::ENTER).bind(now).bind(&self.worker).bind(time);
        if enter.execute(&mut *step.connection).await?.rows_affected() == 0 {
            return Ok(false);
        }
        // Renewals are rare, so old workers are forgotten here.
        let long_ago = now.saturating_sub(milliseconds(REMEMBERED));
        sqlx::query(sql::FORGET).bind(long_ago).execute(&mut *step.connection).await?;
        Ok(true)
    }
}

pub(super) struct Enqueue {
    /// Principal of the task. None for any principal.
    pub(super) principal: Option<String>,
    pub(super) id: String,
    pub(super) worker: String,
    pub(super) job: String,
    /// Bytes that the principal's tasks may have.
    pub(super) room: i64,
}

impl Operation for Enqueue {
    type Answer = Result<Option<Lease>, Full>;

    async fn run(&self, step: &mut Step<'_>) -> Result<Self::Answer, sqlx::Error> {
        let principal = sqlx::query_scalar(sql::PRINCIPAL).bind(&self.principal).bind(&self.id);
        let principal: Option<String> = principal.fetch_optional(&mut *step.connection).await?;
        let Some(principal) = principal else { return Ok(Ok(None)) };
        let enqueue = sqlx::query(sql::ENQUEUE).bind(&self.principal).bind(&self.id).bind(&self.worker).bind(&self.job);
        if !has_room(step, &principal, bytes(self.job.len()), self.room).await? {
            return Ok(Err(Full::Bytes));
        }
        let added = enqueue.execute(&mut *step.connection).await?.rows_affected() > 0;
        Ok(Ok(added.then(|| Lease { id: self.id.clone(), worker: self.worker.clone(), fence: 1 })))
    }
}

pub(super) struct Take {
    pub(super) principal: String,
    pub(super) worker: String,
    pub(super) limit: i64,
}

impl Operation for Take {
    type Answer = Vec<Claim>;

    async fn run(&self, step: &mut Step<'_>) -> Result<Vec<Claim>, sqlx::Error> {
        let now = clock();
        let has_time = sqlx::query_scalar(sql::HAS_TIME).bind(now).bind(&self.worker);
        if !has_time.fetch_one(&mut *step.connection).await? {
            return Ok(Vec::new());
        }
        let claimable = sqlx::query_scalar(sql::CLAIMABLE).bind(now).bind(&self.principal).bind(self.limit);
        let claimable: Vec<i64> = claimable.fetch_all(&mut *step.connection).await?;
        let mut claims = Vec::with_capacity(claimable.len());
        for sequence in claimable {
            let claim = sqlx::query_as(sql::CLAIM).bind(sequence).bind(&self.worker);
            let (fence, lost, job, id): (i64, u32, String, String) = claim.fetch_one(&mut *step.connection).await?;
            let lease = Lease { id, worker: self.worker.clone(), fence: rows::unsigned(fence)? };
            match rows::from_json::<Job>(&job) {
                Ok(job) => claims.push(Claim { lease, lost, job: Arc::new(job) }),
                // A later version may read the job. It blocks nobody until this worker's time runs out.
                Err(error) => tracing::warn!(task.id = lease.id, %error, "a job cannot be read and is not done"),
            }
        }
        Ok(claims)
    }
}

pub(super) struct Release {
    pub(super) lease: Lease,
}

impl Operation for Release {
    type Answer = ();

    async fn run(&self, step: &mut Step<'_>) -> Result<(), sqlx::Error> {
        let Lease { id, worker, fence } = &self.lease;
        let release = sqlx::query(sql::RELEASE).bind(id).bind(worker).bind(as_fence(*fence));
        release.execute(&mut *step.connection).await?;
        Ok(())
    }
}

pub(super) struct Resign {
    pub(super) worker: String,
}

impl Operation for Resign {
    type Answer = ();

    async fn run(&self, step: &mut Step<'_>) -> Result<(), sqlx::Error> {
        sqlx::query(sql::RESIGN).bind(&self.worker).execute(&mut *step.connection).await?;
        Ok(())
    }
}

/// Whether the tasks of `principal` may have `more` bytes more.
async fn has_room(step: &mut Step<'_>, principal: &str, more: i64, room: i64) -> Result<bool, sqlx::Error> {
    let with = sqlx::query_scalar(sql::BYTES_WITH).bind(principal).bind(more);
    let with: i64 = with.fetch_one(&mut *step.connection).await?;
    Ok(with <= room)
}

/// Converts a length to SQLite's integer.
fn bytes(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// Converts a fence to its column. A fence beyond the column's range was never given out.
fn as_fence(fence: u64) -> i64 {
    i64::try_from(fence).unwrap_or(0)
}

/// Returns the time of the machine's clock, which all processes that share the file use, in milliseconds since 1970.
pub(super) fn clock() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, milliseconds)
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
