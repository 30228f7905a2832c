//! Giving free space of a file back, with the text in it.
//!
//! SQLite keeps the pages of removed rows for later use. With `auto_vacuum = INCREMENTAL` they can be given back to the
//! file system at any time. A file of build 6887b39 or older lacks this setting and gets it by one `VACUUM`, which
//! rewrites the file. The rewrite also drops text that was removed while `secure_delete` was off.

use sqlx::SqliteConnection;

/// Largest file that is rewritten when it is opened. The rewrite takes well under a second.
const SMALL: i64 = 64 << 20;

/// Whether free pages can be given back one by one.
async fn is_incremental(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let mode: i64 = sqlx::query_scalar("PRAGMA auto_vacuum").fetch_one(connection).await?;
    Ok(mode == 2)
}

/// Gives the free pages of a file back, if that is possible at once.
pub(crate) async fn give_back(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let free: i64 = sqlx::query_scalar("PRAGMA freelist_count").fetch_one(&mut *connection).await?;
    if free > 0 && is_incremental(connection).await? {
        sqlx::query("PRAGMA incremental_vacuum").execute(connection).await?;
    }
    Ok(())
}

/// Rewrites a small file of an older version, so that its free pages can be given back from now on. Returns the size of
/// a file that is too large for that, and none when nothing is left to do.
pub(crate) async fn convert(connection: &mut SqliteConnection) -> Result<Option<i64>, sqlx::Error> {
    if is_incremental(connection).await? {
        return Ok(None);
    }
    let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut *connection).await?;
    let page: i64 = sqlx::query_scalar("PRAGMA page_size").fetch_one(&mut *connection).await?;
    let size = pages.saturating_mul(page);
    if size > SMALL {
        return Ok(Some(size));
    }
    write_anew(connection).await?;
    Ok(None)
}

/// Rewrites a file without free pages, so that later free pages can be given back.
async fn write_anew(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query("PRAGMA auto_vacuum = INCREMENTAL").execute(&mut *connection).await?;
    sqlx::query("VACUUM").execute(connection).await?;
    Ok(())
}

/// Gives all free space back, and leaves no trace of removed rows in the file or beside it. Returns false when another
/// process that uses the file kept some of them from being wiped.
pub(crate) async fn wipe(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    if is_incremental(connection).await? {
        give_back(connection).await?;
    } else {
        write_anew(connection).await?;
    }
    // The result says whether another process was in the way. Without a log there is nothing to do.
    let (busy, _, _): (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(connection).await?;
    Ok(busy == 0)
}
