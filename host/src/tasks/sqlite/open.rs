//! Opening a store: making its file, knowing it for one, bringing its tables up to this version.
//!
//! Nothing of a file is changed before it is known for a store of tasks (by SQLite's `application_id`) that this
//! version can serve. That is asked inside a transaction that excludes other writers, so two processes may make the
//! same store at once.

use std::cmp::Ordering;
use std::path::Path;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{ConnectOptions, Connection, SqlSafeStr, SqliteConnection, SqlitePool};

use super::error::{about, failed};
use crate::sqlite_file;
use crate::tasks::{StoreError, cursor};

/// Marks a SQLite file as a store of tasks: `task` in ASCII. SQLite keeps it in the file's header.
const APPLICATION_ID: i64 = 0x7461_736b;

/// The migrations by their versions, which count from one.
const MIGRATIONS: &[(&str, &str)] = &[("tasks", include_str!("../../../migrations/0001_tasks.sql"))];

/// Connections for reading: a reader waits for nobody, but each takes a thread.
const READERS: u32 = 3;

/// Connections to a store that is ready for use.
pub(super) struct Opened {
    /// The one that writes.
    pub(super) writer: SqliteConnection,
    /// Those that read.
    pub(super) readers: SqlitePool,
    /// The secret of the store.
    pub(super) secret: [u8; 32],
}

/// Opens the store at `path`; `make`s it where there is none.
pub(super) async fn open(path: &Path, make: bool) -> Result<Opened, StoreError> {
    // SQLite takes some names for something else than a file (`:memory:`, `file:...`, none at all), but no such path.
    let file = std::path::absolute(path).map_err(|error| about(path, &format!("is not to be found: {error}")))?;
    if make {
        sqlite_file::make(&file).await.map_err(|error| about(path, &format!("its file cannot be made: {error}")))?;
    }
    match tokio::fs::metadata(&file).await {
        Ok(found) if found.is_file() => {}
        Ok(_) => return Err(about(path, "it is no file: name one, which is made when it is missing")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(about(path, "there is no such file: name the one that the tasks are kept in"));
        }
        Err(error) => return Err(about(path, &format!("it cannot be looked at: {error}"))),
    }

    let options = sqlite_file::options(&file);
    let mut writer = options.connect().await.map_err(|error| failed(path, &error))?;
    match ready(&mut writer, options, path, make).await {
        Ok((secret, readers)) => Ok(Opened { writer, readers, secret }),
        Err(error) => {
            // Closed here and now, so that SQLite leaves nothing beside the file.
            let _ = writer.close().await;
            Err(error)
        }
    }
}

/// Makes the file ready for use, through the connection that is to write it.
async fn ready(
    writer: &mut SqliteConnection,
    options: SqliteConnectOptions,
    path: &Path,
    make: bool,
) -> Result<([u8; 32], SqlitePool), StoreError> {
    let secret = bring_up(writer, path, make).await?;
    sqlite_file::write_ahead(writer).await.map_err(|why| about(path, &why))?;
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options.pragma("query_only", "ON"))
        .await
        .map_err(|error| failed(path, &error))?;
    Ok((secret, readers))
}

/// Makes sure of the tables, and gives the secret.
async fn bring_up(writer: &mut SqliteConnection, path: &Path, make: bool) -> Result<[u8; 32], StoreError> {
    let sql = |error| failed(path, &error);
    // Who only looks waits for nobody, and changes nothing: not the tables either, which an older host may be using.
    let begin = if make { "BEGIN IMMEDIATE" } else { "BEGIN" };
    let mut step = writer.begin_with(begin).await.map_err(sql)?;
    let id: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *step).await.map_err(sql)?;
    let empty = "SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)";
    let empty: bool = sqlx::query_scalar(empty).fetch_one(&mut *step).await.map_err(sql)?;
    match id {
        APPLICATION_ID => refuse_other_schema(&mut step, path, make).await?,
        0 if empty && make => {
            let mark = sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA application_id = {APPLICATION_ID}")));
            mark.execute(&mut *step).await.map_err(sql)?;
        }
        0 if empty => return Err(about(path, "it is empty: name the file that the tasks are kept in")),
        _ => return Err(about(path, "it is the database of another program, and was not touched: name another file")),
    }
    if make {
        migrator().run_direct(None, &mut *step, false).await.map_err(|error| match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => sql(error),
            other => about(path, &format!("its tables cannot be brought up to this version: {other}")),
        })?;
        let make_secret = "INSERT INTO meta (name, value) VALUES ('secret', ?1) ON CONFLICT (name) DO NOTHING";
        sqlx::query(make_secret).bind(cursor::secret().to_vec()).execute(&mut *step).await.map_err(sql)?;
    }
    let secret = "SELECT value FROM meta WHERE name = 'secret'";
    let secret: Vec<u8> = sqlx::query_scalar(secret).fetch_one(&mut *step).await.map_err(sql)?;
    step.commit().await.map_err(sql)?;
    secret.try_into().map_err(|_| about(path, "its secret is not 32 bytes long: it was changed from outside"))
}

/// Refuses tables of a newer version, and, where they are not to be changed, of an older one.
async fn refuse_other_schema(step: &mut SqliteConnection, path: &Path, make: bool) -> Result<(), StoreError> {
    let found = sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM _sqlx_migrations").fetch_one(step).await;
    let found: i64 = found.map_err(|error| failed(path, &error))?;
    let known = MIGRATIONS.len();
    match usize::try_from(found).map(|found| found.cmp(&known)) {
        Ok(Ordering::Equal) => return Ok(()),
        Ok(Ordering::Less) if make => return Ok(()),
        Ok(Ordering::Less) => {
            let what = format!("it was written by an older taskcell (schema {found}, this one knows {known})");
            return Err(about(path, &format!("{what}: `taskcell run` with it brings it up to date")));
        }
        _ => {}
    }
    Err(about(
        path,
        &format!(
            "it was written by a newer taskcell (schema {found}, this one knows {known}), and was not touched: \
             use that version, or name another file"
        ),
    ))
}

fn migrator() -> Migrator {
    let migrations = (1..).zip(MIGRATIONS).map(|(version, (name, sql))| {
        Migration::new(version, (*name).into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.collect())
}
