//! Opening of a store: creating its file, recognizing it, and upgrading its tables to this version.
//!
//! A file stays unchanged until it is recognized as a task store (by SQLite's `application_id`) that this version can
//! serve. The check runs inside a transaction that excludes other writers, so two processes may create the same store
//! at once.

use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteLockingMode, SqlitePoolOptions};
use sqlx::{ConnectOptions, Connection, SqliteConnection, SqlitePool};

use super::error::{about, failed};
use crate::support::private_file::Identity;
use crate::support::sqlite_file::{self, Failure, Shape, Use, Version};
use crate::tasks::{StoreError, cursor};

/// Layout of a task store. The mark is `task` in ASCII. A released version is never edited: each change is a new
/// version.
pub(super) const SHAPE: Shape = Shape {
    name: "tasks",
    application_id: 0x7461_736b,
    versions: &[
        Version {
            name: "tasks",
            sql: include_str!("../../../migrations/0001_tasks.sql"),
            tables: &["meta", "tasks", "principals", "workers", "jobs"],
            others: &["tasks_of_principal", "tasks_by_expiry", "jobs_by_worker", "task_came", "task_went"],
        },
        Version {
            name: "room",
            sql: include_str!("../../../migrations/0002_room.sql"),
            tables: &[],
            others: &["task_changed", "job_came", "job_changed", "job_went", "jobs_reserved"],
        },
    ],
};

/// Connections for reading. Readers never wait for one another, but each takes a thread.
const READERS: u32 = 3;

/// Open connections of a store.
pub(super) struct Opened {
    /// Connection that writes. None when the store can only be read.
    pub(super) writer: Option<SqliteConnection>,
    /// Connections that read.
    pub(super) readers: SqlitePool,
    /// Secret of the store.
    pub(super) secret: [u8; 32],
    /// Path and identity of the file.
    pub(super) file: (PathBuf, Identity),
}

/// Returns the error of a store that cannot be opened, naming its file.
pub(super) fn refused(path: &Path, failure: &Failure) -> StoreError {
    match failure {
        Failure::Sqlite(error) => failed(path, error),
        Failure::Refused(what) => about(path, what),
    }
}

/// Finds the file of the store at `path`. Creates a missing file if the store is opened to serve.
pub(super) async fn find(path: &Path, opened: Use) -> Result<(PathBuf, Identity), StoreError> {
    // SQLite gives some names (`:memory:`, `file:...`, the empty name) a special meaning, but no absolute path.
    let file = std::path::absolute(path).map_err(|error| about(path, &format!("is not to be found: {error}")))?;
    if opened == Use::Serve {
        sqlite_file::make(&file).await.map_err(|what| about(path, &what))?;
    }
    match tokio::fs::metadata(&file).await {
        Ok(found) if found.is_file() => Ok((file, Identity::of(&found))),
        Ok(_) => Err(about(path, "it is no file: name one, which is made when it is missing")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(about(path, "there is no such file: name the one that the tasks are kept in"))
        }
        Err(error) => Err(about(path, &format!("it cannot be looked at: {error}"))),
    }
}

/// Opens the store at `path`.
pub(super) async fn open(path: &Path, opened: Use) -> Result<Opened, StoreError> {
    let file = find(path, opened).await?;
    let options = match opened {
        Use::Serve => sqlite_file::options_to_make(&file.0),
        _ => sqlite_file::options(&file.0),
    };
    let failure = match shared(options, path, opened).await {
        Ok((writer, readers, secret)) => return Ok(Opened { writer: Some(writer), readers, secret, file }),
        Err(failure) => failure,
    };
    // A full or read-only disk has no room for the files that SQLite puts beside the store.
    if let (Use::Look, Failure::Sqlite(error)) = (opened, &failure)
        && sqlite_file::is_of_the_disk(error)
        && let Ok((readers, secret)) = alone(&file.0, path).await
    {
        return Ok(Opened { writer: None, readers, secret, file });
    }
    Err(refused(path, &failure))
}

/// Opens a file that other processes may use at the same time.
async fn shared(
    options: SqliteConnectOptions,
    path: &Path,
    opened: Use,
) -> Result<(SqliteConnection, SqlitePool, [u8; 32]), Failure> {
    let mut writer = options.connect().await?;
    match ready(&mut writer, options, path, opened).await {
        Ok((secret, readers)) => Ok((writer, readers, secret)),
        Err(error) => {
            // Closing explicitly lets SQLite remove the files beside the store.
            let _ = writer.close().await;
            Err(error)
        }
    }
}

/// Opens a file for reading without creating a file beside it. Nobody may write the file meanwhile: a file with an
/// empty log is read as it is, any other is locked.
async fn alone(file: &Path, path: &Path) -> Result<(SqlitePool, [u8; 32]), Failure> {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    let options = sqlite_file::options(file);
    let options = match std::fs::metadata(Path::new(&log)) {
        Ok(found) if found.len() > 0 => options.locking_mode(SqliteLockingMode::Exclusive),
        _ => options.read_only(true).immutable(true),
    };
    let readers = pool(1, options).await?;
    let secret = {
        let mut reader = readers.acquire().await?;
        bring_up(&mut reader, path, Use::Look).await?
    };
    Ok((readers, secret))
}

/// Prepares the file for use, through the connection that will write it.
async fn ready(
    writer: &mut SqliteConnection,
    options: SqliteConnectOptions,
    path: &Path,
    opened: Use,
) -> Result<([u8; 32], SqlitePool), Failure> {
    let secret = bring_up(writer, path, opened).await?;
    if opened != Use::Look {
        sqlite_file::write_ahead(writer).await.map_err(Failure::Refused)?;
    }
    if opened.upgrades() {
        match sqlite_file::convert(writer).await {
            Ok(None) => {}
            Ok(Some(size)) => tracing::info!(
                size,
                "the task store is of an older version, and large: `taskcell tasks purge` gives its free space back"
            ),
            // Another process uses the file. The next opening will do.
            Err(error) => tracing::debug!(%error, "the task store was not written anew"),
        }
    }
    let readers = pool(READERS, options.pragma("query_only", "ON")).await?;
    Ok((secret, readers))
}

async fn pool(connections: u32, options: SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    let pool = SqlitePoolOptions::new().max_connections(connections).test_before_acquire(false);
    pool.idle_timeout(None).max_lifetime(None).connect_with(options).await
}

/// Upgrades the tables if needed, and returns the secret.
pub(super) async fn bring_up(connection: &mut SqliteConnection, path: &Path, opened: Use) -> Result<[u8; 32], Failure> {
    // A reader waits for nobody and changes nothing, including tables that an older host may be using.
    let begin = if opened.upgrades() { "BEGIN IMMEDIATE" } else { "BEGIN" };
    let mut step = connection.begin_with(begin).await?;
    SHAPE.bring_up(&mut step, path, opened).await?;
    if opened.upgrades() {
        let make_secret = "INSERT INTO meta (name, value) VALUES ('secret', ?1) ON CONFLICT (name) DO NOTHING";
        sqlx::query(make_secret).bind(cursor::secret().to_vec()).execute(&mut *step).await?;
    }
    let secret: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT value FROM meta WHERE name = 'secret'").fetch_optional(&mut *step).await?;
    step.commit().await?;
    // The secret signs cursors. A lost secret is replaced by the next host; a reader needs none.
    let secret = secret.unwrap_or_else(|| cursor::secret().to_vec());
    let changed = || Failure::Refused("its secret is not 32 bytes long: it was changed from outside".to_owned());
    secret.try_into().map_err(|_| changed())
}
