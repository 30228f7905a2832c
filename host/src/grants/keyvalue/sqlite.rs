//! Keys and values in a SQLite file, which several handlers and processes may share.
//!
//! Each handler has a space of its own in the file, by the name that whoever opens it gives. An operation is a
//! transaction, and what a space holds is counted in it, so that two cells, or two processes, cannot exceed a quota
//! together.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{Connection, SqlSafeStr, SqliteConnection, SqlitePool};

use super::quota::Held;
use super::{KeyValue, KeyValueError, Listed, Quota, sum};
use crate::printable::one_line;
use crate::sqlite_file;

/// Marks a SQLite file as one of keys and values: `tckv` in ASCII. SQLite keeps it in the file's header.
const APPLICATION_ID: i64 = 0x7463_6b76;
/// The migrations by their versions, which count from one.
const MIGRATIONS: &[(&str, &str)] = &[("keys and values", include_str!("../../../migrations/keyvalue_0001.sql"))];
/// Connections: a reader waits for nobody, but each takes a thread.
const CONNECTIONS: u32 = 3;

/// Keys and values in a SQLite file: what is acknowledged outlives the process, and a power cut.
#[derive(Debug, Clone)]
pub struct SqliteKeyValue {
    pool: SqlitePool,
    path: Arc<Path>,
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
    /// Opens a handler's space in the file at `path`. Where there is no file it is made, with its folder; only its owner
    /// may read it. Handlers that are given the same name in the same file share keys and values.
    ///
    /// # Errors
    /// [`KeyValueError::Store`]: a file that is none of keys and values, that a newer version wrote, that is damaged or
    /// cannot be written. Nothing of such a file is changed.
    pub async fn open(path: &Path, name: &str, quota: Quota) -> Result<Self, KeyValueError> {
        // SQLite takes some names for something else than a file (`:memory:`, `file:...`, none at all), but no such path.
        let file = std::path::absolute(path).map_err(|error| about(path, &format!("is not to be found: {error}")))?;
        let made = sqlite_file::make(&file).await;
        made.map_err(|error| about(path, &format!("its file cannot be made: {error}")))?;
        if !tokio::fs::metadata(&file).await.is_ok_and(|found| found.is_file()) {
            return Err(about(path, "it is no file: name one, which is made when it is missing"));
        }
        let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS).test_before_acquire(false);
        let pool = pool.connect_lazy_with(sqlite_file::options(&file));
        let ready = async {
            let mut connection = pool.acquire().await.map_err(|error| failed(path, &error))?;
            let space = bring_up(&mut connection, path, name).await?;
            sqlite_file::write_ahead(&mut connection).await.map_err(|why| about(path, &why))?;
            Ok(space)
        };
        match ready.await {
            Ok(space) => Ok(Self { pool, path: path.into(), space, quota }),
            Err(error) => {
                pool.close().await;
                Err(error)
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
        self.pool.close().await;
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
async fn bring_up(connection: &mut SqliteConnection, path: &Path, name: &str) -> Result<i64, KeyValueError> {
    let sql = |error| failed(path, &error);
    let mut step = connection.begin_with("BEGIN IMMEDIATE").await.map_err(sql)?;
    let id: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *step).await.map_err(sql)?;
    let empty = "SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)";
    let empty: bool = sqlx::query_scalar(empty).fetch_one(&mut *step).await.map_err(sql)?;
    match id {
        APPLICATION_ID => {
            let found = "SELECT coalesce(max(version), 0) FROM _sqlx_migrations";
            let found: i64 = sqlx::query_scalar(found).fetch_one(&mut *step).await.map_err(sql)?;
            let known = MIGRATIONS.len();
            if usize::try_from(found).map_or(true, |found| found > known) {
                let what = format!("it was written by a newer taskcell (schema {found}, this one knows {known})");
                return Err(about(
                    path,
                    &format!("{what}, and was not touched: use that version, or name another file"),
                ));
            }
        }
        0 if empty => {
            let mark = sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA application_id = {APPLICATION_ID}")));
            mark.execute(&mut *step).await.map_err(sql)?;
        }
        _ => return Err(about(path, "it is the database of another program, and was not touched: name another file")),
    }
    let migrations = (1..).zip(MIGRATIONS).map(|(version, (name, sql))| {
        Migration::new(version, (*name).into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    let migrated = Migrator::with_migrations(migrations.collect()).run_direct(None, &mut *step, false).await;
    migrated.map_err(|error| {
        let said = one_line(&error.to_string(), 300);
        about(path, &format!("its tables cannot be brought up to this version: {said}"))
    })?;
    let make = "INSERT INTO space (name) VALUES (?1) ON CONFLICT (name) DO NOTHING";
    sqlx::query(make).bind(name).execute(&mut *step).await.map_err(sql)?;
    let space = sqlx::query_scalar("SELECT id FROM space WHERE name = ?1").bind(name);
    let space = space.fetch_one(&mut *step).await.map_err(sql)?;
    step.commit().await.map_err(sql)?;
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
