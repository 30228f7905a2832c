//! Tasks: requests whose answer is fetched later.

use serde::{Deserialize, Serialize};
use wasmtime::component::{ComponentType, Lift, Lower};

use super::{CreateMessageRequest, CreateMessageResult, ElicitRequest, ElicitResult, Json};
use crate::protocol::wire::{clamped, json};

/// The requestor's wish that a request run as a task. MCP: `TaskMetadata`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct TaskMetadata {
    /// Time to keep the task, from its creation, in milliseconds.
    #[serde(default, deserialize_with = "clamped::option::deserialize", skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u32>,
}

/// Where a task stands. MCP: `TaskStatus`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower, strum::IntoStaticStr,
)]
#[component(enum)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[repr(u8)]
pub enum TaskStatus {
    /// Being worked on; every task starts here.
    #[component(name = "working")]
    Working,
    /// Waiting for the requestor.
    #[component(name = "input-required")]
    InputRequired,
    /// Done, with a result. Final.
    #[component(name = "completed")]
    Completed,
    /// Ended by an error. Final.
    #[component(name = "failed")]
    Failed,
    /// Ended by the requestor. Final.
    #[component(name = "cancelled")]
    Cancelled,
}

impl TaskStatus {
    /// Whether the status never changes again. [basic/utilities/tasks, Task Status Lifecycle]
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// Returns the word for the status in MCP.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A task as its requestor sees it. MCP: `Task`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// The identifier.
    #[component(name = "task-id")]
    pub task_id: String,
    /// Where it stands.
    pub status: TaskStatus,
    /// More about the status, for people.
    #[component(name = "status-message")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_message: Option<String>,
    /// When it was created, ISO 8601.
    #[component(name = "created-at")]
    pub created_at: String,
    /// When its status last changed, ISO 8601.
    #[component(name = "last-updated-at")]
    pub last_updated_at: String,
    /// Time for which the task is kept, from its creation, in milliseconds; `None` means forever. Always on the wire,
    /// as a number or null.
    #[serde(deserialize_with = "clamped::option::deserialize")]
    pub ttl: Option<u32>,
    /// Suggested interval between polls, in milliseconds.
    #[component(name = "poll-interval")]
    #[serde(default, deserialize_with = "clamped::option::deserialize", skip_serializing_if = "Option::is_none")]
    pub poll_interval: Option<u32>,
}

/// The answer to a request that became a task. MCP: `CreateTaskResult`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct CreateTaskResult {
    /// The task.
    pub task: Task,
    /// `_meta`.
    #[serde(rename = "_meta", default, with = "json::object::option", skip_serializing_if = "Option::is_none")]
    pub meta: Option<Json>,
}

/// The answer to `tasks/get` and `tasks/cancel`: a task that is a result. MCP: `GetTaskResult`, `CancelTaskResult`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct TaskResult {
    /// The task; on the wire its fields stand beside `_meta`.
    #[serde(flatten)]
    pub task: Task,
    /// `_meta`.
    #[serde(rename = "_meta", default, with = "json::object::option", skip_serializing_if = "Option::is_none")]
    pub meta: Option<Json>,
}

/// One page of tasks. MCP: `ListTasksResult`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct ListTasksResult {
    /// The tasks of this page.
    pub tasks: Vec<Task>,
    /// Where the next page starts, when there is one. Opaque.
    #[component(name = "next-cursor")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// `_meta`.
    #[serde(rename = "_meta", default, with = "json::object::option", skip_serializing_if = "Option::is_none")]
    pub meta: Option<Json>,
}

/// Input of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(variant)]
#[serde(rename_all = "snake_case")]
pub enum TaskInput {
    /// Run a model.
    #[component(name = "sampling")]
    Sampling(CreateMessageRequest),
    /// Ask the user.
    #[component(name = "elicitation")]
    Elicitation(ElicitRequest),
    /// Input in a format of the handler's own.
    #[component(name = "custom")]
    Custom(#[serde(with = "json::object")] Json),
}

/// Output of a task: the result that the same request would have had without a task. MCP: `GetTaskPayloadResult`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(variant)]
#[serde(rename_all = "snake_case")]
pub enum TaskOutput {
    /// Result of sampling.
    #[component(name = "sampling")]
    Sampling(CreateMessageResult),
    /// Result of elicitation.
    #[component(name = "elicitation")]
    Elicitation(ElicitResult),
    /// A JSON object of the handler's own.
    #[component(name = "custom")]
    Custom(#[serde(with = "json::object")] Json),
}
