//! Opening a store: making its file, knowing it for one, bringing its tables up to this version.
//!
//! Nothing of a file is changed before it is known for a store of tasks (by SQLite's `application_id`) that this
//! version can serve. That is asked inside a transaction that excludes other writers, so two processes may make the
//! same store at once.

use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteLockingMode, SqlitePoolOptions};
use sqlx::{ConnectOptions, Connection, SqliteConnection, SqlitePool};

use super::error::{about, failed};
use crate::support::private_file::Identity;
use crate::support::sqlite_file::{self, Failure, Shape, Use, Version};
use crate::tasks::{StoreError, cursor};

/// A store of tasks. The mark is `task` in ASCII. A version that was released is never edited: a change is a new one.
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

/// Connections for reading: a reader waits for nobody, but each takes a thread.
const READERS: u32 = 3;

/// Connections to a store that is ready for use.
pub(super) struct Opened {
    /// The one that writes; none where the store can only be looked into.
    pub(super) writer: Option<SqliteConnection>,
    /// Connections for reading.
    pub(super) readers: SqlitePool,
    /// The secret of the store.
    pub(super) secret: [u8; 32],
    /// Where the file is, and which one it is.
    pub(super) file: (PathBuf, Identity),
}

/// The failure of a store, with its file.
pub(super) fn refused(path: &Path, failure: &Failure) -> StoreError {
    match failure {
        Failure::Sqlite(error) => failed(path, error),
        Failure::Refused(what) => about(path, what),
    }
}

/// Finds the file of the store at `path`; makes it where it is to be served from and is not there.
pub(super) async fn find(path: &Path, opened: Use) -> Result<(PathBuf, Identity), StoreError> {
    // SQLite takes some names for something else than a file (`:memory:`, `file:...`, none at all), but no such path.
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

/// Opens the store at `path` for a use.
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
    // A disk that is full or cannot be written has no place for what SQLite puts beside the file.
    if let (Use::Look, Failure::Sqlite(error)) = (opened, &failure)
        && sqlite_file::is_of_the_disk(error)
        && let Ok((readers, secret)) = alone(&file.0, path).await
    {
        return Ok(Opened { writer: None, readers, secret, file });
    }
    Err(refused(path, &failure))
}

/// Opens a file that others may use, too.
async fn shared(
    options: SqliteConnectOptions,
    path: &Path,
    opened: Use,
) -> Result<(SqliteConnection, SqlitePool, [u8; 32]), Failure> {
    let mut writer = options.connect().await?;
    match ready(&mut writer, options, path, opened).await {
        Ok((secret, readers)) => Ok((writer, readers, secret)),
        Err(error) => {
            // Closed here and now, so that SQLite leaves nothing beside the file.
            let _ = writer.close().await;
            Err(error)
        }
    }
}

/// Opens a file to look into it without a file beside it. It must not be written meanwhile: a file whose log is empty
/// is taken as it is, another one is locked.
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

/// Makes the file ready for use, through the connection that is to write it.
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
            // Another process uses it. The next time does as well.
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

/// Makes sure of the tables, and gives the secret.
pub(super) async fn bring_up(connection: &mut SqliteConnection, path: &Path, opened: Use) -> Result<[u8; 32], Failure> {
    // Who only looks waits for nobody, and changes nothing: not the tables either, which an older host may be using.
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
    // Cursors are signed with it. The next host makes a new one where it was lost; who looks needs none.
    let secret = secret.unwrap_or_else(|| cursor::secret().to_vec());
    let changed = || Failure::Refused("its secret is not 32 bytes long: it was changed from outside".to_owned());
    secret.try_into().map_err(|_| changed())
}
