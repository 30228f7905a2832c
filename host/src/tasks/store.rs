//! Where tasks are kept: the trait that every back end keeps.
//!
//! The trait knows no rule of MCP. It stores records, replaces one only when nobody else did so since it was read
//! (by version, so that several hosts may share a store), and tells of changes. All rules stand in
//! [`Tasks`](super::Tasks), once for all back ends.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::milliseconds;
use crate::protocol::types::{RpcError, Task, TaskOutput, TaskStatus};

/// A task as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskRecord {
    /// Whose task it is.
    pub principal: String,
    /// The random id.
    pub id: String,
    /// Where it stands.
    pub status: TaskStatus,
    /// More about the status, for people.
    pub status_message: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// How long it is kept from its creation.
    pub ttl: Duration,
    /// How often the requestor should ask, in milliseconds.
    pub poll_interval: u32,
    /// Grows by one with each change.
    pub version: u64,
    /// What it ended with; there when the status is final.
    pub outcome: Option<Result<TaskOutput, RpcError>>,
}

impl TaskRecord {
    /// The task as its requestor sees it.
    #[must_use]
    pub fn task(&self) -> Task {
        Task {
            task_id: self.id.clone(),
            status: self.status,
            status_message: self.status_message.clone(),
            created_at: format!("{:.3}", self.created_at),
            last_updated_at: format!("{:.3}", self.updated_at),
            ttl: Some(milliseconds(self.ttl)),
            poll_interval: Some(self.poll_interval),
        }
    }

    /// When the task is gone.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.created_at.checked_add(self.ttl).unwrap_or(Timestamp::MAX)
    }

    /// Where it stands in a list.
    #[must_use]
    pub fn position(&self) -> Position {
        Position { created_at: self.created_at, id: self.id.clone() }
    }
}

/// A place in the list of tasks: the oldest first, and by id among equals.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// When the task was created.
    pub created_at: Timestamp,
    /// The task's id.
    pub id: String,
}

impl Position {
    /// The place as an opaque cursor. [server/utilities/pagination]
    #[must_use]
    pub fn to_cursor(&self) -> String {
        format!("{:x}.{}", self.created_at.as_nanosecond(), self.id)
    }

    /// Reads a cursor; none when it is not of the form that [`Position::to_cursor`] gives.
    #[must_use]
    pub fn from_cursor(cursor: &str) -> Option<Self> {
        let (nanoseconds, id) = cursor.split_once('.')?;
        let created_at = Timestamp::from_nanosecond(i128::from_str_radix(nanoseconds, 16).ok()?).ok()?;
        let id = uuid::Uuid::try_parse(id).ok()?.to_string();
        Some(Self { created_at, id })
    }
}

/// The store could not do it; the text is for the operator, not for the peer.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);

/// Where tasks are kept.
#[async_trait]
pub trait TaskStore: Send + Sync + 'static {
    /// Stores a new task. Called once for each id.
    async fn create(&self, record: TaskRecord) -> Result<(), StoreError>;

    /// Finds a task of a principal; one that has expired may still be found.
    async fn get(&self, principal: &str, id: &str) -> Result<Option<TaskRecord>, StoreError>;

    /// Puts `record` in the place of the task with its id, if that is still of version `seen`; says whether it
    /// was. A task that is gone is none of that version.
    async fn replace(&self, record: TaskRecord, seen: u64) -> Result<bool, StoreError>;

    /// The tasks of a principal after a position, in order, `limit` at most.
    async fn list(
        &self,
        principal: &str,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Vec<TaskRecord>, StoreError>;

    /// How many tasks a principal has.
    async fn count(&self, principal: &str) -> Result<usize, StoreError>;

    /// Waits until the task is of another version than `seen`, or gone. May return early.
    async fn changed(&self, principal: &str, id: &str, seen: u64) -> Result<(), StoreError>;

    /// Removes what has expired by `now`. Called before a task is created and before a list; must be cheap when
    /// there is nothing to do.
    async fn remove_expired(&self, now: Timestamp) -> Result<(), StoreError>;
}
