//! What changes the store, each operation with what it needs: it runs in the writer's transaction.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::Row;

use super::rows::{self, TaskRow};
use super::sql;
use super::writer::{Operation, Step};
use crate::tasks::{Claim, Job, Lease, Stored, TaskRecord};

/// Expired tasks that are removed in one step.
const AT_ONCE: i64 = 256;

/// How long a worker whose time ran out is remembered, so that it is told when it comes back. Past that its jobs are
/// free and it would be taken for a new one, which its old leases do not serve.
const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest time of a worker: a hundred years, so that sums stay within a column.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

pub(super) struct Create {
    pub(super) row: TaskRow,
    /// The text of the job, and who does it.
    pub(super) job: Option<(String, String)>,
    pub(super) limit: i64,
}

impl Operation for Create {
    type Answer = Option<u64>;

    async fn run(&self, step: &mut Step<'_>) -> Result<Option<u64>, sqlx::Error> {
        let row = &self.row;
        let created = sqlx::query(sql::CREATE)
            .bind(&row.id)
            .bind(&*row.principal)
            .bind(row.status)
            .bind(&row.status_message)
            .bind(row.created_at)
            .bind(row.updated_at)
            .bind(row.ttl)
            .bind(row.expires_at)
            .bind(row.poll_interval)
            .bind(row.version)
            .bind(&row.origin)
            .bind(self.limit)
            .execute(&mut *step.connection)
            .await?;
        if created.rows_affected() == 0 {
            return Ok(None);
        }
        let sequence = created.last_insert_rowid();
        if let Some((job, worker)) = &self.job {
            let job = sqlx::query(sql::CREATE_JOB).bind(sequence).bind(&*row.principal).bind(worker).bind(job);
            job.execute(&mut *step.connection).await?;
        }
        Ok(Some(rows::unsigned(sequence)?))
    }
}

pub(super) struct Transition {
    pub(super) row: TaskRow,
    pub(super) seen: i64,
    pub(super) outcome: Option<String>,
    pub(super) is_final: bool,
    pub(super) lease: Option<Lease>,
}

impl Operation for Transition {
    type Answer = Stored;

    async fn run(&self, step: &mut Step<'_>) -> Result<Stored, sqlx::Error> {
        let row = &self.row;
        let (worker, fence) = self.lease.as_ref().map(|lease| (&lease.worker, lease.fence)).unzip();
        let standing = sqlx::query_as(sql::STANDING)
            .bind(&row.id)
            .bind(&*row.principal)
            .bind(worker)
            .bind(fence.map(as_fence))
            .fetch_optional(&mut *step.connection)
            .await?;
        let Some((version, newest)): Option<(i64, bool)> = standing else { return Ok(Stored::Outdated) };
        if self.lease.as_ref().is_some_and(|lease| !newest || lease.id != row.id) {
            return Ok(Stored::Fenced);
        }
        if version != self.seen {
            return Ok(Stored::Outdated);
        }
        sqlx::query(sql::TRANSITION)
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
            .bind(&self.outcome)
            .execute(&mut *step.connection)
            .await?;
        if self.is_final {
            sqlx::query(sql::REMOVE_JOB).bind(&row.id).execute(&mut *step.connection).await?;
        }
        step.changed.push(row.id.clone());
        Ok(Stored::Yes)
    }
}

pub(super) struct Remove {
    /// None for anyone's.
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

pub(super) struct RemoveExpired {
    pub(super) now: i64,
}

impl Operation for RemoveExpired {
    type Answer = Vec<TaskRecord>;

    async fn run(&self, step: &mut Step<'_>) -> Result<Vec<TaskRecord>, sqlx::Error> {
        let remove = sqlx::query(sql::REMOVE_EXPIRED).bind(self.now).bind(AT_ONCE);
        let mut removed = Vec::new();
        for row in remove.fetch_all(&mut *step.connection).await? {
            step.changed.push(row.try_get(1)?);
            match rows::record(&row) {
                Ok(record) => removed.push(record),
                // It goes all the same: what nobody can read must not keep the rest from being removed.
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
        // A worker comes seldom: a good time to forget old ones.
        let long_ago = now.saturating_sub(milliseconds(REMEMBERED));
        sqlx::query(sql::FORGET).bind(long_ago).execute(&mut *step.connection).await?;
        Ok(true)
    }
}

pub(super) struct Enqueue {
    /// None for anyone's.
    pub(super) principal: Option<String>,
    pub(super) id: String,
    pub(super) worker: String,
    pub(super) job: String,
}

impl Operation for Enqueue {
    type Answer = Option<Lease>;

    async fn run(&self, step: &mut Step<'_>) -> Result<Option<Lease>, sqlx::Error> {
        let enqueue = sqlx::query(sql::ENQUEUE).bind(&self.principal).bind(&self.id).bind(&self.worker).bind(&self.job);
        let added = enqueue.execute(&mut *step.connection).await?.rows_affected() > 0;
        Ok(added.then(|| Lease { id: self.id.clone(), worker: self.worker.clone(), fence: 1 }))
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
                // A later version may read it. Until this worker's time runs out it is in nobody's way.
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

/// A fence as its column holds it: one that is too large for that was never given.
fn as_fence(fence: u64) -> i64 {
    i64::try_from(fence).unwrap_or(0)
}

/// The store's clock: that of the machine, which all who share the file are on, in milliseconds since 1970.
fn clock() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, milliseconds)
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
