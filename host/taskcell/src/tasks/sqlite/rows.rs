//! Conversion between records and rows.
//!
//! Values that the store searches by have columns of their own. Values that it only keeps (the origin of a task, its
//! job, its outcome) are stored as JSON text.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::protocol::types::TaskStatus;
use crate::tasks::{StoreError, TaskRecord};

/// All statuses, which their column holds by their names in MCP.
const STATUSES: [TaskStatus; 5] =
    [TaskStatus::Working, TaskStatus::InputRequired, TaskStatus::Completed, TaskStatus::Failed, TaskStatus::Cancelled];

/// Columns of a task, without the sequence, which the database assigns.
pub(super) struct TaskRow {
    pub(super) id: String,
    pub(super) principal: Arc<str>,
    pub(super) status: &'static str,
    pub(super) status_message: Option<String>,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
    pub(super) ttl: i64,
    pub(super) expires_at: i64,
    pub(super) poll_interval: u32,
    pub(super) version: i64,
    pub(super) origin: String,
}

impl TaskRow {
    pub(super) fn new(record: TaskRecord) -> Result<Self, StoreError> {
        Ok(Self {
            status: record.status.as_str(),
            created_at: nanoseconds(record.created_at)?,
            updated_at: nanoseconds(record.updated_at)?,
            ttl: i64::try_from(record.ttl.as_nanos()).map_err(|_| unfit("its time to live is over 292 years"))?,
            // A task that expires after 2262 is kept until then.
            expires_at: saturated(record.expires_at()),
            version: number(record.version)?,
            origin: json(&*record.origin)?,
            id: record.id,
            principal: record.principal,
            status_message: record.status_message,
            poll_interval: record.poll_interval,
        })
    }
}

/// Reads a record from the columns of `sql::GET`.
pub(super) fn record(row: &SqliteRow) -> Result<TaskRecord, sqlx::Error> {
    let status: String = row.try_get(3)?;
    let status = STATUSES.into_iter().find(|known| known.as_str() == status);
    Ok(TaskRecord {
        principal: row.try_get::<String, _>(0)?.into(),
        id: row.try_get(1)?,
        sequence: unsigned(row.try_get(2)?)?,
        status: status.ok_or_else(|| unreadable("a status that MCP does not know"))?,
        status_message: row.try_get(4)?,
        created_at: timestamp(row.try_get(5)?)?,
        updated_at: timestamp(row.try_get(6)?)?,
        ttl: Duration::from_nanos(unsigned(row.try_get(7)?)?),
        poll_interval: u32::try_from(row.try_get::<i64, _>(8)?).map_err(unreadable)?,
        version: unsigned(row.try_get(9)?)?,
        origin: Arc::new(from_json(&row.try_get::<String, _>(10)?)?),
    })
}

/// Writes a value as JSON text for a column.
pub(super) fn json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| unfit(&error.to_string()))
}

/// Reads a value from the JSON text of a column.
pub(super) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, sqlx::Error> {
    serde_json::from_str(text).map_err(unreadable)
}

/// Converts a number to its column, which is signed.
pub(super) fn number(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| unfit(&format!("{number} is more than a store can hold")))
}

/// Converts a limit to its column, or to the largest number of the column when the limit is beyond.
pub(super) fn at_most(bound: u64) -> i64 {
    i64::try_from(bound).unwrap_or(i64::MAX)
}

/// Reads an unsigned number from a column.
pub(super) fn unsigned(number: i64) -> Result<u64, sqlx::Error> {
    u64::try_from(number).map_err(unreadable)
}

/// Converts a time to its column, or to the first or last time of the column when the time is beyond.
pub(super) fn saturated(time: Timestamp) -> i64 {
    let beyond = if time < Timestamp::UNIX_EPOCH { i64::MIN } else { i64::MAX };
    i64::try_from(time.as_nanosecond()).unwrap_or(beyond)
}

fn nanoseconds(time: Timestamp) -> Result<i64, StoreError> {
    i64::try_from(time.as_nanosecond()).map_err(|_| unfit(&format!("{time} is not between 1677 and 2262")))
}

fn timestamp(nanoseconds: i64) -> Result<Timestamp, sqlx::Error> {
    Timestamp::from_nanosecond(nanoseconds.into()).map_err(unreadable)
}

fn unfit(why: &str) -> StoreError {
    StoreError(format!("the task cannot be stored: {why}"))
}

/// Returns the error of a value that this version cannot read.
fn unreadable(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> sqlx::Error {
    sqlx::Error::Decode(why.into())
}
