//! Giving free space back, with the text in it.
//!
//! SQLite keeps the pages of what was removed for what comes next. With `auto_vacuum = INCREMENTAL` they can be given
//! back to the file system at any time. A file that was made before this was set, by build 6887b39, gets it by one
//! `VACUUM`, which writes the file anew. That also ends what was removed before `secure_delete` was on.

use sqlx::SqliteConnection;

/// A file up to this size is written anew when it is opened: it takes well under a second.
const SMALL: i64 = 64 << 20;

/// Whether free pages can be given back one by one.
async fn is_incremental(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let mode: i64 = sqlx::query_scalar("PRAGMA auto_vacuum").fetch_one(connection).await?;
    Ok(mode == 2)
}

/// Gives the free pages of a file back, if that can be done at once.
pub(crate) async fn give_back(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let free: i64 = sqlx::query_scalar("PRAGMA freelist_count").fetch_one(&mut *connection).await?;
    if free > 0 && is_incremental(connection).await? {
        sqlx::query("PRAGMA incremental_vacuum").execute(connection).await?;
    }
    Ok(())
}

/// Writes a small file of an older version anew, so that its free pages can be given back from now on. Gives how large
/// a file is that was too large for that; none where there is nothing to do any more.
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

/// Writes a file anew, without free pages, and so that they can be given back from then on.
async fn write_anew(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query("PRAGMA auto_vacuum = INCREMENTAL").execute(&mut *connection).await?;
    sqlx::query("VACUUM").execute(connection).await?;
    Ok(())
}

/// Gives all free space back, and leaves nothing of what was removed in the file or beside it. False where another
/// process that uses the file kept some of it from being wiped.
pub(crate) async fn wipe(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    if is_incremental(connection).await? {
        give_back(connection).await?;
    } else {
        write_anew(connection).await?;
    }
    // Gives whether something was in the way. Without a log there is nothing to do.
    let (busy, _, _): (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(connection).await?;
    Ok(busy == 0)
}
