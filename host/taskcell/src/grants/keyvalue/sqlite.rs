//! Keys and values in a SQLite file, which several handlers and processes may share.
//!
//! Each handler has a space of its own in the file, by the name that whoever opens it gives. An operation is a
//! transaction, and what a space holds is counted in it, so that two cells, or two processes, cannot exceed a quota
//! together.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{Connection, SqliteConnection, SqlitePool};

use super::quota::Held;
use super::{KeyValue, KeyValueError, Listed, Quota, sum};
use crate::support::private_file::Identity;
use crate::support::sqlite_file::{self, Failure, Shape, Use, Version};
use crate::text::one_line;

/// A file of keys and values. The mark is `tckv` in ASCII. A version that was released is never edited: a change is a
/// new one.
const SHAPE: Shape = Shape {
    name: "keys and values",
    application_id: 0x7463_6b76,
    versions: &[Version {
        name: "keys and values",
        sql: include_str!("../../../migrations/keyvalue_0001.sql"),
        tables: &["space", "entry"],
        others: &["entry_number"],
    }],
};
/// Connections: a reader waits for nobody, but each takes a thread.
const CONNECTIONS: u32 = 3;

/// Keys and values in a SQLite file: what is acknowledged outlives the process, and a power cut.
#[derive(Debug, Clone)]
pub struct SqliteKeyValue {
    pool: SqlitePool,
    path: Arc<Path>,
    /// Where the file is, and which one it is.
    file: Arc<(PathBuf, Identity)>,
    space: i64,
    quota: Quota,
}

/// A space as it is counted.
#[derive(Clone, Copy)]
struct Space {
    held: Held,
    last: u64,
}

impl SqliteKeyValue {
    /// Opens a handler's space in the file at `path`. Where there is no file it is made, with its folder; only its
    /// owner may read it. Handlers that are given the same name in the same file share keys and values.
    ///
    /// # Errors
    /// [`KeyValueError::Store`]: a file that is none of keys and values, that a newer version wrote, that is damaged or
    /// cannot be written. Nothing of such a file is changed.
    pub async fn open(path: &Path, name: &str, quota: Quota) -> Result<Self, KeyValueError> {
        // SQLite takes some names for something else than a file (`:memory:`, `file:...`, none at all), but no such
        // path.
        let file = std::path::absolute(path).map_err(|error| about(path, &format!("is not to be found: {error}")))?;
        sqlite_file::make(&file).await.map_err(|what| about(path, &what))?;
        let identity = match tokio::fs::metadata(&file).await {
            Ok(found) if found.is_file() => Identity::of(&found),
            _ => return Err(about(path, "it is no file: name one, which is made when it is missing")),
        };
        let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS).test_before_acquire(false);
        let pool = pool.connect_lazy_with(sqlite_file::options_to_make(&file));
        let ready = async {
            let mut connection = pool.acquire().await?;
            let space = bring_up(&mut connection, path, name).await?;
            sqlite_file::write_ahead(&mut connection).await.map_err(Failure::Refused)?;
            if let Err(error) = sqlite_file::convert(&mut connection).await {
                // Another process uses it. The next time does as well.
                tracing::debug!(%error, "a file of keys and values was not written anew");
            }
            Ok::<_, Failure>(space)
        };
        match ready.await {
            Ok(space) => Ok(Self { pool, path: path.into(), file: Arc::new((file, identity)), space, quota }),
            Err(failure) => {
                pool.close().await;
                Err(about(path, &failure.said()))
            }
        }
    }

    /// The buckets that hold a key, in the order of their names.
    ///
    /// # Errors
    /// [`KeyValueError::Store`]
    pub async fn buckets(&self) -> Result<Vec<String>, KeyValueError> {
        let sql = "SELECT DISTINCT bucket FROM entry WHERE space = ?1 ORDER BY bucket";
        let found = sqlx::query_scalar(sql).bind(self.space).fetch_all(&self.pool).await;
        found.map_err(|error| self.failed(&error))
    }

    /// Puts all into the file itself and lets it go. Calls that come later fail.
    pub async fn close(&self) {
        if let Ok(mut connection) = self.pool.acquire().await
            && let Err(error) = sqlite_file::give_back(&mut connection).await
        {
            // The space is there for what comes next.
            tracing::debug!(%error, "free space of a file of keys and values was not given back");
        }
        self.pool.close().await;
    }

    /// Refuses to change a file that is not in its place any more: nobody would find what is stored there.
    fn in_place(&self) -> Result<(), KeyValueError> {
        let (file, identity) = &*self.file;
        identity.check(file).map_err(|what| about(&self.path, &what))
    }

    fn failed(&self, error: &sqlx::Error) -> KeyValueError {
        failed(&self.path, error)
    }

    /// Sets what `value` makes of the value that is there, in one transaction.
    async fn change<T>(
        &self,
        bucket: &str,
        key: &str,
        value: impl FnOnce(Option<&[u8]>) -> Result<(T, Vec<u8>), KeyValueError> + Send,
    ) -> Result<T, KeyValueError> {
        self.in_place()?;
        let sql = |error| self.failed(&error);
        let mut step = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(sql)?;
        let old = stored(&mut step, self.space, bucket, key).await.map_err(sql)?;
        let (told, value) = value(old.as_deref())?;
        let Space { held, last } = counted(&mut step, self.space).await.map_err(sql)?;
        let after = held.set(bucket, key, old.as_ref().map(|old| old.len() as u64), value.len() as u64);
        self.quota.change(held, after)?;
        let last = if old.is_none() { last.saturating_add(1) } else { last };
        let upsert = "INSERT INTO entry (space, bucket, key, number, value) VALUES (?1, ?2, ?3, ?4, ?5) \
                      ON CONFLICT (space, bucket, key) DO UPDATE SET value = excluded.value";
        let upsert = sqlx::query(upsert).bind(self.space).bind(bucket).bind(key).bind(number(last)).bind(value);
        upsert.execute(&mut *step).await.map_err(sql)?;
        count(&mut step, self.space, Space { held: after, last }).await.map_err(sql)?;
        step.commit().await.map_err(sql)?;
        Ok(told)
    }
}

