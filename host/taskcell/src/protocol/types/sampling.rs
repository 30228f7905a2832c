//! Requests to run a model, and what the model said.

use serde::{Deserialize, Serialize};
use wasmtime::component::{ComponentType, Lift, Lower};

use super::{Icon, Json, Role, SamplingContent};
use crate::protocol::wire::{clamped, json, number, one_or_many};

/// A tool that the model may use. MCP: `Tool`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct Tool {
    /// The identifier for programs.
    pub name: String,
    /// The name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Description of the tool, for a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A JSON Schema object for the arguments.
    #[component(name = "input-schema")]
    #[serde(with = "json::object")]
    pub input_schema: Json,
    /// Ways to execute the tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<ToolExecution>,
    /// A JSON Schema object for the structured result.
    #[component(name = "output-schema")]
    #[serde(default, with = "json::object::option", skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Json>,
    /// Hints on the tool's behavior; not to be trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<ToolAnnotations>,
    /// Pictures for a user interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icons: Option<Vec<Icon>>,
    /// `_meta`.
    #[serde(rename = "_meta", default, with = "json::object::option", skip_serializing_if = "Option::is_none")]
    pub meta: Option<Json>,
}

/// Ways to execute a tool. MCP: `ToolExecution`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct ToolExecution {
    /// Whether it may run as a task; absent means forbidden.
    #[component(name = "task-support")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_support: Option<TaskSupport>,
}

/// Whether a tool may run as a task. MCP: `ToolExecution.taskSupport`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(enum)]
#[serde(rename_all = "camelCase")]
#[repr(u8)]
pub enum TaskSupport {
    /// Never as a task.
    #[component(name = "forbidden")]
    Forbidden,
    /// Either way.
    #[component(name = "optional")]
    Optional,
    /// Only as a task.
    #[component(name = "required")]
    Required,
}

/// Annotations of a tool by its author: hints from the server, not promises. MCP: `ToolAnnotations`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct ToolAnnotations {
    /// The name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Whether the tool changes nothing.
    #[component(name = "read-only-hint")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only_hint: Option<bool>,
    /// Whether the tool may destroy something.
    #[component(name = "destructive-hint")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destructive_hint: Option<bool>,
    /// Calling it again with the same arguments changes nothing more.
    #[component(name = "idempotent-hint")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotent_hint: Option<bool>,
    /// Whether the tool reaches an open world, such as the web.
    #[component(name = "open-world-hint")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_world_hint: Option<bool>,
}

/// One message of a conversation with a model. MCP: `SamplingMessage`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct SamplingMessage {
    /// Author of the message.
    pub role: Role,
    /// The pieces, in order. On the wire a list of one is written as its single piece.
    #[serde(with = "one_or_many")]
    pub content: Vec<SamplingContent>,
    /// `_meta`.
    #[serde(rename = "_meta", default, with = "json::object::option", skip_serializing_if = "Option::is_none")]
    pub meta: Option<Json>,
}

/// A model name, or part of one, that the server would like. MCP: `ModelHint`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct ModelHint {
    /// A substring of a model's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Preferences of the server for a model; advice that may be ignored. MCP: `ModelPreferences`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct ModelPreferences {
    /// Names, the best first; they outweigh the priorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hints: Option<Vec<ModelHint>>,
    /// Weight of low cost, from 0 to 1.
    #[component(name = "cost-priority")]
    #[serde(default, with = "number::option", skip_serializing_if = "Option::is_none")]
    pub cost_priority: Option<f64>,
    /// Weight of speed, from 0 to 1.
    #[component(name = "speed-priority")]
    #[serde(default, with = "number::option", skip_serializing_if = "Option::is_none")]
    pub speed_priority: Option<f64>,
    /// Weight of capability, from 0 to 1.
    #[component(name = "intelligence-priority")]
    #[serde(default, with = "number::option", skip_serializing_if = "Option::is_none")]
    pub intelligence_priority: Option<f64>,
}

/// Source of the context to add to the prompt. MCP: `CreateMessageRequestParams.includeContext`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(enum)]
#[serde(rename_all = "camelCase")]
#[repr(u8)]
pub enum IncludeContext {
    /// Nobody's: the default.
    #[component(name = "none")]
    None,
    /// The asking server's.
    #[component(name = "this-server")]
    ThisServer,
    /// Every connected server's.
    #[component(name = "all-servers")]
    AllServers,
}

/// Whether the model must use tools. MCP: `ToolChoice.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(enum)]
#[serde(rename_all = "camelCase")]
#[repr(u8)]
pub enum ToolChoiceMode {
    /// The model decides: the default.
    #[component(name = "auto")]
    Auto,
    /// At least one tool use before it completes.
    #[component(name = "required")]
    Required,
    /// No tool use.
    #[component(name = "none")]
    None,
}

/// Use of tools by the model. MCP: `ToolChoice`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct ToolChoice {
    /// Absent means `auto`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<ToolChoiceMode>,
}

/// A request to run a model. MCP: `CreateMessageRequestParams`.
///
/// `task` and `_meta` of the parameters come beside it, as `task-metadata` and in the `request-context`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct CreateMessageRequest {
    /// The conversation so far.
    pub messages: Vec<SamplingMessage>,
    /// Preferences of the server for a model.
    #[component(name = "model-preferences")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_preferences: Option<ModelPreferences>,
    /// A system prompt; the handler may change or drop it.
    #[component(name = "system-prompt")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_prompt: Option<String>,
    /// Source of the context to include.
    #[component(name = "include-context")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include_context: Option<IncludeContext>,
    /// The sampling temperature.
    #[serde(default, with = "number::option", skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// The most tokens to generate; fewer is allowed.
    #[component(name = "max-tokens")]
    #[serde(deserialize_with = "clamped::deserialize")]
    pub max_tokens: u32,
    /// Texts that end the generation.
    #[component(name = "stop-sequences")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_sequences: Option<Vec<String>>,
    /// A JSON object for the model's provider.
    #[serde(default, with = "json::object::option", skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Json>,
    /// Tools that the model may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<Tool>>,
    /// Use of the tools by the model.
    #[component(name = "tool-choice")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<ToolChoice>,
}

/// Message of the model. MCP: `CreateMessageResult`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ComponentType, Lift, Lower)]
#[component(record)]
#[serde(rename_all = "camelCase")]
pub struct CreateMessageResult {
    /// Author of the message: as a rule `assistant`.
    pub role: Role,
    /// The pieces, in order. On the wire a list of one is written as its single piece.
    #[serde(with = "one_or_many")]
    pub content: Vec<SamplingContent>,
    /// The name of the model that said it.
    pub model: String,
    /// Why it stopped: `endTurn`, `stopSequence`, `maxTokens`, `toolUse`, or a provider's own word.
    #[component(name = "stop-reason")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<String>,
    /// `_meta`.
    #[serde(rename = "_meta", default, with = "json::object::option", skip_serializing_if = "Option::is_none")]
    pub meta: Option<Json>,
}