#[async_trait]
impl KeyValue for SqliteKeyValue {
    fn quota(&self) -> &Quota {
        &self.quota
    }

    async fn get(&self, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, KeyValueError> {
        let mut connection = self.pool.acquire().await.map_err(|error| self.failed(&error))?;
        stored(&mut connection, self.space, bucket, key).await.map_err(|error| self.failed(&error))
    }

    async fn set(&self, bucket: &str, key: &str, value: Vec<u8>) -> Result<(), KeyValueError> {
        self.change(bucket, key, |_| Ok(((), value))).await
    }

    async fn delete(&self, bucket: &str, key: &str) -> Result<bool, KeyValueError> {
        self.in_place()?;
        let sql = |error| self.failed(&error);
        let mut step = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(sql)?;
        let delete = "DELETE FROM entry WHERE space = ?1 AND bucket = ?2 AND key = ?3 RETURNING length(value)";
        let delete = sqlx::query_scalar(delete).bind(self.space).bind(bucket).bind(key);
        let removed: Option<i64> = delete.fetch_optional(&mut *step).await.map_err(sql)?;
        let Some(size) = removed else { return Ok(false) };
        let Space { held, last } = counted(&mut step, self.space).await.map_err(sql)?;
        let held = held.delete(bucket, key, u64::try_from(size).unwrap_or_default());
        count(&mut step, self.space, Space { held, last }).await.map_err(sql)?;
        step.commit().await.map_err(sql)?;
        Ok(true)
    }

    async fn exists(&self, bucket: &str, key: &str) -> Result<bool, KeyValueError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM entry WHERE space = ?1 AND bucket = ?2 AND key = ?3)";
        let found = sqlx::query_scalar(sql).bind(self.space).bind(bucket).bind(key).fetch_one(&self.pool).await;
        found.map_err(|error| self.failed(&error))
    }

    async fn list_keys(&self, bucket: &str, after: u64, most: usize) -> Result<Vec<Listed>, KeyValueError> {
        let sql =
            "SELECT key, number FROM entry WHERE space = ?1 AND bucket = ?2 AND number > ?3 ORDER BY number LIMIT ?4";
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let list = sqlx::query_as(sql).bind(self.space).bind(bucket).bind(number(after)).bind(most);
        let rows: Vec<(String, i64)> = list.fetch_all(&self.pool).await.map_err(|error| self.failed(&error))?;
        let listed = |(key, number)| Listed { key, place: u64::try_from(number).unwrap_or_default() };
        Ok(rows.into_iter().map(listed).collect())
    }

    async fn increment(&self, bucket: &str, key: &str, delta: u64) -> Result<u64, KeyValueError> {
        self.change(bucket, key, |old| sum(old, delta)).await
    }
}

/// Makes sure of the tables and of the space; gives its id.
async fn bring_up(connection: &mut SqliteConnection, path: &Path, name: &str) -> Result<i64, Failure> {
    let mut step = connection.begin_with("BEGIN IMMEDIATE").await?;
    SHAPE.bring_up(&mut step, path, Use::Serve).await?;
    let make = "INSERT INTO space (name) VALUES (?1) ON CONFLICT (name) DO NOTHING";
    sqlx::query(make).bind(name).execute(&mut *step).await?;
    let space = sqlx::query_scalar("SELECT id FROM space WHERE name = ?1").bind(name);
    let space = space.fetch_one(&mut *step).await?;
    step.commit().await?;
    Ok(space)
}

async fn stored(
    connection: &mut SqliteConnection,
    space: i64,
    bucket: &str,
    key: &str,
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    let sql = "SELECT value FROM entry WHERE space = ?1 AND bucket = ?2 AND key = ?3";
    sqlx::query_scalar(sql).bind(space).bind(bucket).bind(key).fetch_optional(connection).await
}

async fn counted(connection: &mut SqliteConnection, space: i64) -> Result<Space, sqlx::Error> {
    let sql = "SELECT keys, bytes, last FROM space WHERE id = ?1";
    let (keys, bytes, last): (i64, i64, i64) = sqlx::query_as(sql).bind(space).fetch_one(connection).await?;
    let [keys, bytes, last] = [keys, bytes, last].map(|number| u64::try_from(number).unwrap_or_default());
    Ok(Space { held: Held { keys, bytes }, last })
}

async fn count(connection: &mut SqliteConnection, space: i64, now: Space) -> Result<(), sqlx::Error> {
    let Space { held: Held { keys, bytes }, last } = now;
    let sql = sqlx::query("UPDATE space SET keys = ?2, bytes = ?3, last = ?4 WHERE id = ?1");
    sql.bind(space).bind(number(keys)).bind(number(bytes)).bind(number(last)).execute(connection).await.map(drop)
}

/// A number as SQLite takes it.
fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn failed(path: &Path, error: &sqlx::Error) -> KeyValueError {
    about(path, &sqlite_file::said(error))
}

fn about(path: &Path, what: &str) -> KeyValueError {
    KeyValueError::Store(format!("the keys and values in {}: {what}", one_line(&path.display().to_string(), 1_000)))
}
